"""Puts a release in force, completely or not at all: at start, and later in place of another release.

1 load: verify the signatures of every file, and the pinned release if one is pinned
2 prepare what calls need: attributes, an engine, and an upstream for every model
3 test the engine: it answers with this release's policy, permits nothing without facts, and passes the self-test
4 record the activation durably before the release decides anything; the log refuses a release older than the newest
  one that it remembers
5 swap: the new release decides every later call from start to end; calls in flight keep the release they began with,
  unless their message arrives late (authentication.hear)
6 close the old engine after its last call
If a step before 5 fails, the current release stays in force and a record says why.
While the gateway serves, a separate process does step 1, compilation in step 2, and the self-test in step 3
(loader_client.py), so the gateway itself is busy only for a moment. A worker gets the result of that process from its
keeper (worker.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway import compiled_release, loader_client
from gateway.compiled_release import CompiledRelease, Same
from gateway.config import Config
from gateway.errors import GatewayError, StartError
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.preparing import ask, lean, prepare

log = structlog.get_logger()

EXPIRED = "the release in force has expired; every call is refused until it is renewed"


@dataclass(slots=True)
class Activation:
    """Replaces what is in force. load: does step 1; tried: number of reloads; trouble: why the last try was refused."""

    config: Config
    gate: Gate
    load: Callable[[Config, InForce], Awaitable[CompiledRelease | Same]] = loader_client.load
    tried: int = 0
    trouble: str = ""
    _expired: bool = False
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)

    async def whenever(self, wanted: asyncio.Event, told: Callable[[Activation], Awaitable[None]]) -> None:
        """Reload each time `wanted` is set, and refresh a signed release at intervals, until cancelled.

        If `wanted` is set several times during a reload, one reload follows.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await wanted.wait()
            if wanted.is_set():
                wanted.clear()
                await self.reload()
                await told(self)
            else:
                await self.refresh()
            await self._watch()

    async def reload(self) -> None:
        """Put the release that the source has now in force, or record why not."""
        await self._try(again=True)
        self.tried += 1

    async def refresh(self) -> None:
        """As `reload`, unprompted: a refusal with the same reason as the last one is not recorded again."""
        await self._try(again=False)

    async def _try(self, *, again: bool) -> None:
        before, trouble, self.trouble = self.gate.in_force, self.trouble, ""
        try:
            await self._replace(before)
        except Exception as error:  # noqa: BLE001 - after any failure the current release stays in force
            expected = isinstance(error, StartError | GatewayError)
            self.trouble = str(error) if expected else f"the gateway failed: {type(error).__name__}"
            if again or self.trouble != trouble:
                await self._refused(before, None if expected else error)

    async def _refused(self, stays: InForce, unexpected: Exception | None) -> None:
        log.error("release refused", why=self.trouble, stays=stays.release.digest, exc_info=unexpected)
        await self._record(stays, self.trouble)

    async def _replace(self, before: InForce) -> None:
        found = await self.load(self.config, before)  # 1
        if isinstance(found, Same):
            before.expires_us, before.state = found.expires_us, found.state
            log.info("release unchanged", release=before.release.digest)
            return
        loaded = found.release
        fresh = await prepare(self.config, loaded, found.code, found.state)  # 2
        try:
            await ask(fresh)  # 3
            fresh = lean(fresh)
            # Crash here: the record names a release that decided nothing. The next start records the release it loads.
            await self.gate.log.activated(fresh.release, fresh.engine.name, fresh.engine.version, before.release)  # 4
        except BaseException:
            await fresh.close()
            raise
        fresh.since_us, fresh.before = self.gate.log.since_us, before.release.digest
        if found.raw and self.config.listener.workers > 1:  # what has been tested is handed on without its self-test
            fresh.handed = found.raw if found.code else compiled_release.whole(fresh.release, b"", found.state)
        self.gate.in_force = fresh  # 5
        log.info("release in force", release=loaded.digest, before=before.release.digest, signers=loaded.signers)
        retiring = asyncio.create_task(before.retire())  # 6
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _watch(self) -> None:
        """Warn before the release in force expires. Record its expiry once; from then on calls are refused."""
        now, expires = self.gate.clock(), self.gate.in_force.expires_us
        expired = self.gate.in_force.expired(now)
        if expired and not self._expired:
            log.error("release expired", release=self.gate.in_force.release.digest)
            await self._record(self.gate.in_force, EXPIRED)
        elif not expired and expires is not None and expires - now < self.config.release.warn_before_s * 1_000_000:
            log.warning("release expires soon", seconds=(expires - now) // 1_000_000)
        self._expired = expired

    def _pause_s(self) -> float | None:
        """Seconds until the next look at the source or the expiry of the release; None for an unsigned release."""
        if not self.config.release.signed:
            return None
        expires = self.gate.in_force.expires_us
        left = self.config.release.refresh_s if expires is None else (expires - self.gate.clock()) / 1_000_000
        return min(self.config.release.refresh_s, left) if left > 0 else self.config.release.refresh_s

    async def _record(self, stays: InForce, why: str) -> None:
        await self.gate.log.not_activated(stays.release, stays.engine.name, stays.engine.version, why)

    async def close(self) -> None:
        """Close replaced releases that still have calls."""
        for retiring in self._retiring:
            retiring.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)
