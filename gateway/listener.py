"""The port: gRPC over mutual TLS, health, and recovery when gRPC stops listening.

A method name that is not UTF-8 ends the loop in which gRPC for Python (1.85.1) takes calls. gRPC then closes the port,
and the process would stay alive without answering anybody. The gateway therefore watches the loop. When the loop ends,
a new server takes the same port at once, and calls in flight finish on the old server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc_health.v1.health import SERVICE_NAME
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gateway import (
    approval_service,
    audit_service,
    authentication,
    inference_service,
    policy_service,
    queue_probe,
    transport,
)
from gateway.admission import Admission
from gateway.config import Config
from gateway.errors import GatewayError, Reason, StartError
from gateway.gate import Gate
from gateway.health import READY, Health
from gateway.review import Desk
from gateway.server import Context, Handler, Shell, UnknownMethods, credentials
from gateway.types import Call, Credentials, new_decision_id

log = structlog.get_logger()

TICK_S = 0.1
"""Seconds between checks that gRPC still takes calls, and between updates of health."""
REOPEN_S = 5.0
"""How many seconds another process may hold the port when it has to be reopened."""
LAST_ANSWERS_S = 1.0
"""How many seconds answers that were under way when the loop ended may take to leave."""


@asynccontextmanager
async def listening(config: Config, gate: Gate) -> AsyncIterator[Listener]:
    """Serve `gate`. On exit, calls in flight have `drain_ms` to end. Raises StartError."""
    transport.reserve_files(config.limits)
    with queue_probe.address(config.identity.ledger.parent) as probe_address:
        listener = Listener(config, gate, probe_address)
        await listener.open()
        try:
            yield listener
        finally:
            await listener.close()


class Listener:
    """The port of a gateway. port: its number once it is open. probe_address: the address of the probe's socket."""

    def __init__(self, config: Config, gate: Gate, probe_address: str) -> None:
        self.port = 0
        self._config = config
        self._gate = gate
        self._tls = transport.Tls(config.listener)
        self._probe = queue_probe.QueueProbe(probe_address)
        self._admission = Admission(self._probe.ask, config.limits.queue_ms / 1000, time.monotonic)
        self._shell = Shell(gate, config.limits, config.appeal, self._admission)
        self._desk = Desk(gate, config.review, config.approvals, gate.log.archive)
        watchers = config.limits.concurrent_calls, config.limits.tenant_calls
        self._health = Health(lambda: gate.ready, ("", READY, inference_service.SERVICE), watchers, self._whose)
        self._retired: dict[grpc.aio.Server, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Open the port and watch it."""
        self._server, self.port = self._bind(self._config.listener.address)
        await self._server.start()
        self._watching = asyncio.create_task(self._watch())

    async def until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set. Raises StartError if the port is lost for good before that."""
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, self._watching}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            self._watching.result()

    async def close(self) -> None:
        """Refuse new calls and let those in flight end. A call that is cut off still writes its outcome."""
        self._gate.draining = True
        self._watching.cancel()
        await asyncio.wait({self._watching})
        self._health.close()
        await self._admission.close()
        await self._probe.close()
        grace_s = self._config.limits.drain_ms / 1000
        await asyncio.gather(*(_stop(server, grace_s) for server in (self._server, *self._retired)))
        await asyncio.gather(*self._retired.values())
        if self._shell.in_flight:
            await asyncio.wait(self._shell.in_flight, timeout=self._config.audit.deadline_ms / 1000)

    def _bind(self, address: str) -> tuple[grpc.aio.Server, int]:
        """A server that is not started, and the port that it is bound to. Raises StartError."""
        server = grpc.aio.server(
            options=transport.options(self._config.limits, shared=self._config.listener.workers > 1)
        )
        # No method is registered with gRPC: for registered methods, gRPC frees memory at the end of its loop that its
        # core still writes to.
        services = {
            inference_service.SERVICE: inference_service.handlers(self._shell),
            SERVICE_NAME: self._health.handlers(),
        }
        services[policy_service.SERVICE] = policy_service.handlers(self._shell)
        services[approval_service.SERVICE] = approval_service.handlers(self._shell, self._desk)
        services[audit_service.SERVICE] = audit_service.handlers(self._shell, self._desk)
        if self._config.listener.reflection:
            services[reflection.SERVICE_NAME] = _reflection((*services, reflection.SERVICE_NAME))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(*s) for s in services.items()])
        server.add_generic_rpc_handlers((UnknownMethods(self._shell),))
        server.add_insecure_port(self._probe.address)
        try:
            return server, server.add_secure_port(address, self._tls.credentials())
        except RuntimeError as error:  # gRPC gives no more detail
            raise StartError(
                f"listener.address: {address} cannot be listened on; is it this host's, and is it free?"
            ) from error

    def _whose(self, context: Context) -> Hashable:
        """The peer that watches health, according to its certificate."""
        tenants = self._gate.in_force.release.tenants
        return self._gate.identity.lane(credentials(context), tenants)

    async def _watch(self) -> None:
        while True:
            try:
                await self._server.wait_for_termination(TICK_S)
            except Exception as error:  # gRPC passes on whatever ended its loop
                log.exception("listener_failed", exc_info=error)
                await self._reopen()
                if isinstance(error, UnicodeDecodeError):
                    await self._record()
            self._health.look()

    async def _reopen(self) -> None:
        """Serve on the same port with a new server. Raises StartError if another process keeps the port."""
        flying = set(self._shell.in_flight)
        self._retired[self._server] = asyncio.create_task(self._retire(self._server, flying))
        address = f"{self._config.listener.address.rpartition(':')[0]}:{self.port}"
        give_up_s = asyncio.get_running_loop().time() + REOPEN_S
        while True:
            try:
                self._server, _ = self._bind(address)
                break
            except StartError:
                if asyncio.get_running_loop().time() > give_up_s:
                    raise
                await asyncio.sleep(TICK_S)
        await self._server.start()
        log.warning("listener_reopened", address=address)

    async def _retire(self, server: grpc.aio.Server, flying: set[asyncio.Task[Any]]) -> None:
        """Stop a server once its calls in flight have ended. Each of them has a deadline."""
        if flying:
            await asyncio.wait(flying)
        await _stop(server, LAST_ANSWERS_S)
        self._retired.pop(server, None)

    async def _record(self) -> None:
        """Record a refusal for the call that ended the loop. gRPC tells nothing about the call."""
        now_us = self._gate.clock()
        call = Call(new_decision_id(now_us), "", Credentials((), (), ""), now_us, None)
        error = GatewayError(Reason.METHOD_UNKNOWN, "the name of the method is no text")
        with self._gate.in_force as in_force:
            await authentication.turned_away(call, self._gate, in_force, error)


def _reflection(services: tuple[str, ...]) -> dict[str, Handler]:
    servicer = reflection.aio.ReflectionServicer(services)
    messages = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    return {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo, messages[0].FromString, messages[1].SerializeToString
        )
    }


async def _stop(server: grpc.aio.Server, grace_s: float) -> None:
    try:
        await server.wait_for_termination(0)
    except Exception:  # noqa: BLE001 - its loop has ended, and gRPC is about to stop it without grace
        # gRPC's stop fails before it cuts calls off, but only if no other stop began earlier. So let it go first.
        await asyncio.sleep(0)
    with contextlib.suppress(UnicodeDecodeError):  # the first stop() raises the error that ended the loop again
        await server.stop(grace_s)
        return
    await server.stop(grace_s)
