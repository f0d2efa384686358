"""When each detector last answered: a safeguard is live because it was seen to work, not because somebody says so.

Every answer counts, to a call or to a text that is read at intervals, so that a gateway without calls is measured too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from gateway.types import Reading, Standing, Standings

log = structlog.get_logger()

PROBE: Final = "Order spare parts for the trucks of the second battalion, and plan the convoy for Monday."
"""What is read at intervals. English, so that every detector has an answer to it."""

_OFTEN: Final = 3
"""How many times it is read in the time that an answer counts: two may be lost to a busy moment."""

Read = Callable[[Iterable[str]], Awaitable[tuple[Reading, ...]]]


class Liveness:
    """live_s: for how long an answer counts. now: seconds of a clock that nobody sets."""

    def __init__(self, live_s: float = 60, now: Callable[[], float] = time.monotonic) -> None:
        self._live_s = live_s
        self._now = now
        self._answered: dict[str, float | None] = {}

    def watch(self, *names: str) -> None:
        """Ask for these detectors: each is one that never answered until it does."""
        for name in names:
            self._answered.setdefault(name, None)

    def answered(self, name: str) -> None:
        """This detector had an answer just now."""
        self._answered[name] = self._now()

    def standings(self) -> Standings:
        """How each detector stands, in alphabetical order."""
        oldest = self._now() - self._live_s
        return tuple((name, _standing(at, oldest)) for name, at in sorted(self._answered.items()))

    @property
    def live(self) -> bool:
        """Whether every detector is: without one of them no call is permitted."""
        return all(standing is Standing.LIVE for _, standing in self.standings())

    async def beat(self, read: Read) -> None:
        """Have the text read at intervals, until cancelled: not for what a detector says of it, but that it does."""
        before: Standings = self.standings()
        while True:
            await asyncio.sleep(self._live_s / _OFTEN)
            await read([PROBE])
            if (after := self.standings()) != before:
                log.warning("detectors", standings=dict(after))
            before = after


def _standing(answered: float | None, oldest: float) -> Standing:
    if answered is None:
        return Standing.NEVER
    return Standing.LIVE if answered >= oldest else Standing.STALE
