"""The wall clock, and whether it can be believed. Ground floor.

Expiry of tokens, authorities and approvals is judged by wall time. A wall clock that parts from the monotonic clock was
set by somebody while the gateway ran: until it agrees again, or the gateway is restarted, every call is refused. A
worker compares with what its keeper began with.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import GatewayError, Reason

TOLERANCE_US = 5_000_000
"""How far wall and monotonic time may part: a correction by NTP stays far below it."""


def system_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def monotonic_us() -> int:
    """Microseconds of a clock that nobody can set."""
    return time.monotonic_ns() // 1000


class Clock:
    """A wall clock in microseconds since 1970 UTC, with a check. wall, monotonic: sources, given by tests.

    apart_us: how far they are apart, for a process of a gateway that began before it; else as they are now.
    """

    def __init__(
        self,
        wall: Callable[[], int] = system_us,
        monotonic: Callable[[], int] = monotonic_us,
        *,
        apart_us: int | None = None,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self.apart_us = wall() - monotonic() if apart_us is None else apart_us

    def __call__(self) -> int:
        """Microseconds since 1970 UTC."""
        return self._wall()

    def drift_us(self) -> int:
        """How far the wall clock moved against the monotonic clock since the start."""
        return self._wall() - self._monotonic() - self.apart_us

    @property
    def trusted(self) -> bool:
        """Whether the wall clock is where it was left."""
        return abs(self.drift_us()) <= TOLERANCE_US

    def check(self) -> None:
        """Raise GatewayError(CLOCK_UNTRUSTED) when the wall clock was set while the gateway ran."""
        if not self.trusted:
            raise GatewayError(
                Reason.CLOCK_UNTRUSTED,
                "the gateway's clock was set while it ran, so no expiry can be judged",
                detail=f"wall clock moved by {self.drift_us()} microseconds against the monotonic clock",
            )
