"""Whose turn it is: bounded, fair between tenants, and no turn is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason
from gateway.fair_queue import FairQueue

STEPS = st.lists(st.tuples(st.sampled_from(["comes", "ends", "goes away"]), st.integers(0, 7)), max_size=60)
LONG_S = 1000.0


async def rest() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@given(steps=STEPS, most=st.integers(1, 3))
def test_turns_are_bounded_and_never_lost(steps: list[tuple[str, int]], most: int) -> None:
    """Whatever comes, ends and goes away: no more than so many have a turn, nobody waits while one is free."""
    asyncio.run(_played(steps, most))


async def _played(steps: list[tuple[str, int]], most: int) -> None:
    turns, has, calls = FairQueue(most, LONG_S), set[int](), dict[int, asyncio.Task[None]]()

    async def call(number: int) -> None:
        await turns.take(f"tenant {number % 3}")
        has.add(number)

    for step, number in steps:
        if step == "comes" and number not in calls:
            calls[number] = asyncio.create_task(call(number))
        elif step == "ends" and number in has:
            has.remove(number)
            del calls[number]
            turns.give_back(f"tenant {number % 3}")
        elif step == "goes away" and number in calls and number not in has:
            calls.pop(number).cancel()
        if number % 2:  # sometimes several things happen before anybody notices
            await rest()
            assert len(has) == min(most, len(calls))
    await rest()
    assert len(has) == min(most, len(calls))
    for waiting in calls.values():
        waiting.cancel()
    await asyncio.gather(*calls.values(), return_exceptions=True)


async def test_tenants_take_turns() -> None:
    """A tenant that has many calls waiting does not hold up one that has few."""
    turns, order = FairQueue(1, LONG_S), list[str]()

    async def call(tenant: str) -> None:
        await turns.take(tenant)
        order.append(tenant)
        turns.give_back(tenant)

    await turns.take("first")
    calls = [asyncio.create_task(call(tenant)) for tenant in ("noisy",) * 4 + ("quiet",) * 2]
    await rest()
    turns.give_back("first")
    await asyncio.gather(*calls)
    assert order == ["noisy", "quiet", "noisy", "quiet", "noisy", "noisy"]


@given(steps=STEPS, most=st.integers(1, 4), each=st.integers(1, 3))
def test_no_tenant_has_more_turns_than_are_for_one(steps: list[tuple[str, int]], most: int, each: int) -> None:
    """Whatever comes and ends: of each tenant so many calls have a turn as may, or as there are turns for."""
    asyncio.run(_shared(steps, most, each))


async def _shared(steps: list[tuple[str, int]], most: int, each: int) -> None:
    turns, had, calls = FairQueue(most, LONG_S, each=each), Counter[str](), list[asyncio.Task[None]]()

    async def call(tenant: str) -> None:
        await turns.take(tenant)
        had[tenant] += 1

    wanted = Counter[str]()
    for step, number in steps:
        tenant = f"tenant {number % 3}"
        if step == "comes":
            wanted[tenant] += 1
            calls.append(asyncio.create_task(call(tenant)))
        elif had[tenant]:
            wanted[tenant] -= 1
            had[tenant] -= 1
            turns.give_back(tenant)
        await rest()
        assert all(had[tenant] <= each for tenant in wanted)
        assert had.total() == min(most, sum(min(each, wants) for wants in wanted.values()))
    for waiting in calls:
        waiting.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_waiting_ends() -> None:
    """Who waits too long is told when to come again, and whoever waits after it has its turn."""
    turns = FairQueue(1, 0.001)
    await turns.take("one")
    with pytest.raises(GatewayError) as refused:
        await turns.take("one")
    assert (refused.value.reason, refused.value.again_s) == (Reason.OVERLOADED, 1)
    turns.give_back("one")
    await turns.take("one")


async def test_a_burst_waits_longer_than_a_steady_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once somebody has been waiting for ten times the patience, the next one waits for one."""
    patient: list[float | None] = []
    real = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda seconds: (patient.append(seconds), real(LONG_S))[1])
    now = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    turns = FairQueue(1, 1.0)
    await turns.take("one")
    waiting = []
    for at in (100.0, 109.0, 111.0):
        now[0] = at
        waiting.append(asyncio.create_task(turns.take("one")))
        await rest()
    assert patient == [10.0, 10.0, 1.0]
    for call in waiting:
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
