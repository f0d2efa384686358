"""A call names the release that has to decide it: it is decided by that one from start to end, or refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from brightline import ReleaseNotInForce
from brightline_verify.record import pattern
from tests.e2e.test_activation import ASK, NARROWER, Held, in_force, reloading
from tests.support.gateways import Deployment, Running, serving

OTHER = "0" * 64


async def refusals(running: Running, pinned: str) -> list[ReleaseNotInForce]:
    """What each kind of call is refused with that names this release."""
    client, found = running.client(), []
    for ask in (client.generate, client.check):
        with pytest.raises(ReleaseNotInForce) as refused:
            await ask(**ASK, release=pinned)
        found.append(refused.value)
    with pytest.raises(ReleaseNotInForce) as late:
        async with client.stream(**ASK, release=pinned) as events:
            await anext(events)
    return [*found, late.value]


async def test_a_call_that_names_another_release_is_refused(tmp_path: Path) -> None:
    """Each kind of call gets the reason and what is in force instead, leaves one record, and reaches no model."""
    async with serving(Deployment.create(tmp_path)) as running:
        now = in_force(running).release.digest
        found = await refusals(running, OTHER)
        assert {(e.release, e.field, e.retry_safe) for e in found} == {(now, "release", True)}
        assert running.calls == 0
        records = {record["decision_id"]: record for record in running.records("refusal")}
        assert set(records) == {error.decision_id for error in found}
        for record in records.values():
            assert (record["reason"], record["declared"]["release"]) == ("RELEASE_NOT_IN_FORCE", OTHER)
            assert pattern(record)
        assert (await running.client().generate(**ASK, release=now)).release == now
        with pytest.raises(ValueError, match="release: must be 64 hexadecimal digits"):
            await running.client().generate(**ASK, release="latest")


async def test_a_release_that_changes_under_a_call_does_not_change_for_it(tmp_path: Path) -> None:
    """A call that named what was in force as it arrived ends well by it; the next one that names it is refused."""
    async with serving(Deployment.create(tmp_path)) as running:
        assert running.gate is not None
        engine = Held(in_force(running).engine)
        running.gate.in_force = replace(in_force(running), engine=engine)
        first = in_force(running).release.digest
        under_way = asyncio.create_task(running.client().generate(**ASK, release=first))
        await engine.asked.wait()
        running.change_release("tenants.json", NARROWER)
        activation = reloading(running)
        await activation.reload()
        (*_, error) = await refusals(running, first)
        assert error.release == in_force(running).release.digest != first
        engine.go.set()
        assert (await under_way).release == first
        assert running.calls == 1
        await engine.closed.wait()
        await activation.close()
