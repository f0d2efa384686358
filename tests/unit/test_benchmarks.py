"""The measurements of a decision run: what they find is the business of `make bench-policy`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks import policy
from gateway.release import starter
from gateway.workshop.policies import opened


@pytest.mark.timeout(300)
def test_every_measurement_of_a_decision_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure is measured, on as little as shows that it can be."""
    for name, small in {"TENANTS": 3, "AGENCIES": 2, "ROUNDS": 1, "TIMES": 2, "EDITS": 1}.items():
        monkeypatch.setattr(policy, name, small)
    with opened(starter()) as built:
        figures = [
            *asyncio.run(policy.measure_pack(built.release)),
            *asyncio.run(policy.measure_tenants(built.release)),
            *asyncio.run(policy.measure_agencies(built.release, tmp_path)),
        ]
    figures += [*policy.measure_impact(tmp_path, 20), policy.measure_watch(tmp_path)]
    assert len(figures) == 7
    assert all(figure.value > 0 for figure in figures)
