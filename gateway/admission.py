"""Whether calls come faster than they are taken, and whose are refused then, before anybody is proved.

gRPC for Python (1.85.1) takes one call after the other, and between two of them the steps of those that it has taken.
The others wait inside gRPC: in the order in which they came, whoever asks more, where no limit of ours sees them. How
long, the gateway finds out by a call of its own (`gateway.queue_probe`). When that is too long, calls are refused as
soon as they are taken, which is cheap, until the line is short again: first those of whoever asks most.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from types import TracebackType
from typing import Final

from gateway.fair_queue import BURST

WINDOW_S: Final = 0.2
"""For how long calls are counted by whose they are."""
FAR_S: Final = 0.5
"""A line in which calls wait longer than this, and longer than twice what they may, is far too long."""
OFTEN_S, SELDOM_S = 0.01, 0.1
"""The time between two probes, while calls are refused and while they are not."""
STALL_S: Final = 0.05
"""What is beyond this between two looks, the process stood still: no line is as long as that, and it ends at once."""
LEAST: Final = 8
"""Calls that there is room for in the time of a count, however many are refused."""
ALONE: Final = 1
"""A call that no other is beside waits for nothing."""


class Admission:
    """The calls that come to one port. Entered with each call that is taken, left when that is over.

    probe: a call of the gateway's own; returns when it is over, and False when it was not taken. patience_s: how long a
    call may wait to be taken under steady load; in a burst ten times that. clock: seconds.
    """

    def __init__(self, probe: Callable[[], Awaitable[bool]], patience_s: float, clock: Callable[[], float]) -> None:
        self._probe = probe
        self._patience_s = patience_s
        self._burst_s = BURST * patience_s
        self._clock = clock
        self._inside = 0
        self._watching: asyncio.Task[None] | None = None
        self._long = self._far_too_long = False
        self._crowded = self._calm = self._last = clock()
        self._began, self._admitted = clock(), 0
        self._asked, self._asked_before = Counter[Hashable](), Counter[Hashable]()
        self._room = 0
        self._share = self._most = float("inf")

    def __enter__(self) -> None:
        self._inside += 1

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._inside -= 1

    def refuses(self, lane: Hashable) -> bool:
        """Whether this call, which was just taken, is one too many. lane: whose it seems to be.

        While the line is too long, nobody's is taken who asks for at least half as much as whoever asks most. When it
        gets longer all the same, nobody's who asks for his fair share or more of what there is room for: that is what
        was taken last, or half of what there was room for before, since what is refused says nothing of it.
        """
        self._last = self._clock()
        if self._watching is None and self._inside > ALONE:
            self._calm = self._last  # nobody has been waiting, for all that is known
            self._watching = asyncio.create_task(self._watch())
        self._count()
        self._asked[lane] += 1
        if self._long:
            too_much = self._share if self._far_too_long else max(self._share, self._most / 2)
            if max(self._asked[lane], self._asked_before[lane]) >= too_much:
                return True
        self._admitted += 1
        return False

    async def close(self) -> None:
        """Refuse and probe no more."""
        if (watching := self._watching) is not None:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self) -> None:
        """Probe while calls come."""
        try:
            while self._long or self._clock() - self._last < WINDOW_S:
                await self._measure()
                await asyncio.sleep(OFTEN_S if self._long else min(SELDOM_S, self._patience_s))
        finally:
            self._watching, self._long = None, False

    async def _measure(self) -> None:
        """How long a call waits now."""
        waited_s, looked, probing = 0.0, self._clock(), asyncio.ensure_future(self._probe())
        try:
            while not probing.done():
                await asyncio.wait({probing}, timeout=OFTEN_S)
                now = self._clock()
                waited_s, looked = waited_s + min(now - looked, STALL_S), now
                if waited_s > self._patience_s:
                    self._waits(waited_s)
        finally:
            probing.cancel()
        self._waits(waited_s if probing.result() else float("inf"))

    def _waits(self, wait_s: float) -> None:
        """A call waits that long to be taken, or longer."""
        now = self._clock()
        if wait_s > self._patience_s:
            self._crowded = now
        elif now - self._crowded > self._burst_s:
            self._calm = now
        limit_s = self._patience_s if now - self._calm > self._burst_s else self._burst_s
        self._long, self._far_too_long = wait_s > limit_s, wait_s > max(2 * limit_s, FAR_S)

    def _count(self) -> None:
        """Begin to count again when the time for that has come."""
        now = self._clock()
        if now - self._began > WINDOW_S:
            self._room = max(self._admitted, self._room // 2, LEAST)
            self._share = fair(self._asked.values(), self._room)
            self._most = max(self._asked.values(), default=float("inf"))
            self._asked_before, self._asked = self._asked, Counter()
            self._began, self._admitted = now, 0


def fair(asked: Iterable[int], taken: int) -> float:
    """The most that each may have, so that together they have what was taken, and who asks for less gets all of it.

    That is max-min fairness. Where everybody got everything, it is the most that anybody asked for.
    Where nobody asked, nothing is too much.
    """
    left, wants = taken, sorted(asked)
    for place, want in enumerate(wants):
        share = left / (len(wants) - place)
        if want > share:
            return share
        left -= want
    return wants[-1] if wants else float("inf")
