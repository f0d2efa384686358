"""A small load of every sort of call, and what its client saw: the other half of the evidence after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from brightline import Answer, Ask, AsyncClient, BrightlineError, Started
from tests.support.gateways import HARMLESS

CALLERS = 8
SORTS = ("generate", "generate", "stream", "stream", "refused", "check", "cancelled")
WORDS = "trucks leave the depot before noon and come back empty after dark, "


class Saw(Enum):
    """What a client knows of its call."""

    NOTHING = "the connection broke, or the client went away first"
    STARTED = "a stream began and did not end"
    ANSWERED = "the whole answer"
    REFUSED = "a refusal"


@dataclass(frozen=True)
class Seen:
    """One call and what its client saw. decision_id: empty when it was told none."""

    sort: str
    key: str
    saw: Saw
    decision_id: str = ""
    reason: str = ""


async def load(client: AsyncClient, seed: str, gone: Callable[[], bool]) -> list[Seen]:
    """Concurrent calls until the gateway is gone, each with a key of its own. The same seed asks the same."""
    seen: list[Seen] = []

    async def caller(number: int) -> None:
        random, calls = Random(f"{seed}/{number}"), 0  # noqa: S311 - not a secret, but repeatable
        while not gone():
            calls += 1
            sort, key = random.choice(SORTS), f"{number}-{calls}"
            patience_s = random.uniform(0, 0.05) if sort == "cancelled" else None
            seen.append(await call(client, sort, key, patience_s))
            if seen[-1].saw is Saw.NOTHING:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return seen


async def call(client: AsyncClient, sort: str, key: str, patience_s: float | None = None) -> Seen:
    """One call. patience_s: how long until the client goes away, or of a late one until its deadline."""
    seen = Seen(sort, key, Saw.NOTHING)
    late_s = patience_s if sort == "late" else None
    try:
        async with asyncio.timeout(None if late_s else patience_s):
            match sort:
                case "stream":
                    async for event in client.stream(**_ask(sort, key)):
                        if isinstance(event, Started):
                            seen = Seen(sort, key, Saw.STARTED, event.decision_id)
                        elif isinstance(event, Answer):
                            seen = Seen(sort, key, Saw.ANSWERED, event.decision_id)
                    return seen
                case "check":
                    return Seen(sort, key, Saw.ANSWERED, (await client.check(**_ask(sort, key))).decision_id)
                case _:
                    answer = await client.generate(**_ask(sort, key), timeout_s=late_s)
                    return Seen(sort, key, Saw.ANSWERED, answer.decision_id)
    except TimeoutError:
        return seen
    except BrightlineError as error:
        return Seen(sort, key, Saw.REFUSED, error.decision_id, error.reason) if error.decision_id else seen


def _ask(sort: str, key: str) -> Ask:
    """Answers take a few milliseconds, in several pieces; those that are cancelled take longer."""
    use = replace(HARMLESS, idempotency_key=key)
    if sort == "refused":
        use = replace(use, purpose="weapon_engagement", autonomy="autonomous")
    wait_ms = 50 if sort in {"cancelled", "late"} else 5
    prompt = "\n".join(f"loopback: say {WORDS * 3}\nloopback: wait {wait_ms}" for _ in range(3))
    return {"model": "loopback", "prompt": prompt, "max_tokens": 500, "use": use}
