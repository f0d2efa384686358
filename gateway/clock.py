"""The wall clock, and a check whether it can be trusted. Ground floor.

Expiry of tokens, authorities and approvals is judged by wall time. If the wall clock drifts from the monotonic clock,
somebody set it while the gateway ran. Every call is then refused until the clocks agree again or the gateway restarts.
A worker compares with the offset that its keeper started with.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import GatewayError, Reason

TOLERANCE_US = 5_000_000
"""Microseconds that wall and monotonic time may drift apart. Corrections by NTP stay far below this."""


def system_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def monotonic_us() -> int:
    """Microseconds of the monotonic clock, which nobody can set."""
    return time.monotonic_ns() // 1000


class Clock:
    """A wall clock in microseconds since 1970 UTC, with a check. wall, monotonic: time sources, replaced by tests.

    apart_us: wall minus monotonic time when the keeper started, for a worker; by default their difference now.
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
        """Whether the wall clock still agrees with the monotonic clock."""
        return abs(self.drift_us()) <= TOLERANCE_US

    def check(self) -> None:
        """Raise GatewayError(CLOCK_UNTRUSTED) if the wall clock was set while the gateway ran."""
        if not self.trusted:
            raise GatewayError(
                Reason.CLOCK_UNTRUSTED,
                "the gateway's clock was set while it ran, so no expiry can be judged",
                detail=f"wall clock moved by {self.drift_us()} microseconds against the monotonic clock",
            )
