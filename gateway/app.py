"""Wires the steps of one gateway and runs it: everything is checked before the first port is open.

1 keys and certificates  2 the release and its engine  3 identity  4 upstreams  5 the log, which refuses what it can't
continue  6 the port. What was opened is closed in reverse, whatever fails.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from google.protobuf.internal import api_implementation

from gateway import facts, pdp, release
from gateway.audit.log import Log
from gateway.clock import Clock
from gateway.config import Config, read_public
from gateway.errors import StartError
from gateway.identity import Identity
from gateway.listener import listening
from gateway.pep import Gate, InForce
from gateway.signals import Detectors
from gateway.types import Release
from gateway.upstream import open_upstream

log = structlog.get_logger()


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Gate]:
    """The gateway without its port. Raises StartError; closes what it opened."""
    if api_implementation.Type() != "upb":
        raise StartError(
            "protobuf runs without its C implementation (upb); install a wheel of protobuf for this platform"
        )
    async with AsyncExitStack() as stack:
        loaded = release.load(config.release.path, config.release.digest)  # 2
        attributes = facts.prepare(loaded, config.marking_ceiling)
        engine = await pdp.open_engine(loaded, config.policy)
        stack.push_async_callback(engine.close)
        client_ca = read_public(config.listener.client_ca, "listener.client_ca")
        identity = await Identity.open(config.identity, clock, client_ca)  # 3
        stack.push_async_callback(identity.close)
        check_upstreams(config, loaded)
        upstreams = {}
        for settings in config.upstreams:  # 4
            upstream = open_upstream(settings, config.limits.answer_bytes)
            stack.push_async_callback(upstream.close)
            upstreams[settings.name] = upstream
        trail = await Log.open(  # 5
            config.audit, loaded, engine.name, engine.version, clock=clock, listener=config.listener.address
        )
        stack.push_async_callback(trail.close)
        yield Gate(
            clock=clock,
            identity=identity,
            detectors=Detectors(),
            upstreams=upstreams,
            log=trail,
            in_force=InForce(loaded, attributes, engine),
            answer_bytes=config.limits.answer_bytes,
        )


async def run(config: Config, address_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT, then drain. address_file: where host:port is written once calls are served."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(config, Clock()) as gate, listening(config, gate) as listener:
        address = f"{config.listener.address.rpartition(':')[0]}:{listener.port}"
        log.info("serving", address=address, release=gate.in_force.release.digest, engine=gate.in_force.engine.name)
        _settle()
        if address_file is not None:
            _publish(address_file, address)
        await listener.until(stop)
        log.info("draining", milliseconds=config.limits.drain_ms)
    log.info("stopped")


def _settle() -> None:
    """Leave what lives as long as the process out of garbage collection, and look for cycles less often.

    A call makes hardly any cycles, and a collection walks over everything else: 6 % of the time of a permitted call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _publish(path: Path, address: str) -> None:
    # Crash before the rename: the old address or none, never half of one.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(address + "\n", encoding="ascii")
    draft.replace(path)


def check_upstreams(config: Config, loaded: Release) -> None:
    """Raise StartError unless every model of the release has its upstream."""
    missing = {m.upstream for m in loaded.models.values()} - {u.name for u in config.upstreams}
    if missing:
        raise StartError(f"upstreams: the release names {sorted(missing)}, which the configuration does not have")
