"""Every failure is a typed exception; what is not exactly a refusal of the gateway is never believed."""

import copy
import pickle
import threading
import traceback
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped]  # no stubs
from hypothesis import given, settings
from hypothesis import strategies as st

import brightline
from brightline import AsyncClient, BrightlineError, Client, Use, errors
from brightline.v1 import refusal_pb2
from clients.python.tests import scripted
from clients.python.tests.scripted import APPEAL, DECISION, RELEASE, RULE, TOKEN, Scripted
from gateway import status
from gateway.errors import Reason, Rule

KINDS = {
    "POLICY_DENIED": "Refused",
    "OUTPUT_DENIED": "Refused",
    "APPROVAL_REQUIRED": "ApprovalRequired",
    "INVALID_REQUEST": "InvalidRequest",
    "PART_UNREADABLE": "InvalidRequest",
    "DEADLINE_REQUIRED": "InvalidRequest",
    "REQUEST_TOO_LARGE": "InvalidRequest",
    "METHOD_UNKNOWN": "InvalidRequest",
    "DUPLICATE_REQUEST": "DuplicateRequest",
    "OVERLOADED": "Overloaded",
    "QUOTA_EXHAUSTED": "QuotaExhausted",
    "APPROVAL_INVALID": "ApprovalInvalid",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "CANCELLED": "Cancelled",
    "INTERNAL": "GatewayFault",
    "NOT_FOUND": "NotFound",
    "ROLE_REQUIRED": "RoleRequired",
    "RELEASE_NOT_IN_FORCE": "ReleaseNotInForce",
}


def kind_of(reason: Reason) -> str:
    """The exception's name that a caller expects for a reason."""
    if status.CODES[reason] is grpc.StatusCode.UNAUTHENTICATED:
        return "Unauthenticated"
    return KINDS.get(reason, "Unavailable")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_its_exception(gateway: Scripted, use: Use, reason: Reason) -> None:
    """Each public reason arrives as its exception type, with all that the refusal says."""
    gateway.script(scripted.refuse(reason, "said", rules=(RULE, RULE), sent=True, at="prompt.use"))
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(BrightlineError) as caught:
        client.generate(model="general", use=use, prompt="x")
    error = caught.value
    assert type(error) is getattr(brightline, kind_of(reason))
    assert (error.reason, error.message, error.field) == (reason, "said", "prompt.use")
    assert (error.decision_id, error.release, error.appeal, error.retry_safe) == (DECISION, RELEASE, APPEAL, False)
    assert [r.id for r in error.rules] == [RULE.id] * 2
    assert (error.rules[0].cls, error.rules[0].remedy, error.rules[0].effect) == (RULE.cls, RULE.remedy, "deny")
    assert error.rules[0].sources == (brightline.Source("DoDD 3000.09", "second_hand"),)
    assert len(gateway.calls) == 1


async def test_an_async_call_raises_the_same(gateway: Scripted, use: Use) -> None:
    """The asyncio client raises the same exceptions, from a call and from a stream."""
    gateway.script(scripted.refuse("POLICY_DENIED", rules=(RULE,)), scripted.refuse("APPROVAL_REQUIRED"))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        with pytest.raises(brightline.Refused) as caught:
            await client.generate(model="general", use=use, prompt="x")
        with pytest.raises(brightline.ApprovalRequired):
            [event async for event in client.stream(model="general", use=use, prompt="x")]
    assert caught.value.rules[0].id == RULE.id


def test_a_refusal_with_many_rules_arrives(gateway: Scripted, use: Use) -> None:
    """A refusal as large as a gateway sends arrives, and says how many rules it left out."""
    rules = tuple(Rule(f"rule_{i}", "t" * 300, "law", "r" * 300, RULE.sources, "deny") for i in range(40))
    gateway.script(scripted.refuse("POLICY_DENIED", rules=rules))
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(brightline.Refused) as caught:
        client.generate(model="general", use=use, prompt="x")
    assert len(caught.value.rules) + caught.value.rules_omitted == 40
    assert caught.value.rules_omitted > 0


def test_the_text_of_an_error_says_what_a_log_needs() -> None:
    """str() has reason, message, rules and decision id, and nothing that is empty."""
    rule = brightline.Rule("no_x", "No x", "law", (), "", "deny")
    assert str(brightline.Refused("no", reason="POLICY_DENIED", decision_id="d1", rules=(rule,))) == (
        "POLICY_DENIED: no (rules no_x; decision d1)"
    )
    assert str(brightline.ConnectionFailed("refused")) == "refused"


def test_errors_survive_copy_and_pickle() -> None:
    """An error keeps what it says when it crosses processes."""
    error = brightline.InvalidRequest("m", reason="INVALID_REQUEST", field="prompt", decision_id="d")
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert type(again) is type(error)
        assert vars(again) == vars(error)


REFUSAL = refusal_pb2.Refusal(reason=refusal_pb2.REASON_OVERLOADED, decision_id=DECISION, retry_safe=True)
INFO = scripted.info("OVERLOADED")
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
BROKEN = status_pb2.Status(
    code=EXHAUSTED.value[0],
    message="no",
    details=[
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff"),
        any_pb2.Any(type_url="type.googleapis.com/brightline.v1.Refusal", value=b"\xff\xff"),
    ],
).SerializeToString()


@pytest.mark.parametrize(
    "values",
    [
        (),
        (b"",),
        (b"\xff\xff\xff",),
        (BROKEN,),
        (scripted.rich(EXHAUSTED, "no"),),
        (scripted.rich(EXHAUSTED, "no", INFO),),
        (scripted.rich(EXHAUSTED, "no", REFUSAL),),
        (scripted.rich(EXHAUSTED, "no", INFO, REFUSAL, REFUSAL),),
        (scripted.rich(EXHAUSTED, "no", INFO, INFO, REFUSAL),),
        (scripted.rich(EXHAUSTED, "other words", INFO, REFUSAL),),
        (scripted.rich(grpc.StatusCode.INTERNAL, "no", INFO, REFUSAL),),
        (scripted.rich(EXHAUSTED, "no", scripted.info("OVERLOADED", "elsewhere"), REFUSAL),),
        (scripted.rich(EXHAUSTED, "no", scripted.info("AUDIT_UNAVAILABLE"), REFUSAL),),
        (scripted.rich(EXHAUSTED, "no", scripted.info("UNSPECIFIED"), refusal_pb2.Refusal(retry_safe=True)),),
    ],
)
def test_details_that_do_not_fit_are_not_believed(gateway: Scripted, use: Use, values: tuple[bytes, ...]) -> None:
    """Missing, broken, doubled or contradicting details: NotThisGateway, no crash and no second attempt."""
    gateway.script(scripted.details(EXHAUSTED, "no", *values), scripted.answer())
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(brightline.NotThisGateway) as caught:
        client.generate(model="general", use=use, prompt="x")
    assert (caught.value.retry_safe, caught.value.decision_id) == (False, "")
    assert len(gateway.calls) == 1


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_details_become_an_error_of_ours(data: bytes) -> None:
    """Whatever the details are, the failed call becomes a BrightlineError."""
    failed = grpc.aio.AioRpcError(
        EXHAUSTED,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("grpc-status-details-bin", data)),
        details="no",
    )
    assert isinstance(brightline._status.error(failed, "target", TOKEN), BrightlineError)


def test_a_reason_of_a_newer_gateway_is_kept(gateway: Scripted, use: Use) -> None:
    """A reason that this client does not know is a BrightlineError with the gateway's word, and is not repeated."""
    newer = refusal_pb2.Refusal(reason=99, decision_id=DECISION, retry_safe=True)  # type: ignore[arg-type]  # unknown
    value = scripted.rich(EXHAUSTED, "no", scripted.info("TOO_LATE_TODAY"), newer)
    gateway.script(scripted.details(EXHAUSTED, "no", value), scripted.answer())
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(BrightlineError) as caught:
        client.generate(model="general", use=use, prompt="x")
    assert type(caught.value) is BrightlineError
    assert (caught.value.reason, caught.value.decision_id) == ("TOO_LATE_TODAY", DECISION)
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_a_status_without_refusal_is_no_refusal(gateway: Scripted, use: Use, code: grpc.StatusCode) -> None:
    """PERMISSION_DENIED of a stranger is not a policy's; plain statuses are never repeated."""
    gateway.script(scripted.plain(code, "of a stranger"), scripted.answer())
    expected: dict[grpc.StatusCode, type[BrightlineError]] = {
        grpc.StatusCode.UNAVAILABLE: brightline.ConnectionFailed,
        grpc.StatusCode.DEADLINE_EXCEEDED: brightline.DeadlineExceeded,
        grpc.StatusCode.CANCELLED: brightline.Cancelled,
    }
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(BrightlineError) as caught:
        client.generate(model="general", use=use, prompt="x")
    assert type(caught.value) is expected.get(code, brightline.NotThisGateway)
    assert (caught.value.reason, caught.value.retry_safe) == ("", False)
    assert len(gateway.calls) == 1


def test_no_error_repeats_the_token(gateway: Scripted, use: Use) -> None:
    """A server that says the token back does not get it into text, repr, arguments or traceback of the error."""
    echo = f"bad header Bearer {TOKEN}"
    gateway.script(scripted.plain(grpc.StatusCode.INTERNAL, echo), scripted.refuse("TOKEN_INVALID", echo))
    with Client(gateway.target, **gateway.options()) as client:
        for _ in range(2):
            with pytest.raises(BrightlineError) as caught:
                client.generate(model="general", use=use, prompt="x")
            error = caught.value
            shown = "".join((str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)))
            assert "canary-of-the-token" not in shown
            assert "[token]" in shown


def test_a_late_answer_is_deadline_exceeded(gateway: Scripted, use: Use) -> None:
    """A call that is not answered within its time raises DeadlineExceeded, without a second attempt."""
    released = threading.Event()
    gateway.script(scripted.answer(), scripted.hold(released))
    with Client(gateway.target, **gateway.options()) as client:
        client.generate(model="general", use=use, prompt="?")  # connected: the next call arrives at once
        with pytest.raises(brightline.DeadlineExceeded):
            client.models(timeout_s=0.5)
    released.set()
    assert len(gateway.calls) == 2


def test_closing_the_client_cancels_calls_in_flight(gateway: Scripted) -> None:
    """A call in flight in another thread ends with Cancelled when the client is closed."""
    released, arrived = threading.Event(), threading.Event()
    gateway.script(scripted.hold(released, arrived))
    client = Client(gateway.target, **gateway.options())
    caught: list[Any] = []

    def call() -> None:
        with pytest.raises(brightline.Cancelled) as info:
            client.models()
        caught.append(info.value)

    thread = threading.Thread(target=call)
    thread.start()
    assert arrived.wait(10)
    client.close()
    thread.join(10)
    released.set()
    assert len(caught) == 1


def test_every_public_error_is_a_brightline_error() -> None:
    """One except clause catches all that the client raises for a call."""
    kinds = {*errors.BY_REASON.values(), brightline.NotThisGateway, brightline.IncompleteStream}
    assert all(issubclass(kind, BrightlineError) for kind in kinds)
