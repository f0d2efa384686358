"""Leaves a model's service alone for a while that could not be reached several times in a row.

Only that counts: nothing was sent then, and no caller can bring it about for others, as with requests that a service
refuses or deadlines that are too short. Whether it is back is found out by the next caller's own call, sent once like
any other; nothing is sent to find out.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
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
        """Raise GatewayError(UPSTREAM_UNAVAILABLE) while it is left alone. Then one caller at a time finds out."""
        if self._failures < self._most:
            return
        now = time.monotonic()
        if now < self._until:
            raise GatewayError(
                Reason.UPSTREAM_UNAVAILABLE,
                "the model's service could not be reached several times; nothing was sent",
                detail=f"{self.name} is left alone",
                again_s=math.ceil(self._until - now),
            )
        self._until = now + self._pause_s

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """See Upstream."""
        try:
            completion = await self._service.generate(permitted, deadline_s)
        except GatewayError as error:
            self._ended(error)
            raise
        self._failures = 0
        return completion

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """See Upstream."""
        return self._watched(self._service.stream(permitted, deadline_s))

    async def close(self) -> None:
        """See Upstream."""
        await self._service.close()

    async def _watched(self, stream: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        async with aclosing(stream) as chunks:
            try:
                async for chunk in chunks:
                    self._failures = 0
                    yield chunk
            except GatewayError as error:
                self._ended(error)
                raise

    def _ended(self, error: GatewayError) -> None:
        if error.reason is not Reason.UPSTREAM_UNAVAILABLE:
            self._failures = 0 if error.reason is Reason.UPSTREAM_FAILED else self._failures
            return
        self._failures += 1
        if self._failures >= self._most:
            self._until = time.monotonic() + self._pause_s
            log.error("upstream left alone", upstream=self.name, seconds=self._pause_s)
