"""grpc.health.v1: whether this process is live, and whether it can permit calls now.

In the absence of calls, what a call needs is tested: the log by its writer, detectors by their pulse, and here the
engine, revocation lists and the ledger of tokens.

The servicer of grpcio-health-checking is not used. It writes to a watcher while it holds the lock that every change of
state needs, so one watcher that does not read would keep the gateway from stopping.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
import structlog
from grpc_health.v1 import health_pb2

from gateway.errors import GatewayError

if TYPE_CHECKING:  # each probe is a process that spends most of its time importing
    from gateway.gate import Gate
    from gateway.inforce import InForce

log = structlog.get_logger()

LIVE: Final = "liveness"
READY: Final = "readiness"
ASK_S: Final = 5.0
AGAIN_S: Final = 1.0
"""Seconds between tests of the engine and of the files of identity. After a failure they are tested more often."""
PATIENCE_S: Final = 5.0

Response: TypeAlias = health_pb2.HealthCheckResponse
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Health:
    """serves: whether calls can be permitted. services: the names that report this. LIVE is one more name.

    watchers: the most watchers, and the most of one peer. whose: tells which peer a watcher is.

    LIVE is serving until the process drains. If the process can't permit calls, restarting it would not help.
    """

    def __init__(
        self,
        serves: Callable[[], bool],
        services: tuple[str, ...],
        watchers: tuple[int, int],
        whose: Callable[[Context], Hashable],
    ) -> None:
        self._serves = serves
        self._services = services
        self._most, self._of_one = watchers
        self._whose = whose
        self._watching: Counter[Hashable] = Counter()
        self._changed = asyncio.Event()
        self._told = serves()
        self._closed = False

    def handlers(self) -> dict[str, Handler]:
        """The methods of grpc.health.v1.Health by name."""
        messages = health_pb2.HealthCheckRequest.FromString, Response.SerializeToString
        return {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, *messages),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, *messages),
        }

    def look(self) -> None:
        """Notify the watchers if the state has changed."""
        if self._serves() is not self._told:
            self._told = not self._told
            self._changed.set()
            self._changed = asyncio.Event()

    def close(self) -> None:
        """Notify the watchers for the last time."""
        self._told, self._closed = False, True
        self._changed.set()

    async def _check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Response:
        """The state now; NOT_FOUND for an unknown name."""
        if request.service not in (LIVE, *self._services):
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return Response(status=self._status(request.service, serves=self._serves()))

    async def _watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Send the state now and after each change, until the watcher leaves or the gateway stops."""
        whose = self._whose(context)
        if self._watching.total() >= self._most or self._watching[whose] >= self._of_one:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED)
        self._watching[whose] += 1
        try:
            told, closed = None, False
            while not closed:
                changed, closed = self._changed, self._closed
                if (status := self._status(request.service, serves=self._told)) != told:
                    await context.write(Response(status=status))
                    told = status
                await changed.wait()
        finally:
            self._watching[whose] -= 1
            if not self._watching[whose]:
                del self._watching[whose]

    def _status(self, service: str, *, serves: bool) -> int:
        if service == LIVE:
            return int(Response.NOT_SERVING if self._closed else Response.SERVING)
        if service not in self._services:
            return int(Response.SERVICE_UNKNOWN)
        return int(Response.SERVING if serves else Response.NOT_SERVING)


async def asking(gate: Gate) -> None:
    """Ask the engine at intervals until cancelled, so that health notices its loss before a caller does."""
    while True:
        await asyncio.sleep(AGAIN_S if gate.in_force.missing else ASK_S)
        with gate.in_force as in_force:
            before = in_force.answers
            in_force.missing = 0 if await _answers(in_force) else in_force.missing + 1
            if in_force.answers is not before:
                log.warning("engine", engine=in_force.engine.name, answers=in_force.answers)
        del in_force  # it can be freed as soon as it is replaced


async def proving(gate: Gate) -> None:
    """Try revocation lists and the ledger at intervals, until cancelled: a list ends, and a disk may be full."""
    while True:
        before, why = gate.proves, ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await gate.identity.check_files()
            gate.proves = True
        except (GatewayError, TimeoutError, RuntimeError) as error:  # RuntimeError: no thread is to be had now
            gate.proves, why = False, getattr(error, "detail", "") or type(error).__name__
        if gate.proves is not before:
            log.warning("identity", proves=gate.proves, why=why)
        await asyncio.sleep(ASK_S if gate.proves else AGAIN_S)


async def _answers(in_force: InForce) -> bool:
    try:
        await in_force.engine.decide({})
    except GatewayError:
        return False
    return True
