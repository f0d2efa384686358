"""Puts a release in force: at the start, and later in the place of another, whole or not at all.

1 load it: every file as the manifest names it, and the pinned release where one is pinned
2 make of it what calls need: attributes, an engine, and an upstream for every model
3 ask the engine once: it answers as this release's policy, and permits nothing without facts
4 record the activation, durably, before anything is decided by it
5 swap: whoever calls from now on is decided by it from start to end; calls under way keep the release they began with
6 close the old engine after its last call
Whatever fails before 5 leaves what is in force, and a record that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gateway import facts, pdp, release
from gateway.config import Config
from gateway.errors import GatewayError, StartError
from gateway.inforce import InForce
from gateway.pep import Gate
from gateway.types import Effect, Release

log = structlog.get_logger()


async def prepare(config: Config) -> InForce:
    """Steps 1 and 2, beside calls under way. Raises StartError."""
    loaded = await asyncio.to_thread(release.load, config.release.path, config.release.digest)  # 1
    check_upstreams(config, loaded)  # 2
    return InForce(loaded, facts.prepare(loaded, config.marking_ceiling), await pdp.open_engine(loaded, config.policy))


def check_upstreams(config: Config, loaded: Release) -> None:
    """Raise StartError unless every model of the release has its upstream."""
    missing = {m.upstream for m in loaded.models.values()} - {u.name for u in config.upstreams}
    if missing:
        raise StartError(f"upstreams: the release names {sorted(missing)}, which the configuration does not have")


@dataclass(slots=True)
class Activation:
    """Replaces what is in force. tried: how often; trouble: why the last try was refused, empty if it was not."""

    config: Config
    gate: Gate
    tried: int = 0
    trouble: str = ""
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)

    async def whenever(self, wanted: asyncio.Event, told: Callable[[Activation], None]) -> None:
        """Reload each time `wanted` is set, until cancelled; what is wanted meanwhile is wanted once."""
        while True:
            await wanted.wait()
            wanted.clear()
            await self.reload()
            told(self)

    async def reload(self) -> None:
        """Put in force what is in the release folder now, or record why not."""
        before, self.trouble = self.gate.in_force, ""
        try:
            await self._replace(before)
        except Exception as error:  # noqa: BLE001 - whatever it is, what is in force stays
            await self._refused(error, before)
        self.tried += 1

    async def _replace(self, before: InForce) -> None:
        fresh = await prepare(self.config)
        if fresh.release.digest == before.release.digest:
            await fresh.close()
            log.info("release unchanged", release=before.release.digest)
            return
        try:
            await _ask(fresh)  # 3
            # Crash here: the record names a release that decided nothing; the next start records what it loads.
            await self.gate.log.activated(fresh.release, fresh.engine.name, fresh.engine.version, before.release)  # 4
        except BaseException:
            await fresh.close()
            raise
        self.gate.in_force = fresh  # 5
        log.info("release in force", release=fresh.release.digest, before=before.release.digest)
        retiring = asyncio.create_task(before.retire())  # 6
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _refused(self, error: Exception, stays: InForce) -> None:
        expected = isinstance(error, StartError | GatewayError)
        self.trouble = str(error) if expected else f"the gateway failed: {type(error).__name__}"
        unexpected = None if expected else error
        log.error("release refused", why=self.trouble, stays=stays.release.digest, exc_info=unexpected)
        await self.gate.log.not_activated(stays.release, stays.engine.name, stays.engine.version, self.trouble)

    async def close(self) -> None:
        """Close what was replaced and still has calls."""
        for retiring in self._retiring:
            retiring.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)


async def _ask(fresh: InForce) -> None:
    """Raises StartError unless the engine works and refuses a call of which nothing is known."""
    try:
        decision = await fresh.engine.decide({})
    except GatewayError as error:
        raise StartError(f"the engine gives no decision with this release: {error.detail}") from error
    if decision.effect is not Effect.DENY:
        raise StartError("the policy permits a call without facts; have its rules refuse what they are not told")
