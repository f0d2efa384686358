"""What health makes of an engine that is late, or away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import facts, health
from gateway.errors import GatewayError, Reason
from gateway.inforce import MISSING, InForce
from tests.support.releases import release
from tests.support.waiting import until


@pytest.mark.parametrize("missing", [MISSING - 1, MISSING])
async def test_an_engine_that_misses_every_answer_is_away(missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is late fewer times in a row is believed throughout; after one answer the other is believed again."""
    monkeypatch.setattr(health, "ASK_S", 0)
    monkeypatch.setattr(health, "AGAIN_S", 0)
    found: list[bool] = []

    async def decide(_: Mapping[str, object]) -> None:
        found.append(in_force.answers)
        if len(found) % (missing + 1):
            raise GatewayError(Reason.POLICY_UNAVAILABLE, "late")

    engine: Any = SimpleNamespace(name="none", version="none", decide=decide)
    in_force = InForce(made := release(b""), facts.prepare(made, "CUI", ""), engine)
    gate: Any = SimpleNamespace(in_force=in_force)
    asking = asyncio.create_task(health.asking(gate))
    await until(lambda: len(found) > 2 * (missing + 1))
    asking.cancel()
    turn = [True] * MISSING + [False] * (missing + 1 - MISSING)
    assert found[: 2 * len(turn)] == 2 * turn
