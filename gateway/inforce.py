"""What is in force: a release with everything that was made from it, for the calls that it decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Self

from gateway import facts
from gateway.errors import GatewayError, Reason
from gateway.pdp import Engine
from gateway.release import State
from gateway.types import Release

MISSING: Final = 5
"""So many answers in a row, over four seconds or more: the engine is away."""


@dataclass(slots=True, eq=False)
class InForce:
    """A call is decided by one of these from start to end, and holds it for as long (`with`): it stays open until then.

    expires_us: when what was signed expires; renewed while calls go on. None for a release that nobody signed.
    since_us: since when it is in force, as the log has it. state: what tells it from the next at its
    source. handed: what each worker gets of it, now or when it begins; empty where there are none. missing: how many
    answers of its engine in a row, when health last asked.
    """

    release: Release
    attributes: facts.Attributes
    engine: Engine
    state: State = ()
    expires_us: int | None = field(init=False)
    since_us: int = field(default=0, init=False)
    handed: bytes = field(default=b"", init=False)
    missing: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)
    _idle: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._idle.set()
        self.expires_us = self.release.expires_us

    @property
    def answers(self) -> bool:
        """Whether its engine does: a busy machine is late a few times in a row, what is away misses every answer."""
        return self.missing < MISSING

    def expired(self, now_us: int) -> bool:
        """Whether the signatures that put it in force are too old to be believed."""
        return self.expires_us is not None and now_us >= self.expires_us

    def check(self, now_us: int) -> None:
        """Raise GatewayError (POLICY_UNAVAILABLE) once it has expired: nothing is decided by it any more."""
        if self.expired(now_us):
            raise GatewayError(
                Reason.POLICY_UNAVAILABLE,
                "the release in force has expired; whoever signs releases has to renew it",
                detail=f"expired at {self.expires_us} microseconds since 1970",
            )

    def check_pinned(self, digest: str) -> None:
        """Raise GatewayError (RELEASE_NOT_IN_FORCE) when a call wants another release to decide it; empty for any.

        The call holds this one to its end: what is in force is looked at once, as the call arrives.
        """
        if digest and digest != self.release.digest:
            raise GatewayError(
                Reason.RELEASE_NOT_IN_FORCE,
                "another release is in force than the one that the call names; look at what changed, then name it",
                field="release",
            )

    def __enter__(self) -> Self:
        self._calls += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    async def retire(self) -> None:
        """Close the engine once the last call is over, or now when cancelled. No new call may come here."""
        try:
            await self._idle.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the engine, once."""
        if not self._closed:
            self._closed = True
            await self.engine.close()
