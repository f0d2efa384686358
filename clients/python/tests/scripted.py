# ruff: noqa: N802 - the methods are those of the contract
"""A scripted server for tests: speaks the contract over mutual TLS, and records what it receives.

gateway.script(refuse("OVERLOADED"), answer("hello"))     # one step for each call, in order
gateway.calls                                             # what arrived
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf import any_pb2, struct_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs

from brightline.v1 import audit_pb2, message_pb2, refusal_pb2
from brightline.v1 import inference_pb2 as pb
from brightline.v1.audit_pb2_grpc import AuditServiceServicer, add_AuditServiceServicer_to_server
from brightline.v1.inference_pb2_grpc import InferenceServiceServicer, add_InferenceServiceServicer_to_server
from gateway import status
from gateway.errors import GatewayError, Reason, Rule, Source
from gateway.identity.issue import Pair
from tests.support.pki import Authority

DECISION = "0193a1b2c3d4aaaaaaaaaaaaaaaaaaaa"
RELEASE = "ab" * 32
APPEAL = "oversight@agency.example"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.canary-of-the-token.c2lnbmF0dXJl"

RULE = Rule(
    id="weapon_engage_autonomous",
    title="No selecting and engaging of targets without human selection",
    cls="red_line",
    remedy="No approval opens this. Put a person in the selection of each target.",
    sources=(Source("DoDD 3000.09", "second_hand"),),
    effect="deny",
)

Step: TypeAlias = Callable[[Message, grpc.ServicerContext], Any]
"""What one call does: it returns a response or an iterator of stream events, or aborts."""


@dataclass
class Call:
    """A received call. cancelled is set when the call has ended, for any reason."""

    method: str
    request: Any
    authorization: tuple[str, ...]
    remaining_s: float | None
    ended: threading.Event = field(default_factory=threading.Event)


class Scripted(InferenceServiceServicer, AuditServiceServicer):
    """The service. A call for which no step is left gets UNIMPLEMENTED, without a refusal."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.certificate: Pair = authority.client()
        self.target = ""
        self.calls: list[Call] = []
        self._steps: deque[Step] = deque()

    def script(self, *steps: Step) -> None:
        """What the next calls do."""
        self._steps.extend(steps)

    def options(self, **changes: Any) -> dict[str, Any]:
        """The keyword arguments of a client that the server accepts."""
        pair = self.certificate
        known = {"ca": self.authority.ca.certificate, "certificate": pair.certificate, "key": pair.key, "token": TOKEN}
        return {**known, **changes}

    def Generate(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._step("Generate", request, context)

    def GenerateStream(self, request: Message, context: grpc.ServicerContext) -> Any:
        yield from self._step("GenerateStream", request, context)

    def CheckPolicy(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._step("CheckPolicy", request, context)

    def ListModels(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._step("ListModels", request, context)

    def Search(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._step("Search", request, context)

    def _step(self, method: str, request: Message, context: grpc.ServicerContext) -> Any:
        said = tuple(str(value) for key, value in context.invocation_metadata() if key == "authorization")
        call = Call(method, request, said, context.time_remaining())
        context.add_callback(call.ended.set)
        self.calls.append(call)
        step = self._steps.popleft() if self._steps else plain(grpc.StatusCode.UNIMPLEMENTED, "no step left")
        return step(request, context)


@contextmanager
def serving(server_pair: Pair | None = None, ca: bytes | None = None) -> Iterator[Scripted]:
    """A scripted gateway on a free port of 127.0.0.1, with its own CA or with the given certificates."""
    scripted = Scripted(Authority())
    pair = server_pair or scripted.authority.server()
    client_ca = ca or scripted.authority.ca.certificate
    credentials = grpc.ssl_server_credentials([(pair.key, pair.certificate)], client_ca, require_client_auth=True)
    with ThreadPoolExecutor(max_workers=8) as pool:
        server = grpc.server(pool, options=[("grpc.max_send_message_length", -1)])
        add_InferenceServiceServicer_to_server(scripted, server)  # type: ignore[no-untyped-call]  # generated
        add_AuditServiceServicer_to_server(scripted, server)  # type: ignore[no-untyped-call]  # generated
        scripted.target = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        server.start()
        try:
            yield scripted
        finally:
            server.stop(None).wait()


@contextmanager
def breakable(target: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """A proxy address for the target, and a function that breaks every connection through it."""
    host, _, port = target.rpartition(":")
    open_sockets: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def cut() -> None:
        for open_socket in open_sockets:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near = closing.enter_context(listener.accept()[0])
                far = closing.enter_context(socket.create_connection((host, int(port))))
                open_sockets.extend((near, far))
                pool.submit(pump, near, far)
                pool.submit(pump, far, near)

    with (
        ExitStack() as closing,
        socket.create_server(("127.0.0.1", 0)) as listener,
        ThreadPoolExecutor(16) as pool,
    ):
        pool.submit(accept)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", cut
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            cut()


# --- steps ------------------------------------------------------------------------------------------------------


def answer(text: str = "The convoy needs three trucks.") -> Step:
    """A whole answer of one text."""
    return lambda _request, _context: pb.GenerateResponse(
        decision_id=DECISION,
        release=RELEASE,
        parts=[message_pb2.Part(text=text)],
        stop_reason=pb.STOP_REASON_END,
        usage=pb.Usage(input_tokens=7, output_tokens=5),
        obligations=[pb.Obligation(kind="label", value="AI generated")],
    )


def reply(message: Message) -> Step:
    """Any response."""
    return lambda _request, _context: message


def checked(effect: Any, *rules: refusal_pb2.Rule) -> Step:
    """The result of a check."""
    return reply(pb.CheckPolicyResponse(decision_id=DECISION, release=RELEASE, effect=effect, rules=rules))


def listed(*names: str) -> Step:
    """A list of models."""
    models = [pb.Model(id=n, description=f"the model {n}", marking_ceiling="SECRET") for n in names]
    return reply(pb.ListModelsResponse(models=models, decision_id=DECISION))


def page(token: str) -> Step:
    """A page of one record, and the token of the next page."""
    record = audit_pb2.LogRecord(origin="log.example", index=0, json=b"{}")
    return reply(audit_pb2.SearchResponse(decision_id=DECISION, records=[record], next_page_token=token))


def events(*events: pb.GenerateStreamResponse, then: Step | None = None) -> Step:
    """A stream of these events, and then another step, for example a refusal."""

    def step(request: Message, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from events
        if then is not None:
            then(request, context)

    return step


def start() -> pb.GenerateStreamResponse:
    """The first event of a stream."""
    obligations = [pb.Obligation(kind="label", value="AI generated")]
    return pb.GenerateStreamResponse(
        start=pb.StreamStart(decision_id=DECISION, release=RELEASE, obligations=obligations)
    )


def text(text: str) -> pb.GenerateStreamResponse:
    """A text event."""
    return pb.GenerateStreamResponse(text=text)


def tool_use(name: str) -> pb.GenerateStreamResponse:
    """A tool call of the model, with a whole number and a fraction among its arguments."""
    arguments = struct_pb2.Struct()
    arguments.update({"count": 3, "share": 0.5, "list": [1]})
    return pb.GenerateStreamResponse(tool_use=message_pb2.ToolUse(id="call-1", name=name, input=arguments))


def end() -> pb.GenerateStreamResponse:
    """The last event of a stream."""
    usage = pb.Usage(input_tokens=7, output_tokens=5)
    return pb.GenerateStreamResponse(end=pb.StreamEnd(stop_reason=pb.STOP_REASON_END, usage=usage))


def refuse(reason: str, message: str = "no", *, rules: tuple[Rule, ...] = (), sent: bool = False, at: str = "") -> Step:
    """An error exactly as the gateway sends it."""
    error = GatewayError(Reason(reason), message, rules=rules, sent=sent, field=at)
    return details(status.CODES[error.reason], message, status.details(error, DECISION, RELEASE, APPEAL))


def plain(code: grpc.StatusCode, message: str) -> Step:
    """A status without details."""
    return lambda _request, context: context.abort(code, message)


def details(code: grpc.StatusCode, message: str, *values: bytes) -> Step:
    """A status with these values of grpc-status-details-bin."""

    def step(_request: Message, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata(tuple((status.DETAILS_KEY, value) for value in values))
        context.abort(code, message)

    return step


def rich(code: grpc.StatusCode, message: str, *inside: Message) -> bytes:
    """A google.rpc.Status with these details."""
    packed = []
    for item in inside:
        detail = any_pb2.Any()
        detail.Pack(item)
        packed.append(detail)
    return bytes(status_pb2.Status(code=code.value[0], message=message, details=packed).SerializeToString())


def info(reason: str, domain: str = status.DOMAIN) -> Message:
    """The ErrorInfo of a reason."""
    made: Message = error_details_pb2.ErrorInfo(reason=reason, domain=domain)
    return made


def hold(released: threading.Event, arrived: threading.Event | None = None) -> Step:
    """Signals that the call arrived, and holds it until it is released."""

    def step(_request: Message, context: grpc.ServicerContext) -> None:
        if arrived is not None:
            arrived.set()
        released.wait(240)
        context.abort(grpc.StatusCode.ABORTED, "released")

    return step
