"""Bounds how many calls are decided at once. Tenants with waiting calls take turns.

A call enters the queue once its tenant is authenticated and its message is read, and gives its turn back before
anything waits for a model. In a burst, calls wait. If the queue has not been empty for a while, waiting does not help:
calls are then refused soon, so that admitted calls stay fast. A call whose deadline passes in the queue is never
decided, hence never forwarded.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final

from gateway.errors import GatewayError, Reason

BURST: Final = 10
"""In a burst, a call may wait this many times longer. A burst lasts as long: then the queue counts as standing."""
AGAIN_S: Final = 1


class FairQueue:
    """most: calls that are decided at once. each: calls of one tenant among them; None for all. patience_s: how long a
    call waits for its turn under steady load.
    """

    def __init__(self, most: int, patience_s: float, *, each: int | None = None) -> None:
        self._free = most
        self._each = most if each is None else each
        self._patience_s = patience_s
        self._had = Counter[str]()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """Waiting calls by tenant. The tenant whose turn is next comes first. No deque is empty."""
        self._since = 0.0
        """Since when the queue has not been empty, in the loop's time."""

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, tenant: str) -> None:
        """Wait for this call's turn; end it with `give_back`. Raises GatewayError(OVERLOADED)."""
        if self._may(tenant):
            self._give(tenant)
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = loop.time()
        standing = loop.time() - self._since > BURST * self._patience_s
        turn = loop.create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        taken = False
        try:
            async with asyncio.timeout(self._patience_s if standing else BURST * self._patience_s):
                await turn
                taken = True
        except TimeoutError:
            raise GatewayError(
                Reason.OVERLOADED, "too many calls are waiting; try again in a moment", again_s=AGAIN_S
            ) from None
        finally:
            if not taken:
                self._leave(tenant, turn)

    def give_back(self, tenant: str) -> None:
        """End a turn of the tenant, and give turns to waiting calls."""
        self._free += 1
        self._had[tenant] -= 1
        if not self._had[tenant]:
            del self._had[tenant]
        while following := next(filter(self._may, self._waiting), None):
            queue = self._waiting.pop(following)
            turn = queue.popleft()
            if queue:
                self._waiting[following] = queue  # moves behind all other tenants
            if not turn.done():
                self._give(following)
                turn.set_result(None)

    def _may(self, tenant: str) -> bool:
        return self._free > 0 and self._had[tenant] < self._each

    def _give(self, tenant: str) -> None:
        self._free -= 1
        self._had[tenant] += 1

    def _leave(self, tenant: str, turn: asyncio.Future[None]) -> None:
        """Remove a call that stops waiting: out of patience, past its deadline or cancelled."""
        if turn.done() and not turn.cancelled():
            self.give_back(tenant)  # it got its turn at the same moment
            return
        queue = self._waiting.get(tenant, deque())
        if turn in queue:  # otherwise `give_back` has already skipped the cancelled turn
            queue.remove(turn)
            if not queue:
                del self._waiting[tenant]
