"""The gRPC shell: the only code that touches gRPC's context. Every exit is a status made by gateway.status.

Unary methods are read as streams. The handler then runs before the message arrives, so that a caller is authenticated
before anything is parsed, and a message that gRPC itself refuses still leaves a record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import Message

from gateway import authentication, contract, status
from gateway.admission import Admission
from gateway.config import Limits
from gateway.errors import GatewayError, Reason
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.types import Call, Credentials, new_decision_id

log = structlog.get_logger()

LONGEST_NAME = 200
_GONE_S = 0.25
"""Seconds. gRPC reports that no message comes before it tells why: the caller left, or gRPC itself has ended the call,
because the message is over gRPC's limit or can't be unpacked."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(slots=True)
class Shell:
    """What every handler needs. in_flight: the tasks of calls that are being handled."""

    gate: Gate
    limits: Limits
    appeal: str
    admission: Admission
    in_flight: set[asyncio.Task[Any]] = field(default_factory=set)


Work: TypeAlias = Callable[[Shell, Call, InForce, Context], Awaitable[Message]]
Pieces: TypeAlias = Callable[[Shell, Call, InForce, Context], AsyncGenerator[Message]]


class UnknownMethods(grpc.GenericRpcHandler):
    """Answers every method that nothing else serves, and records the call, so that probing is seen."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """The handler that refuses the method."""
        name = str(handler_call_details.method)[:LONGEST_NAME]
        return grpc.stream_unary_rpc_method_handler(unary(self._shell, name, _unknown))


def unary(shell: Shell, method: str, work: Work) -> Callable[[object, Context], Awaitable[bytes]]:
    """The handler of a method with one answer."""

    async def handle(_: object, context: Context) -> bytes:
        call = _receive(context, shell, method)
        with shell.admission, shell.gate.in_force as in_force:
            try:
                answer = await _bounded(shell, call, in_force, partial(work, shell, call, in_force, context))
                return answer.SerializeToString()
            except Exception as error:  # noqa: BLE001 - last line of defence: the caller gets INTERNAL, not the text
                return await _refuse(context, shell, call, in_force, error)

    return handle


def streaming(shell: Shell, method: str, work: Pieces) -> Callable[[object, Context], Awaitable[None]]:
    """The handler of a method that streams its answer."""

    # A coroutine that writes, not a generator. gRPC leaves a cancelled generator to the garbage collector, which would
    # delay the outcome of the call.
    async def handle(_: object, context: Context) -> None:
        call = _receive(context, shell, method)
        write = _writer(context)
        with shell.admission, shell.gate.in_force as in_force:

            async def answer() -> None:
                async with aclosing(work(shell, call, in_force, context)) as pieces:
                    async for piece in pieces:
                        await write(piece.SerializeToString())

            try:
                await _bounded(shell, call, in_force, answer)
            except Exception as error:  # noqa: BLE001 - as above
                await write(None)
                await _refuse(context, shell, call, in_force, error)

    return handle


def _writer(context: Context) -> Callable[[bytes | None], Awaitable[None]]:
    """A function that writes a message, or, given None, waits for the last write to finish.

    gRPC can't end a call while it writes a message, and a write continues after a time-out of the wait for it. So a
    caller that takes the message late still gets the status.
    """
    last: asyncio.Future[Any] | None = None

    async def write(message: bytes | None) -> None:
        nonlocal last
        if message is not None:
            last = asyncio.ensure_future(context.write(message))
            last.add_done_callback(lambda done: done.cancelled() or done.exception())  # mark its exception as seen
            await asyncio.shield(last)
        elif last is not None:
            await asyncio.wait({last})

    return write


async def _unknown(shell: Shell, call: Call, in_force: InForce, _: Context) -> Message:
    error = GatewayError(Reason.METHOD_UNKNOWN, "no such method here")
    raise await authentication.turned_away(call, shell.gate, in_force, error)


def _receive(context: Context, shell: Shell, method: str) -> Call:
    now = shell.gate.clock()
    left = context.time_remaining()
    metadata = context.invocation_metadata() or ()
    most = shell.limits.deadline_ms * 1000
    return Call(
        decision_id=new_decision_id(now),
        method=method,
        credentials=credentials(context),
        received_us=now,
        deadline_us=None if left is None else now + min(int(left * 1_000_000), most),
        traceparent=tuple(str(v) for k, v in metadata if k == "traceparent") if shell.gate.telemetry.tracing else (),
    )


def credentials(context: Context) -> Credentials:
    """The credentials that a caller presents. Nothing in them is verified."""
    peer = context.auth_context() or {}
    metadata = context.invocation_metadata() or ()
    return Credentials(
        certificates=tuple(peer.get("x509_pem_cert", ())),
        authorizations=tuple(str(v) for k, v in metadata if k == "authorization"),
        address=context.peer(),
        chain=b"".join(peer.get("x509_pem_cert_chain", ())),
    )


async def only_message(shell: Shell, context: Context, kind: type[M]) -> M:
    """The one message of the call. Raises GatewayError."""
    data = await context.read()
    if not isinstance(data, bytes):
        await asyncio.sleep(_GONE_S)  # cancelled here, unless the caller properly ended a call without a message
        raise GatewayError(Reason.INVALID_REQUEST, "the call ended without a message")
    if isinstance(await context.read(), bytes):
        raise GatewayError(Reason.INVALID_REQUEST, "a call has one message; a second one came")
    return contract.parse(data, kind, shell.limits.message_bytes)


async def _bounded(shell: Shell, call: Call, in_force: InForce, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work, count the call, and end it at its deadline. gRPC knows only the caller's deadline, which may be
    later.
    """
    lane = shell.gate.identity.lane(call.credentials, in_force.release.tenants)
    if shell.admission.refuses(lane) or len(shell.in_flight) >= shell.limits.concurrent_calls:
        error = GatewayError(Reason.OVERLOADED, "too many calls at once; try again in a moment", again_s=1)
        raise await authentication.turned_away(call, shell.gate, in_force, error)
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    shell.in_flight.add(task)
    left_s = None if call.deadline_us is None else (call.deadline_us - call.received_us) / 1_000_000
    try:
        async with asyncio.timeout(left_s) as limit:
            return await work()
    except TimeoutError:
        if not limit.expired():
            raise
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the time for this call is over", sent=True) from None
    finally:
        shell.in_flight.discard(task)
        shell.gate.bulkhead.give_back(call.decision_id)


async def _refuse(context: Context, shell: Shell, call: Call, in_force: InForce, error: Exception) -> NoReturn:
    """End the call with the public form of `error`. The abort must be awaited, or gRPC answers OK."""
    if not isinstance(error, GatewayError):
        log.error("fault", decision_id=call.decision_id, method=call.method, exc_info=error)
        error = GatewayError(
            Reason.INTERNAL, "the gateway failed; its operator finds the decision id in the log", sent=True
        )
    told = error.rules or error.reason is Reason.OVERLOADED  # told by the record, or by metrics and counts
    tell = log.debug if told and not error.detail else log.info
    tell("refused", decision_id=call.decision_id, method=call.method, reason=error.reason, detail=error.detail)
    details = status.details(error, call.decision_id, in_force.release.digest, shell.appeal)
    trailing = ((status.DETAILS_KEY, details),)
    await context.abort(status.CODES[error.reason], error.message, trailing)
    raise AssertionError("abort returned")
