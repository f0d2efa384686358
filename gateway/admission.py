"""Decides whether calls arrive faster than the gateway takes them, and if so which to refuse, before authentication.

gRPC for Python (1.85.1) takes calls one at a time, and runs the steps of calls already taken in between. The other
calls wait inside gRPC, in order of arrival whoever sent them, where no limit of the gateway can see them. The gateway
measures how long they wait with a call of its own (`gateway.queue_probe`). If calls wait too long, the gateway refuses
calls as soon as it takes them, which is cheap, until the queue is short again. It refuses callers that send most first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from types import TracebackType
from typing import Final

from gateway.fair_queue import BURST

WINDOW_S: Final = 0.2
"""Length of a counting window in seconds. Calls are counted per lane."""
FAR_S: Final = 0.5
"""The queue is far too long if calls wait longer than this and longer than twice the permitted wait. Seconds."""
OFTEN_S, SELDOM_S = 0.01, 0.1
"""Seconds between two probes: while calls are refused, and while they are not."""
STALL_S: Final = 0.05
"""Seconds. Time beyond this between two looks means that the process stood still, and does not count as waiting."""
LEAST: Final = 8
"""Calls per window for which room is always assumed, however many are refused."""
ALONE: Final = 1
"""With at most this many calls in progress, no call waits for another."""


class Admission:
    """Counts the calls of one port. Enter it for each call that is taken; leave it when the call is over.

    probe: makes a call of the gateway's own and returns when that ends; False if the call was not taken. patience_s:
    how long a call may wait to be taken under steady load; ten times as long in a burst. clock: seconds.
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
        """Whether to refuse this call, which was just taken. lane: whom the call seems to come from (see glossary).

        While the queue is too long, refuses lanes that send at least half as much as the lane that sends most. While it
        is far too long, refuses every lane that reaches its fair share of the room. The room is what was admitted in
        the last window, or half the previous room if that is more: refused calls don't show how much room there was.
        """
        self._last = self._clock()
        if self._watching is None and self._inside > ALONE:
            self._calm = self._last  # as far as is known, no call has been waiting
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
        """Stop probing and refusing."""
        if (watching := self._watching) is not None:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self) -> None:
        """Probe while calls arrive."""
        try:
            while self._long or self._clock() - self._last < WINDOW_S:
                await self._measure()
                await asyncio.sleep(OFTEN_S if self._long else min(SELDOM_S, self._patience_s))
        finally:
            self._watching, self._long = None, False

    async def _measure(self) -> None:
        """Measure how long a call waits now."""
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
        """Note that a call waits at least this long to be taken."""
        now = self._clock()
        if wait_s > self._patience_s:
            self._crowded = now
        elif now - self._crowded > self._burst_s:
            self._calm = now
        limit_s = self._patience_s if now - self._calm > self._burst_s else self._burst_s
        self._long, self._far_too_long = wait_s > limit_s, wait_s > max(2 * limit_s, FAR_S)

    def _count(self) -> None:
        """Start a new counting window if the current one is over."""
        now = self._clock()
        if now - self._began > WINDOW_S:
            self._room = max(self._admitted, self._room // 2, LEAST)
            self._share = fair(self._asked.values(), self._room)
            self._most = max(self._asked.values(), default=float("inf"))
            self._asked_before, self._asked = self._asked, Counter()
            self._began, self._admitted = now, 0


def fair(asked: Iterable[int], taken: int) -> float:
    """The max-min fair share: together the lanes have `taken`, and lanes that ask for less get all they ask for.

    If every demand fits, the largest demand. If there is no demand, infinity.
    """
    left, wants = taken, sorted(asked)
    for place, want in enumerate(wants):
        share = left / (len(wants) - place)
        if want > share:
            return share
        left -= want
    return wants[-1] if wants else float("inf")
