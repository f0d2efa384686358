"""Whose turn it is to be decided: a bounded number of calls at once, and of those that wait the tenants take turns.

A call waits here once its tenant is proved and its message is read, and gives its turn up before anything waits for a
model. A burst is waited out. But where somebody has been waiting all the time, waiting is of no use any more: then a
call is refused soon, so that those that are admitted stay fast. A call whose own time is over while it waits is never
decided, hence never forwarded.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final

from gateway.errors import GatewayError, Reason

BURST: Final = 10
"""How many times as long as usual a call may wait while the queue was empty within that time."""
AGAIN_S: Final = 1


class FairQueue:
    """most: calls that are decided at once; each: of one tenant, all if it is None. patience_s: how long a call waits
    for its turn under steady load.
    """

    def __init__(self, most: int, patience_s: float, *, each: int | None = None) -> None:
        self._free = most
        self._each = most if each is None else each
        self._patience_s = patience_s
        self._had = Counter[str]()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """By tenant, the one whose turn it is next first; none that is empty."""
        self._since = 0.0
        """Since when somebody has been waiting, by the loop's clock."""

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, tenant: str) -> None:
        """Return when it is this call's turn, which it has to give back. Raises GatewayError(OVERLOADED)."""
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
        """A call of the tenant is decided; the next one has its turn."""
        self._free += 1
        self._had[tenant] -= 1
        if not self._had[tenant]:
            del self._had[tenant]
        while following := next(filter(self._may, self._waiting), None):
            queue = self._waiting.pop(following)
            turn = queue.popleft()
            if queue:
                self._waiting[following] = queue  # behind all other tenants
            if not turn.done():
                self._give(following)
                turn.set_result(None)

    def _may(self, tenant: str) -> bool:
        return self._free > 0 and self._had[tenant] < self._each

    def _give(self, tenant: str) -> None:
        self._free -= 1
        self._had[tenant] += 1

    def _leave(self, tenant: str, turn: asyncio.Future[None]) -> None:
        """A call waits no more: for its patience, its deadline or its caller."""
        if turn.done() and not turn.cancelled():
            self.give_back(tenant)  # its turn came at the same moment
            return
        queue = self._waiting.get(tenant, deque())
        if turn in queue:  # else it was passed over while this call had not yet noticed
            queue.remove(turn)
            if not queue:
                del self._waiting[tenant]
