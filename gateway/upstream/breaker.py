"""Leaves a model's service alone for a while that could not be reached several times in a row.

Only that counts: nothing was sent then, and no caller can bring it about for others, as with requests that a service
refuses or deadlines that are too short. Whether it is back is found out by the next caller's own call, sent once like
any other; nothing is sent to find out. A call is that one from when the service is asked, not before: what is refused
first takes it from nobody, and what ends without having found out leaves it to the next.
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
    """What is behind a breaker."""

    name: str

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """See Upstream."""

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """See Upstream."""

    async def close(self) -> None:
        """See Upstream."""


class Breaker:
    """An Upstream. most: failures in a row; pause_s: for how long it is then left alone."""

    def __init__(self, service: Service, most: int, pause_s: float) -> None:
        self.name = service.name
        self._service = service
        self._most, self._pause_s = most, pause_s
        self._failures = 0
        self._until = 0.0

    def check(self) -> None:
        """Raise GatewayError(UPSTREAM_UNAVAILABLE) while it is left alone. Only looks: the call may yet be refused."""
        now = time.monotonic()
        if self._failures >= self._most and now < self._until:
            raise GatewayError(
                Reason.UPSTREAM_UNAVAILABLE,
                "the model's service could not be reached several times; nothing was sent",
                detail=f"{self.name} is left alone",
                again_s=math.ceil(self._until - now),
            )

    def reached(self) -> None:
        """It is there, whatever the answer will be and however long it takes: nobody has to wait for that."""
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
        """One call. After a pause it is the one that finds out; whoever comes later is refused with nothing sent."""
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
        """Whether an end says if the service is there; what its caller brought about does not."""
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
