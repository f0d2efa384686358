"""A service that can't be reached is left alone, and nothing is sent to find out whether it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from gateway import config
from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, End, Permitted, Stop, Text
from gateway.upstream import open_upstream
from gateway.upstream.breaker import Breaker
from tests.support.opa import free_port
from tests.support.upstream_servers import Script, Server, permit, prompt, serve

DONE = Completion((Text("yes"),), End(Stop.END, "scripted", 1, 1))


class Scripted:
    """A service that ends calls as it is told, None being an answer, and not before it may."""

    name = "scripted"

    def __init__(self) -> None:
        self.ends: Reason | None = None
        self.calls = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def generate(self, _: Permitted, __: float) -> Completion:
        """The answer, or the error."""
        self.calls += 1
        await self.may_end.wait()
        if self.ends is not None:
            raise GatewayError(self.ends, "scripted")
        return DONE

    async def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The same in pieces."""
        completion = await self.generate(permitted, deadline_s)
        yield Text("yes")
        yield completion.end

    async def close(self) -> None:
        """Nothing is open."""


PERMITTED = permit(prompt())


async def asked(breaker: Breaker, *, streamed: bool) -> None:
    """One call, whatever comes of it."""
    with suppress(GatewayError):
        breaker.check()
        await forwarded(breaker, streamed=streamed)


def forwarded(breaker: Breaker, *, streamed: bool) -> Awaitable[object]:
    """The same from where the service is asked."""
    return drained(breaker) if streamed else breaker.generate(PERMITTED, 1)


async def drained(breaker: Breaker) -> None:
    """A stream, read to its end."""
    async with aclosing(breaker.stream(PERMITTED, 1)) as pieces:
        _ = [piece async for piece in pieces]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes when a test says so."""
    passed = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    return passed


async def away(service: Scripted, now: list[float]) -> Breaker:
    """A breaker whose pause is just over; the service is there again."""
    breaker, service.ends = Breaker(service, 3, 10), Reason.UPSTREAM_UNAVAILABLE
    for _ in range(3):
        await asked(breaker, streamed=False)
    now[0], service.ends, service.calls = 10.0, None, 0
    return breaker


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_service_that_can_not_be_reached_is_left_alone(streamed: bool, now: list[float]) -> None:
    """After so many failures in a row nothing is sent for the pause; then one call each, until one ends well."""
    service = Scripted()
    breaker, service.ends = Breaker(service, 3, 10), Reason.UPSTREAM_UNAVAILABLE
    for _ in range(6):
        await asked(breaker, streamed=streamed)
    assert service.calls == 3
    with pytest.raises(GatewayError) as refused:
        breaker.check()
    assert (refused.value.reason, refused.value.again_s) == (Reason.UPSTREAM_UNAVAILABLE, 10)
    assert not refused.value.sent
    for at, calls in ((9.0, 3), (10.0, 4), (11.0, 4), (20.0, 5)):
        now[0] = at
        await asked(breaker, streamed=streamed)
        await asked(breaker, streamed=streamed)
        assert service.calls == calls
    now[0], service.ends = 30.0, None
    for _ in range(3):
        await asked(breaker, streamed=streamed)
    assert service.calls == 8


@pytest.mark.parametrize("reason", [Reason.UPSTREAM_FAILED, Reason.DEADLINE_EXCEEDED, Reason.INVALID_REQUEST])
async def test_what_callers_can_bring_about_does_not_count(reason: Reason) -> None:
    """Requests that a service refuses, and deadlines that are too short, keep nobody else from it."""
    service = Scripted()
    breaker, service.ends = Breaker(service, 1, 10), reason
    for _ in range(5):
        await asked(breaker, streamed=False)
    assert service.calls == 5


async def test_a_call_that_is_refused_first_uses_up_nothing(now: list[float]) -> None:
    """However often others look whether the service may be asked, it answers the first call that asks it."""
    service = Scripted()
    breaker = await away(service, now)
    for _ in range(100):
        breaker.check()
    assert await breaker.generate(PERMITTED, 1) == DONE


@pytest.mark.parametrize("streamed", [False, True])
async def test_of_calls_that_come_at_once_one_finds_out(streamed: bool, now: list[float]) -> None:
    """All of them saw that the pause is over: one is sent, and the others learn that nothing of theirs was."""
    service = Scripted()
    breaker = await away(service, now)
    service.may_end.clear()
    for _ in range(5):
        breaker.check()
    calls = [asyncio.ensure_future(forwarded(breaker, streamed=streamed)) for _ in range(5)]
    refused, (first,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    errors = [call.exception() for call in refused]
    assert len(errors) == 4
    for error in errors:
        assert isinstance(error, GatewayError)
        assert (error.reason, error.sent, error.again_s) == (Reason.UPSTREAM_UNAVAILABLE, False, 10)
    service.may_end.set()
    await first
    assert service.calls == 1
    await asked(breaker, streamed=streamed)
    assert service.calls == 2


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("reason", [Reason.INVALID_REQUEST, Reason.DEADLINE_EXCEEDED])
async def test_who_did_not_find_out_leaves_it_to_the_next(reason: Reason, streamed: bool, now: list[float]) -> None:
    """A request that can't be put to the service, or that had too little time, keeps it from nobody else."""
    service = Scripted()
    breaker = await away(service, now)
    service.ends = reason
    for _ in range(3):
        await asked(breaker, streamed=streamed)
    service.ends = None
    breaker.check()
    assert await breaker.generate(PERMITTED, 1) == DONE


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_goes_away_leaves_it_to_the_next(streamed: bool, now: list[float]) -> None:
    """A caller that cancels before the service said anything keeps it from nobody else, until a later one is at it."""
    service = Scripted()
    breaker = await away(service, now)
    service.may_end.clear()
    first = asyncio.ensure_future(asked(breaker, streamed=streamed))
    await asyncio.sleep(0)
    now[0] = 20.0
    second = asyncio.ensure_future(asked(breaker, streamed=streamed))
    await asyncio.sleep(0)
    assert service.calls == 2
    first.cancel()
    await asyncio.wait([first])
    with pytest.raises(GatewayError):
        breaker.check()
    second.cancel()
    await asyncio.wait([second])
    service.may_end.set()
    breaker.check()
    assert await breaker.generate(PERMITTED, 1) == DONE


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_service_is_there_with_its_connection(kind: str, key_file: Path, streamed: bool) -> None:
    """Nobody is kept away until an answer is whole: it may take its caller's whole time, or never come."""
    port = free_port()
    url = Server(kind, f"http://127.0.0.1:{port}").base_url
    given = {"name": "service", "kind": kind, "base_url": url, "api_key": str(key_file)}
    settings = config.Upstream.model_validate(given | {"failures": 1, "pause_s": 3600})
    breaker = open_upstream(settings, 1 << 20)
    assert isinstance(breaker, Breaker)
    with pytest.raises(GatewayError):
        await forwarded(breaker, streamed=streamed)
    with pytest.raises(GatewayError):
        breaker.check()
    breaker._until = 0.0  # the pause is over
    async with serve(kind, port=port) as server:
        server.script = Script("silent")
        waiting = asyncio.ensure_future(forwarded(breaker, streamed=streamed))
        await server.arrived.wait()
        breaker.check()
        waiting.cancel()
        await asyncio.wait([waiting])
    await breaker.close()
