"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Required, Self, TypedDict, Unpack

import grpc

from brightline import _approval, _channel, _policy, _request, _response, _status
from brightline._approval import Approval, Pending
from brightline._assembly import Assembly
from brightline._attempts import Attempts
from brightline._channel import Pem
from brightline._policy import Changes, InForce
from brightline._request import Ask
from brightline.results import Answer, Check, Event, Model
from brightline.v1 import approval_pb2, inference_pb2, policy_pb2
from brightline.v1.approval_pb2_grpc import ApprovalServiceStub
from brightline.v1.inference_pb2_grpc import InferenceServiceStub
from brightline.v1.policy_pb2_grpc import PolicyServiceStub


class AsyncStream(AsyncIterator[Event]):
    """The events of one streamed answer: Started, then Text and ToolUse, then the whole Answer.

    The call starts when the first event is requested, but its time counts from stream(). Leaving `async with`,
    aclose(), or cancelling a task that waits for an event cancels an unfinished call.
    """

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events = events

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def aclose(self) -> None:
        """Cancel the call, unless it is finished."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncOptions(TypedDict, total=False):
    """The arguments of an asyncio client besides the address."""

    ca: Required[Pem]
    certificate: Required[Pem]
    key: Required[Pem]
    token: Required[str | Callable[[], str | Awaitable[str]]]
    timeout_s: float
    server_name: str | None
    retries: int


class AsyncConnection:
    """The common base of asyncio clients: see brightline.client.Connection."""

    def __init__(
        self,
        target: str,
        *,
        ca: Pem,
        certificate: Pem,
        key: Pem,
        token: str | Callable[[], str | Awaitable[str]],
        timeout_s: float = 60.0,
        server_name: str | None = None,
        retries: int = 2,
    ) -> None:
        asyncio.get_running_loop()  # gRPC would accept any loop, and fail later in another one
        _channel.check(target, token)
        self._target = target
        self._token = token
        self._timeout_s = timeout_s
        self._retries = retries
        self._closed = False
        self._channel = grpc.aio.secure_channel(
            target, _channel.credentials(ca, certificate, key), _channel.options(server_name)
        )

    async def close(self) -> None:
        """Close the connection. Calls in flight and later calls raise Cancelled."""
        self._closed = True
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, method: Callable[..., Any], request: object, timeout_s: float | None) -> Any:
        attempts = self._attempts(timeout_s)
        while True:
            token = await self._fresh_token(attempts)
            metadata = _channel.metadata(token)
            try:
                with self._while_open():
                    return await method(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                pause_s = attempts.pause_s(_status.error(failed, self._target, token))
            await asyncio.sleep(pause_s)

    def _attempts(self, timeout_s: float | None) -> Attempts:
        return Attempts(self._retries, self._timeout_s if timeout_s is None else timeout_s)

    async def _fresh_token(self, attempts: Attempts) -> str:
        self._still_open()
        token = self._token if isinstance(self._token, str) else self._token()
        if inspect.isawaitable(token):
            token = await self._in_time(token, attempts)
        self._still_open()
        attempts.with_token(self._target)
        return token

    def _still_open(self) -> None:
        if self._closed:
            raise _status.closed(self._target)

    async def _in_time(self, token: Awaitable[str], attempts: Attempts) -> str:
        given = asyncio.timeout(attempts.remaining_s())
        try:
            async with given:
                return await token
        except TimeoutError:
            if given.expired():  # otherwise the function itself raised it
                attempts.with_token(self._target)
            raise

    @contextmanager
    def _while_open(self) -> Iterator[None]:
        """Turn the end of a call by close() into Cancelled. gRPC ends it as if the waiting task had been cancelled."""
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise
            raise _status.closed(self._target, "an answer may have been made") from None


class AsyncClient(AsyncConnection):
    """A connection to one gateway at `target` ("host:port"). Create it inside a running event loop, and use it there.

    The arguments are those of Client. `token` may also be a function that returns an awaitable, which is cancelled when
    the time is over. Cancelling the task that waits for an answer cancels the call at the gateway. Raises OSError,
    ValueError.
    """

    def __init__(self, target: str, **options: Unpack[AsyncOptions]) -> None:
        super().__init__(target, **options)
        self._stub = InferenceServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._approvals = ApprovalServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._policy = PolicyServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def generate(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Answer:
        """Ask a model, and return the whole answer.

        Raises ValueError before anything is sent, otherwise BrightlineError.
        """
        request = inference_pb2.GenerateRequest(**_request.fields(**ask))
        return _response.answer(await self._call(self._stub.Generate, request, timeout_s))

    def stream(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> AsyncStream:
        """Ask a model, and stream the answer as it is judged. Raises ValueError; iteration raises BrightlineError."""
        request = inference_pb2.GenerateStreamRequest(**_request.fields(**ask))
        return AsyncStream(self._events(request, self._attempts(timeout_s)))

    async def check(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Check:
        """What the policy would decide, without asking a model. Raises ValueError, BrightlineError."""
        request = inference_pb2.CheckPolicyRequest(**_request.fields(**ask))
        return _response.check(await self._call(self._stub.CheckPolicy, request, timeout_s))

    async def models(self, *, timeout_s: float | None = None) -> tuple[Model, ...]:
        """The models that the tenant may use. Raises BrightlineError."""
        return _response.models(await self._call(self._stub.ListModels, inference_pb2.ListModelsRequest(), timeout_s))

    async def in_force(self, *, timeout_s: float | None = None) -> InForce:
        """The release in force, its signatures, and the tenant's terms in it. Raises BrightlineError."""
        return _policy.in_force(await self._call(self._policy.GetInForce, policy_pb2.GetInForceRequest(), timeout_s))

    async def changes(self, before: str = "", after: str = "", *, timeout_s: float | None = None) -> Changes:
        """The changes from one release to another, by digest. Without digests: the last step that came in force.

        Only changes that the tenant may know. Raises ValueError, NotFound, BrightlineError.
        """
        return _policy.changes(await self._call(self._policy.GetChanges, _policy.asked(before, after), timeout_s))

    async def pending(self, *, timeout_s: float | None = None) -> tuple[Pending, ...]:
        """The tenant's requests that wait for an approval, newest first. The token needs the approver's role.

        Raises RoleRequired, BrightlineError.
        """
        request = approval_pb2.ListPendingRequest()
        return _approval.pending(await self._call(self._approvals.ListPending, request, timeout_s))

    async def approve(
        self, decision: str, *, why: str, valid_s: int = 0, timeout_s: float | None = None, **ask: Unpack[Ask]
    ) -> Approval:
        """Approve another person's request, as you have read it, to be sent once.

        decision: its decision id. why: the reason, for the log.
        valid_s: how long the approval is valid; 0 for the longest time that the gateway permits.
        Raises ValueError before anything is sent, ApprovalInvalid, NotFound, RoleRequired, BrightlineError.
        """
        request = _approval.request(decision, why, valid_s, **ask)
        return _approval.approval(await self._call(self._approvals.Approve, request, timeout_s))

    async def _events(self, request: object, attempts: Attempts) -> AsyncGenerator[Event, None]:
        while True:
            token = await self._fresh_token(attempts)
            call = self._stub.GenerateStream(request, timeout=attempts.remaining_s(), metadata=_channel.metadata(token))
            assembly = Assembly()
            try:
                with self._while_open():
                    async for message in call:
                        event = assembly.take(message)
                        if event is not None:
                            yield event
                yield assembly.answer()
                return
            except grpc.RpcError as failed:
                error = _status.error(failed, self._target, token)
                if assembly.begun:
                    raise error from None  # the caller has seen a part, so there is no retry
                pause_s = attempts.pause_s(error)
            finally:
                call.cancel()  # has no effect on a finished call
            await asyncio.sleep(pause_s)
