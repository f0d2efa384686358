"""What is in force: a release, and everything made from it, for the calls that it decides."""

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
"""After this many missing answers in a row, over four seconds or more, the engine counts as unavailable."""

FOLLOW_US: Final = 5_000_000
"""Microseconds that a call may still be permitted by the release before: it arrived earlier, or its worker is late."""


@dataclass(slots=True, eq=False)
class InForce:
    """A release in force with its engine. A call holds it (`with`) from start to end, which keeps the engine open.

    expires_us: when the signatures expire; renewed while the gateway serves. None for an unsigned release. since_us:
    since when it is in force, according to the log. state: tells it from the next release at its source. handed: the
    bytes that each worker gets; empty without workers. before: the digest of the release that it replaced. missing: the
    engine's missing answers in a row to health checks.
    """

    release: Release
    attributes: facts.Attributes
    engine: Engine
    state: State = ()
    expires_us: int | None = field(init=False)
    since_us: int = field(default=0, init=False)
    handed: bytes = field(default=b"", init=False)
    before: str = field(default="", init=False)
    missing: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)
    _idle: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._idle.set()
        self.expires_us = self.release.expires_us

    @property
    def answers(self) -> bool:
        """Whether the engine is available. On a busy machine a few answers in a row may be late."""
        return self.missing < MISSING

    def expired(self, now_us: int) -> bool:
        """Whether the signatures that put it in force have expired."""
        return self.expires_us is not None and now_us >= self.expires_us

    def decides(self, digest: str, now_us: int) -> bool:
        """Whether a release may permit a call now: it is this one, or the one that this one replaced a moment ago."""
        return digest == self.release.digest or (digest == self.before and now_us - self.since_us <= FOLLOW_US)

    def check(self, now_us: int) -> None:
        """Raise GatewayError (POLICY_UNAVAILABLE) if it has expired: an expired release decides nothing."""
        if self.expired(now_us):
            raise GatewayError(
                Reason.POLICY_UNAVAILABLE,
                "the release in force has expired; whoever signs releases has to renew it",
                detail=f"expired at {self.expires_us} microseconds since 1970",
            )

    def check_pinned(self, digest: str) -> None:
        """Raise GatewayError (RELEASE_NOT_IN_FORCE) if the call names another release. Empty names none.

        This is checked once, as the call arrives: the call holds this release to its end.
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
        """Close the engine after the last call, or at once when cancelled. No new call may hold this release."""
        try:
            await self._idle.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the engine, once."""
        if not self._closed:
            self._closed = True
            await self.engine.close()
