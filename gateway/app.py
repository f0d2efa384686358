"""Wires the components of one gateway, and checks everything before the port opens.

1 keys and certificates  2 the release and its engine  3 identity  4 upstreams  5 the log, which refuses to open if it
can't be continued. After a failure, everything that was opened is closed in reverse order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from google.protobuf.internal import api_implementation

from gateway import compiled_release, health, pdp, release
from gateway.audit.index_supervisor import following
from gateway.audit.joint.joined import Joined
from gateway.audit.joint.member import Member
from gateway.audit.log import Log
from gateway.bulkhead import Bulkhead
from gateway.clock import Clock
from gateway.config import Config, External, Signals, Tracing
from gateway.errors import StartError
from gateway.fair_queue import FairQueue
from gateway.gate import Gate
from gateway.identity import Identity
from gateway.inforce import InForce
from gateway.preparing import ask, lean, prepare
from gateway.quotas import Memory, Quotas
from gateway.signals import Detectors, Outside, Scorer
from gateway.signals.liveness import PROBE, Liveness
from gateway.telemetry import Meters, Telemetry
from gateway.types import Packed, Release
from gateway.upstream import open_upstream

if TYPE_CHECKING:
    from gateway.telemetry.spans import Exporting


@asynccontextmanager
async def opened(config: Config, clock: Clock, member: Member | None = None) -> AsyncIterator[Gate]:
    """The gateway without its port. Raises StartError; closes what it opened.

    member: a worker's connection to the keeper, which has the log. Without it, this process opens the log itself.
    """
    if api_implementation.Type() != "upb":
        raise StartError(
            "protobuf runs without its C implementation (upb); install a wheel of protobuf for this platform"
        )
    async with AsyncExitStack() as stack:
        gate = await _opened(config, clock, member, stack)
        asking = {asyncio.create_task(look(gate)) for look in (health.asking, health.proving)}
        try:
            yield gate
        finally:
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)
            await gate.in_force.close()


async def _opened(config: Config, clock: Clock, member: Member | None, stack: AsyncExitStack) -> Gate:
    """The gate. Nothing else refers to the release in force, so that it can be freed when another replaces it."""
    keeps = member is None and config.listener.workers > 1  # the keeper of workers' log; it reads no content
    telemetry = Telemetry()
    if config.tracing is not None:
        telemetry.tracing = _tracing(config.tracing, telemetry.meters)
        stack.push_async_callback(telemetry.tracing.close)
    in_force = await (started(config) if member is None else handed_over(config, member))  # 2
    try:
        identity = await Identity.open(config.identity, clock, config.listener.client_ca)  # 3
        stack.push_async_callback(identity.close)
        upstreams = {}
        for settings in config.upstreams:  # 4
            upstream = open_upstream(settings, config.limits.answer_bytes)
            stack.push_async_callback(upstream.close)
            upstreams[settings.name] = upstream
        trail = await _log(config, in_force, clock, telemetry, member)  # 5
        stack.push_async_callback(trail.close)
        in_force.since_us = trail.since_us
        if config.searched and member is None:
            await stack.enter_async_context(following(trail.archive.logs, lambda: trail.size))
        quotas = counting(config)
        stack.push_async_callback(quotas.close)
        return Gate(
            clock=clock,
            identity=identity,
            detectors=Detectors() if keeps else await stack.enter_async_context(reading(config.signals)),
            upstreams=upstreams,
            log=trail,
            in_force=in_force,
            answer_bytes=config.limits.answer_bytes,
            bulkhead=Bulkhead(config.limits.tenant_calls),
            queue=FairQueue(config.limits.deciding, config.limits.queue_ms / 1000, each=config.limits.tenant_turns),
            quotas=quotas,
            telemetry=telemetry,
        )
    except BaseException:
        await in_force.close()
        raise


async def started(config: Config) -> InForce:
    """The release that this process starts with. Raises StartError.

    It is loaded in this process. Later releases are loaded in a separate process so as not to hold up calls; now there
    are none yet.
    """
    found = await asyncio.to_thread(release.open_source(config.release).find, ())
    if found.release is None:
        raise TypeError("nothing was known")
    whole = replace(found.release, tenants=Packed.of(found.release.tenants))
    code = await asyncio.to_thread(pdp.compiled, whole, config.policy) if config.listener.workers > 1 else b""
    in_force = await _asked(config, whole, code, found.state)
    if config.listener.workers > 1:
        in_force.handed = compiled_release.whole(in_force.release, code, found.state)
    return in_force


async def handed_over(config: Config, member: Member) -> InForce:
    """The release that the keeper has in force, as handed over to a worker. Raises StartError."""
    member.wanted.clear()
    try:
        found = await asyncio.to_thread(compiled_release.parse, member.take())
    except compiled_release.GarbageError as error:
        raise StartError(f"release: the keeper handed over what is none: {error}") from error
    if not isinstance(found, compiled_release.CompiledRelease):
        raise StartError("release: the keeper handed over none")
    in_force = await _asked(config, found.release, found.code, found.state)
    in_force.expires_us = member.expires_us
    return in_force


async def _asked(config: Config, whole: Release, code: bytes, state: release.State) -> InForce:
    in_force = await prepare(config, whole, code, state)
    try:
        if config.policy.engine == "wasm":  # an OPA server may start later; its answers are read strictly anyway
            await ask(in_force)
    except BaseException:
        await in_force.close()
        raise
    return lean(in_force)


@asynccontextmanager
async def reading(settings: Signals) -> AsyncIterator[Detectors]:
    """The detectors, with their health measured while they are open. Raises StartError if their data is unreadable."""
    learned = await asyncio.to_thread(_learned, settings.languages) if settings.learned else None
    external = [_external(one) for one in settings.external]
    detectors = Detectors(
        learned=learned, external=external, deadline_ms=settings.deadline_ms, liveness=Liveness(settings.live_s)
    )
    await detectors.read([PROBE])
    beating = asyncio.create_task(detectors.liveness.beat(detectors.read))
    try:
        yield detectors
    finally:
        beating.cancel()
        await asyncio.wait({beating})
        await detectors.close()


def counting(config: Config) -> Quotas:
    """The quotas: counted in the shared store, or else in memory, a part per worker. Raises StartError."""
    if config.quotas.url is None:
        return Quotas(Memory(config.listener.workers))
    from gateway.shared_quotas import Shared  # noqa: PLC0415 - few deployments use it

    return Quotas(Shared(config.quotas))


async def _log(config: Config, in_force: InForce, clock: Clock, telemetry: Telemetry, member: Member | None) -> Log:
    release_, engine, listener = in_force.release, in_force.engine, config.listener.address
    if member is not None:
        return await Joined.join(config.audit, release_, member, clock=clock, listener=listener, telemetry=telemetry)
    return await Log.open(
        config.audit, release_, engine.name, engine.version, clock=clock, listener=listener, telemetry=telemetry
    )


def _tracing(settings: Tracing, meters: Meters) -> Exporting:
    from gateway.telemetry.spans import Exporting  # noqa: PLC0415 - the SDK is slow to import, and few use it

    return Exporting(settings, meters)


def _learned(languages: bool) -> Scorer:
    from gateway.signals import learned  # noqa: PLC0415 - NumPy is slow to import; only this detector needs it

    return learned.load(languages=learned.LANGUAGES if languages else None)


def _external(settings: External) -> Outside:
    from gateway.signals.external import open_external  # noqa: PLC0415 - HTTP libraries are slow to import

    return open_external(settings)
