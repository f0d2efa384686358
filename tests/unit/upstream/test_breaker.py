"""A service that can't be reached is left alone, and nothing is sent to find out whether it is back."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest

from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, End, Permitted, Stop, Text
from gateway.upstream.breaker import Breaker
from tests.support.upstream_servers import permit, prompt

DONE = Completion((Text("yes"),), End(Stop.END, "scripted", 1, 1))


class Scripted:
    """A service that ends calls as it is told, None being an answer."""

    name = "scripted"

    def __init__(self) -> None:
        self.ends: Reason | None = None
        self.calls = 0

    async def generate(self, _: Permitted, __: float) -> Completion:
        """The answer, or the error."""
        self.calls += 1
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
        if streamed:
            _ = [piece async for piece in breaker.stream(PERMITTED, 1)]
        else:
            await breaker.generate(PERMITTED, 1)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_service_that_can_not_be_reached_is_left_alone(
    streamed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After so many failures in a row nothing is sent for the pause; then one call each, until one ends well."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
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
