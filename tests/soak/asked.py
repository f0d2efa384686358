"""What a soak asks: a seeded mix of every sort of call at a steady rate, and what its clients saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from brightline import Answer, Ask, AsyncClient, BrightlineError, Started
from tests.faults.load import Saw, Seen, call
from tests.support.gateways import HARMLESS

CALLERS: Final = 12
MIX: Final = {
    "generate": 30,
    "stream": 20,
    "refused": 20,
    "check": 8,
    "cancelled": 12,
    "late": 4,
    "slow": 2,
    "again": 4,
}
"""Of a hundred calls. late: with less time than it takes. again: with an idempotency key that was sent before."""
_WORDS: Final = "trucks leave the depot before noon and come back empty after dark, " * 300
_PAUSE_S: Final = 0.3
_SLOW_S: Final = 2.0


class Callers:
    """Clients that ask until they are told to stop. seen: every call, in the order in which they ended."""

    def __init__(self, seed: str, rate: int) -> None:
        self.seen: list[Seen] = []
        self._seed, self._rate = seed, rate
        self._number = 0

    async def ask(self, made: Callable[[], AsyncClient], stop: asyncio.Event) -> None:
        """Ask a gateway on connections of their own. Each call ends by itself; nothing is cut off at the end."""
        await asyncio.gather(*(self._caller(number, made(), stop) for number in range(CALLERS)))

    async def answered(self, client: AsyncClient, seconds: float) -> bool:
        """Whether a call is answered within that time, asked again and again."""
        give_up = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < give_up:
            self.seen.append(await call(client, "generate", self._key("probe")))
            if self.seen[-1].saw is Saw.ANSWERED:
                return True
            await asyncio.sleep(0.02)
        return False

    async def _caller(self, number: int, client: AsyncClient, stop: asyncio.Event) -> None:
        random = Random(f"{self._seed}/{number}")  # noqa: S311 - not a secret, but repeatable
        while not stop.is_set():
            await asyncio.sleep(random.uniform(0, 2 * CALLERS / self._rate))
            (sort,) = random.choices(list(MIX), list(MIX.values()))
            key = random.choice(self.seen).key if sort == "again" and self.seen else self._key(str(number))
            if sort == "slow":
                self.seen.append(await slowly(client, key, random.uniform(0, _SLOW_S)))
            else:
                patience_s = random.uniform(0, _PAUSE_S) if sort in {"cancelled", "late"} else None
                self.seen.append(await call(client, sort, key, patience_s))

    def _key(self, of: str) -> str:
        self._number += 1
        return f"{self._seed}-{of}-{self._number}"


async def slowly(client: AsyncClient, key: str, pause_s: float) -> Seen:
    """A long stream whose reader takes its time after each of the first pieces."""
    seen = Seen("slow", key, Saw.NOTHING)
    use = replace(HARMLESS, idempotency_key=key)
    ask: Ask = {"model": "loopback", "prompt": f"loopback: say {_WORDS}", "max_tokens": 10_000, "use": use}
    try:
        async with client.stream(**ask) as events:
            pauses = 4
            async for event in events:
                if isinstance(event, Started):
                    seen = replace(seen, saw=Saw.STARTED, decision_id=event.decision_id)
                elif isinstance(event, Answer):
                    return replace(seen, saw=Saw.ANSWERED)
                if pauses:
                    pauses -= 1
                    await asyncio.sleep(pause_s / 4)
    except BrightlineError as error:
        if error.decision_id:
            return Seen("slow", key, Saw.REFUSED, error.decision_id, error.reason)
    return seen
