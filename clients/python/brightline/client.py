"""The client for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
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


class Stream(Iterator[Event]):
    """The events of one streamed answer: Started, then Text and ToolUse, then the whole Answer.

    The call starts when the first event is requested, but its time counts from stream(). Leaving `with`, or close(),
    cancels an unfinished call. Use it in one thread at a time.
    """

    def __init__(self, events: Generator[Event, None, None]) -> None:
        self._events = events

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Cancel the call, unless it is finished."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Options(TypedDict, total=False):
    """The arguments of a client besides the address."""

    ca: Required[Pem]
    certificate: Required[Pem]
    key: Required[Pem]
    token: Required[str | Callable[[], str]]
    timeout_s: float
    server_name: str | None
    retries: int


class Connection:
    """The common base of clients: the channel, the token, and calls that are retried only if that is safe."""

    def __init__(
        self,
        target: str,
        *,
        ca: Pem,
        certificate: Pem,
        key: Pem,
        token: str | Callable[[], str],
        timeout_s: float = 60.0,
        server_name: str | None = None,
        retries: int = 2,
    ) -> None:
        _channel.check(target, token)
        self._target = target
        self._token = token
        self._timeout_s = timeout_s
        self._retries = retries
        self._closed = False
        self._channel = grpc.secure_channel(
            target, _channel.credentials(ca, certificate, key), _channel.options(server_name)
        )

    def close(self) -> None:
        """Close the connection. Calls in flight and later calls raise Cancelled."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, method: Callable[..., Any], request: object, timeout_s: float | None) -> Any:
        attempts = self._attempts(timeout_s)
        while True:
            token = self._fresh_token(attempts)
            metadata = _channel.metadata(token)
            try:
                with self._while_open():
                    return method(request, timeout=attempts.remaining_s(), metadata=metadata)
            except grpc.RpcError as failed:
                pause_s = attempts.pause_s(_status.error(failed, self._target, token))
            time.sleep(pause_s)

    def _attempts(self, timeout_s: float | None) -> Attempts:
        return Attempts(self._retries, self._timeout_s if timeout_s is None else timeout_s)

    def _fresh_token(self, attempts: Attempts) -> str:
        if self._closed:
            raise _status.closed(self._target)
        token = self._token if isinstance(self._token, str) else self._token()
        attempts.with_token(self._target)
        return token

    @contextmanager
    def _while_open(self) -> Iterator[None]:
        """Raise Cancelled if another thread has closed the client before a call begins. gRPC raises ValueError."""
        try:
            yield
        except ValueError:
            if not self._closed:
                raise
            raise _status.closed(self._target) from None


class Client(Connection):
    """A connection to one gateway at `target` ("host:port"). Safe to use from several threads.

    ca, certificate, key: PEM bytes or paths.
    token: the access token, or a function that returns one. The function is called for every attempt, perhaps from
    several threads; the call raises what the function raises.
    timeout_s: seconds for each call, with all its attempts and tokens. A token function is not interrupted.
    retries: how often a call is retried if nothing of it reached a model.
    server_name: the name in the gateway's certificate, if it differs from the target's.
    Raises OSError, ValueError.
    """

    def __init__(self, target: str, **options: Unpack[Options]) -> None:
        super().__init__(target, **options)
        self._stub = InferenceServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._approvals = ApprovalServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._policy = PolicyServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def generate(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Answer:
        """Ask a model, and return the whole answer.

        Raises ValueError before anything is sent, otherwise BrightlineError.
        """
        request = inference_pb2.GenerateRequest(**_request.fields(**ask))
        return _response.answer(self._call(self._stub.Generate, request, timeout_s))

    def stream(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Stream:
        """Ask a model, and stream the answer as it is judged. Raises ValueError; iteration raises BrightlineError."""
        request = inference_pb2.GenerateStreamRequest(**_request.fields(**ask))
        return Stream(self._events(request, self._attempts(timeout_s)))

    def check(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Check:
        """What the policy would decide, without asking a model. Raises ValueError, BrightlineError."""
        request = inference_pb2.CheckPolicyRequest(**_request.fields(**ask))
        return _response.check(self._call(self._stub.CheckPolicy, request, timeout_s))

    def models(self, *, timeout_s: float | None = None) -> tuple[Model, ...]:
        """The models that the tenant may use. Raises BrightlineError."""
        return _response.models(self._call(self._stub.ListModels, inference_pb2.ListModelsRequest(), timeout_s))

    def in_force(self, *, timeout_s: float | None = None) -> InForce:
        """The release in force, its signatures, and the tenant's terms in it. Raises BrightlineError."""
        return _policy.in_force(self._call(self._policy.GetInForce, policy_pb2.GetInForceRequest(), timeout_s))

    def changes(self, before: str = "", after: str = "", *, timeout_s: float | None = None) -> Changes:
        """The changes from one release to another, by digest. Without digests: the last step that came in force.

        Only changes that the tenant may know. Raises ValueError, NotFound, BrightlineError.
        """
        return _policy.changes(self._call(self._policy.GetChanges, _policy.asked(before, after), timeout_s))

    def pending(self, *, timeout_s: float | None = None) -> tuple[Pending, ...]:
        """The tenant's requests that wait for an approval, newest first. The token needs the approver's role.

        Raises RoleRequired, BrightlineError.
        """
        request = approval_pb2.ListPendingRequest()
        return _approval.pending(self._call(self._approvals.ListPending, request, timeout_s))

    def approve(
        self, decision: str, *, why: str, valid_s: int = 0, timeout_s: float | None = None, **ask: Unpack[Ask]
    ) -> Approval:
        """Approve another person's request, as you have read it, to be sent once.

        decision: its decision id. why: the reason, for the log.
        valid_s: how long the approval is valid; 0 for the longest time that the gateway permits.
        Raises ValueError before anything is sent, ApprovalInvalid, NotFound, RoleRequired, BrightlineError.
        """
        request = _approval.request(decision, why, valid_s, **ask)
        return _approval.approval(self._call(self._approvals.Approve, request, timeout_s))

    def _events(self, request: object, attempts: Attempts) -> Generator[Event, None, None]:
        while True:
            token = self._fresh_token(attempts)
            metadata = _channel.metadata(token)
            with self._while_open():
                call = self._stub.GenerateStream(request, timeout=attempts.remaining_s(), metadata=metadata)
            assembly = Assembly()
            try:
                for message in call:
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
            time.sleep(pause_s)
