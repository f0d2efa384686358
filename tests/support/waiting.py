"""Waiting for what will be so: never for a time that should be enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.clock import Clock, monotonic_us, system_us


def wait_for(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Return once the condition holds; fails the test when it doesn't in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.01)


async def until(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Return once the condition holds; fails the test when it doesn't in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        await asyncio.sleep(0.005)  # between two looks at the condition


class Passing:
    """Time that stands still until a test lets some pass."""

    def __init__(self) -> None:
        self.by_us = 0
        began_us, steady_us = system_us(), monotonic_us()
        self.clock = Clock(lambda: began_us + self.by_us, lambda: steady_us + self.by_us)
