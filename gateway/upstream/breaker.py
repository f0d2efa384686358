"""A circuit breaker: stops asking a model service for a while after several failed connections in a row.

Only failed connections count. Then nothing was sent, and no caller can cause them for others, as it could with bad
requests or short deadlines. There are no health probes: after the pause the next caller's call is the trial, and is
sent once like any other. A call becomes the trial only when the service is asked. A call that is refused earlier does
not use up the trial, and a trial that ends without a result leaves it to the next call.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol

import structlog

from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, Permitted

log = structlog.get_logger()


class Service(Protocol):
    """The service behind a breaker."""

    name: str

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """See Upstream."""

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """See Upstream."""

    async def close(self) -> None:
        """See Upstream."""


class Breaker:
    """An Upstream. most: failures in a row before the service is paused. pause_s: the length of the pause."""

    def __init__(self, service: Service, most: int, pause_s: float) -> None:
        self.name = service.name
        self._service = service
        self._most, self._pause_s = most, pause_s
        self._failures = 0
        self._until = 0.0

    def check(self) -> None:
        """Raise GatewayError(UPSTREAM_UNAVAILABLE) during a pause.

        Does not claim the trial: the call may yet be refused.
        """
        now = time.monotonic()
        if self._failures >= self._most and now < self._until:
            raise GatewayError(
                Reason.UPSTREAM_UNAVAILABLE,
                "the model's service could not be reached several times; nothing was sent",
                detail=f"{self.name} is left alone",
                again_s=math.ceil(self._until - now),
            )

    def reached(self) -> None:
        """A connection succeeded, so the service is there. Others need not wait for the answer of this call."""
        self._failures = 0

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """See Upstream."""
        with self._asking():
            return await self._service.generate(permitted, deadline_s)

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """See Upstream."""
        return self._watched(self._service.stream(permitted, deadline_s))

    async def close(self) -> None:
        """See Upstream."""
        await self._service.close()

    async def _watched(self, stream: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        async with aclosing(stream) as chunks:
            with self._asking():
                async for chunk in chunks:
                    self._failures = 0
                    yield chunk

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Run one call. The first one after a pause is the trial; later ones are refused with nothing sent."""
        self.check()
        claimed = None
        if self._failures >= self._most:
            claimed = self._until = time.monotonic() + self._pause_s
        try:
            yield
        except BaseException as error:
            if not self._found_out(error) and self._until == claimed:
                self._until = 0.0
            raise
        self._failures = 0

    def _found_out(self, error: BaseException) -> bool:
        """Whether this error shows if the service is there. Errors that the caller caused do not."""
        match error:
            case GatewayError(reason=Reason.UPSTREAM_UNAVAILABLE):
                self._failures += 1
                if self._failures >= self._most:
                    self._until = time.monotonic() + self._pause_s
                    log.error("upstream left alone", upstream=self.name, seconds=self._pause_s)
            case GatewayError(reason=Reason.UPSTREAM_FAILED):
                self._failures = 0
            case _:
                return False
        return True
