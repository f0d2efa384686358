"""Measurements run: what they find is the business of `make bench-policy` and its like."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks import floor, growth, overload, policy, scale, steps
from benchmarks.growing import written
from gateway.release import starter
from gateway.workshop.policies import opened
from tests.docs.pages import ROOT


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


@pytest.mark.timeout(600)
async def test_every_measurement_of_growth_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with records, requests and connections are measured, and the page has a table and a plot of each axis."""
    for name, small in {"ROUNDS": 1, "ALONE": 2, "TOGETHER": 4, "BYTES": (500, 1_000), "CONNECTIONS": (1, 2)}.items():
        monkeypatch.setattr(growth, name, small)
    axes = await growth.in_one(growth.with_records(tmp_path, 1_100)[1], 0.0)
    assert [figure.value > 0 for figure in growth.figures(axes)] == [True] * 6
    written(axes, tmp_path / "growth.md")
    page = (tmp_path / "growth.md").read_text()
    for axis in axes:
        assert f"(growth/{axis.file})" in page
        assert (tmp_path / "growth" / axis.file).read_text().count("<circle ") == 3 * len(axis.points)
    assert growth.sizes(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]


@pytest.mark.timeout(600)
async def test_every_measurement_of_overload_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load is offered and counted, alone and beside a noisy tenant, for as short as shows that it can be."""
    monkeypatch.setattr(overload, "MORE", 1)
    figures = await overload.measure(0.005)
    assert len(figures) == 10
    assert figures[-1].value == 0


@pytest.mark.timeout(300)
async def test_every_measurement_of_the_floor_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each library's share is measured, all are counted into the sum, and a refusal is less of it."""
    monkeypatch.setattr(floor, "CALLS", 64)
    monkeypatch.setattr(steps, "TURNS", 3)
    found = {figure.name: figure.value for figure in await floor.measure(tmp_path / "deployment")}
    shares = [found[name] for name in ("gRPC over mutual TLS, an answer without a question", *floor.SHARES)]
    assert all(share > 0 for share in shares[1:])  # of so few calls gRPC's may be less than a tick of the clock
    assert found["all of these"] == pytest.approx(sum(shares))
    assert shares[0] < found["all of these for a refusal: one decision, one record"] < found["all of these"]


def test_the_plan_says_what_the_simulation_says() -> None:
    """What the page of the plan shows as simulated is what the simulation prints, for two of its lines."""
    shown = (ROOT / "docs/scale.md").read_text()
    for row in (scale.written(10, 33_333), scale.beside(3 / scale.COSTS.call_s, fair=True)):
        assert f"| {' | '.join(scale.cells(row))} |" in shown


def test_a_server_that_has_less_to_do_answers_sooner() -> None:
    """In the simulation all that is offered is done below what the processors can do, and not above it."""
    idle, busy = scale.written(2, 1_000, 1.0), scale.written(20, 238_000, 0.2)
    assert idle.p50_ms < 1
    assert busy.p99_ms > 5 * idle.p99_ms
    assert busy.done_s < 0.95 * busy.offered_s
