"""Calls that are cancelled at each point where they wait: each is recorded to its end once, and gives its turn back."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway import server
from tests.e2e.test_isolation import served_by
from tests.e2e.test_sealed import CONCERNED, deployed
from tests.support import upstream_servers
from tests.support.attacks import attacking, message, verified
from tests.support.gateways import Running, serving
from tests.support.upstream_servers import Script, Server

ENDS = {
    "Generate": ({"refusal"}, {"intent", "outcome"}),
    "GenerateStream": ({"refusal"}, {"intent", "outcome"}),
    "CheckPolicy": ({"refusal"}, {"check"}),
    "ListModels": ({"refusal"}, {"access"}),
}


class Cancelled:
    """Cancels one call where it waits for the times in `places`, counted from 1. waited: how often it waited.

    gone: it ended as cancelled. late: what the call waited for is there at the same moment.
    """

    def __init__(self, places: set[int], *, late: bool) -> None:
        self.waited = 0
        self.gone = False
        self.over = asyncio.Event()
        self._places, self._late = places, late

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do the work of the call."""
        try:
            return await types.coroutine(self._steps)(work)
        except asyncio.CancelledError:
            self.gone = True
            raise
        finally:
            self.over.set()

    def _steps(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        step = partial(work.send, None)
        while True:
            try:
                awaited = step()
            except StopIteration as ended:
                return ended.value
            self.waited += 1
            here, task = self.waited in self._places, asyncio.current_task()
            if here and not self._late and task is not None:
                task.cancel()
            try:
                step = partial(work.send, (yield awaited))
            except BaseException as error:  # noqa: BLE001 - passed on as it came
                step = partial(work.throw, error)
            if here and self._late:
                step = partial(work.throw, asyncio.CancelledError())


@pytest_asyncio.fixture
async def behind(tmp_path: Path) -> AsyncIterator[tuple[Running, Server]]:
    """A gateway that seals what it forwards, with one turn for all calls and one call for each tenant."""
    made = deployed(tmp_path)
    limits = "[limits]\ndeciding = 1\nqueue_ms = 100\nconcurrent_calls = 2\ntenant_percent = 50\n"
    made.config.write_text(f"{made.config.read_text()}\n{limits}")
    async with upstream_servers.serve("openai") as service:
        service.script = Script(texts=("All quiet on the road. ",) * 40)
        served_by(made, service.base_url)
        async with serving(made) as running:
            yield running, service
    verified(made)


@pytest.mark.parametrize("late", [False, True], ids=["before", "beside"])
@pytest.mark.parametrize("method", ENDS)
async def test_a_call_is_cancelled_wherever_it_waits(
    behind: tuple[Running, Server], method: str, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """Cancelled once, or again while it ends, a call ends there, with all its records and one turn given back."""
    running, service = behind
    data = b"" if method == "ListModels" else message(use=CONCERNED, max_tokens=1000)
    bounded = vars(server)["_bounded"]

    async def cancelled(*places: int) -> bool:
        """Whether the call came so far."""
        before, forwarded, plan = len(running.records()), len(service.requests), Cancelled({*places}, late=late)
        monkeypatch.setattr(server, "_bounded", lambda *given: plan.call(bounded(*given)))
        asking = asyncio.create_task(attacker.call(method, data))
        await plan.over.wait()
        assert plan.gone == (plan.waited >= places[0])
        if plan.gone:
            asking.cancel()  # gRPC does not know that the call is over
        with suppress(asyncio.CancelledError):
            await asking
        new = running.records()[before:]
        assert {r["kind"] for r in new} in ENDS[method]
        assert len({r["kind"] for r in new}) == len(new)
        assert len(service.requests) - forwarded <= (new[0]["kind"] == "intent")
        assert {r["reason"] for r in new[-1:]} <= {"CANCELLED", ""}
        return plan.waited >= places[-1]

    async with attacking(running) as attacker:
        for place in count(1):
            if not await cancelled(place):
                break
            for again in count(place + 1):
                if not await cancelled(place, again):
                    break
    assert place > 3
