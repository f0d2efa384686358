"""Wires the steps of one gateway and runs it: everything is checked before the first port is open.

1 keys and certificates  2 the release and its engine  3 identity  4 upstreams  5 the log, which refuses what it can't
continue  6 the port. What was opened is closed in reverse, whatever fails.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import structlog
from google.protobuf.internal import api_implementation
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway import facts, pdp, release
from gateway.audit.log import Log
from gateway.clock import Clock
from gateway.config import Config, read_private, read_public
from gateway.errors import StartError
from gateway.identity import Identity
from gateway.pep import Gate, InForce
from gateway.server import SERVICE, Shell, UnknownMethods, handlers
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
        attributes = facts.prepare(loaded)
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


@asynccontextmanager
async def listening(config: Config, gate: Gate) -> AsyncIterator[int]:
    """Serves `gate`; the port. On exit new calls are turned away and calls in flight have `drain_ms` to end."""
    shell = Shell(gate, config.limits, config.appeal)
    server = grpc.aio.server(options=_options(config))
    server.add_registered_method_handlers(SERVICE, handlers(shell))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers(shell)),))
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    if config.listener.reflection:
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    server.add_generic_rpc_handlers((UnknownMethods(shell),))
    tls = credentials(config)
    try:
        port = server.add_secure_port(config.listener.address, tls)
    except RuntimeError as error:  # gRPC says no more than that
        raise StartError(
            f"listener.address: {config.listener.address} cannot be listened on; is it this host's, and is it free?"
        ) from error
    await server.start()
    for name in ("", SERVICE):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield port
    finally:
        gate.draining = True
        await healthy.enter_graceful_shutdown()
        await server.stop(config.limits.drain_ms / 1000)
        if shell.in_flight:  # calls that were cut off: each writes its outcome before the log closes
            await asyncio.wait(shell.in_flight, timeout=config.audit.deadline_ms / 1000)


async def run(config: Config, address_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT, then drain. address_file: where host:port is written once calls are served."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(config, Clock()) as gate, listening(config, gate) as port:
        address = f"{config.listener.address.rpartition(':')[0]}:{port}"
        log.info("serving", address=address, release=gate.in_force.release.digest, engine=gate.in_force.engine.name)
        _settle()
        if address_file is not None:
            _publish(address_file, address)
        await stop.wait()
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


def credentials(config: Config) -> grpc.ServerCredentials:
    """The TLS side of the port. Raises StartError."""
    listener = config.listener
    key = read_private(listener.key, "listener.key")  # 1
    certificate = read_public(listener.certificate, "listener.certificate")
    client_ca = read_public(listener.client_ca, "listener.client_ca")
    # gRPC takes what it can't read for none; without a client CA it would trust the system's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listener.certificate, listener.key, password="")
    except (OSError, ValueError) as error:
        raise StartError(
            f"listener.certificate, listener.key: {listener.certificate} and {listener.key} are not a certificate in "
            "PEM and its unencrypted private key"
        ) from error
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"listener.client_ca: {listener.client_ca} holds no PEM certificate") from error
    return grpc.ssl_server_credentials([(key, certificate)], client_ca, require_client_auth=True)


def _options(config: Config) -> list[tuple[str, int]]:
    limits = config.limits
    return [
        # Above our own limit, so that the usual case is refused by us, with a reason; beyond it by gRPC, unread.
        ("grpc.max_receive_message_length", 2 * limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        ("grpc.max_concurrent_streams", limits.concurrent_calls),
        ("grpc.max_connection_idle_ms", limits.connections_idle_s * 1000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.so_reuseport", 0),
    ]
