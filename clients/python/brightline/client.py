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

    The call is made when the first event is pulled. Its time counts from stream(). Leaving `with`,
    or close(), cancels what is not finished. Belongs to one thread at a time.
    """

    def __init__(self, events: Generator[Event, None, None]) -> None:
        self._events = events

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Cancel the call unless it is finished."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Options(TypedDict, total=False):
    """What a client may be given beside the address."""

    ca: Required[Pem]
    certificate: Required[Pem]
    key: Required[Pem]
    token: Required[str | Callable[[], str]]
    timeout_s: float
    server_name: str | None
    retries: int


class Connection:
    """What every client is made of: its channel, its token, and calls that are repeated only where that is safe."""

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
        self._target = target
        self._token = token
        self._timeout_s = timeout_s
        self._retries = retries
        self._closed = False
        self._channel = grpc.secure_channel(
            target, _channel.credentials(ca, certificate, key), _channel.options(server_name)
        )

    def close(self) -> None:
        """Close the connection; calls in flight, and later ones, end with Cancelled."""
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
        """A call that begins when another thread has closed the client raises Cancelled. gRPC raises ValueError."""
        try:
            yield
        except ValueError:
            if not self._closed:
                raise
            raise _status.closed(self._target) from None


class Client(Connection):
    """A connection to one gateway at `target` ("host:port"); safe to use from several threads.

    ca, certificate, key: PEM bytes or paths. token: the access token, or a function that gives one, called for every
    attempt and perhaps from several threads; what it raises, the call raises. timeout_s: seconds for each call, all its
    attempts and tokens together; a function is not broken off. retries: how often a call of which nothing reached a
    model is repeated. server_name: the name in the gateway's certificate, when it isn't the target's. Raises OSError,
    ValueError.
    """

    def __init__(self, target: str, **options: Unpack[Options]) -> None:
        super().__init__(target, **options)
        self._stub = InferenceServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._approvals = ApprovalServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._policy = PolicyServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def generate(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Answer:
        """Ask a model and return the whole answer. Raises ValueError before anything is sent, else BrightlineError."""
        request = inference_pb2.GenerateRequest(**_request.fields(**ask))
        return _response.answer(self._call(self._stub.Generate, request, timeout_s))

    def stream(self, *, timeout_s: float | None = None, **ask: Unpack[Ask]) -> Stream:
        """Ask a model and return the answer as it is judged. Raises ValueError; iterating raises BrightlineError."""
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
        """Which release decides, since when, who signed it, what it says of the tenant. Raises BrightlineError."""
        return _policy.in_force(self._call(self._policy.GetInForce, policy_pb2.GetInForceRequest(), timeout_s))

    def changes(self, before: str = "", after: str = "", *, timeout_s: float | None = None) -> Changes:
        """What changed from one release to another, by their digests; the last step into force for none.

        Only what the tenant may know. Raises ValueError, NotFound, BrightlineError.
        """
        return _policy.changes(self._call(self._policy.GetChanges, _policy.asked(before, after), timeout_s))

    def pending(self, *, timeout_s: float | None = None) -> tuple[Pending, ...]:
        """Requests of the tenant that wait for an approval, newest first; for a token with the approver's role.

        Raises RoleRequired, BrightlineError.
        """
        request = approval_pb2.ListPendingRequest()
        return _approval.pending(self._call(self._approvals.ListPending, request, timeout_s))

    def approve(
        self, decision: str, *, why: str, valid_s: int = 0, timeout_s: float | None = None, **ask: Unpack[Ask]
    ) -> Approval:
        """Approve a request of somebody else, as you have read it, to be sent once.

        decision: its decision id. why: for the log. valid_s: how long it holds, 0 for as long as the gateway lets it.
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
                    raise error from None  # the caller saw a part: never a second answer
                pause_s = attempts.pause_s(error)
            finally:
                call.cancel()  # nothing happens to a call that is finished
            time.sleep(pause_s)
