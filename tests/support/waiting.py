"""Waits for conditions, and never for a fixed time that should be enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.clock import Clock, monotonic_us, system_us


def wait_for(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Return once the condition holds. Fails the test if it does not in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.01)


async def until(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Return once the condition holds. Fails the test if it does not in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        await asyncio.sleep(0.005)  # between two checks of the condition


class Passing:
    """A clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.by_us = 0
        began_us, steady_us = system_us(), monotonic_us()
        self.clock = Clock(lambda: began_us + self.by_us, lambda: steady_us + self.by_us)
