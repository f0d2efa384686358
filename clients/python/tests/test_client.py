"""The client against a real server over mutual TLS: answers, streams, connections."""

import asyncio
import inspect
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2

import brightline
from brightline import (
    Answer,
    AsyncAuditClient,
    AsyncClient,
    AuditClient,
    Cancelled,
    Check,
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    Effect,
    IncompleteStream,
    Model,
    NotThisGateway,
    Obligation,
    Refused,
    Rule,
    Source,
    Started,
    StopReason,
    Text,
    ToolUse,
    Usage,
    Use,
)
from brightline.v1 import inference_pb2 as pb
from brightline.v1 import message_pb2
from clients.python.tests import scripted
from clients.python.tests.scripted import DECISION, RELEASE, RULE, TOKEN, Scripted
from gateway import wire
from tests.support.pki import Authority

LABEL = (Obligation("label", "AI generated"),)
WHOLE = Answer(DECISION, RELEASE, (Text("The convoy needs three trucks."),), StopReason.END, Usage(7, 5), LABEL)


def test_generate_returns_the_whole_answer(gateway: Scripted, use: Use) -> None:
    """An answer has its text, record, release, obligations, stop reason and usage; the request arrived as given."""
    gateway.script(scripted.answer())
    with Client(gateway.target, **gateway.options()) as client:
        answer = client.generate(model="general", use=use, prompt="Plan a convoy.", max_tokens=9, timeout_s=20)
    assert answer == WHOLE
    assert answer.text == "The convoy needs three trucks."
    [call] = gateway.calls
    assert call.authorization == (f"Bearer {TOKEN}",)
    assert call.request.prompt.messages[0].parts[0].text == "Plan a convoy."
    assert (call.request.prompt.max_tokens, call.request.prompt.use.purpose) == (9, "logistics_planning")
    assert call.remaining_s is not None
    assert 15 < call.remaining_s <= 20


async def test_async_generate_check_and_models(gateway: Scripted, use: Use) -> None:
    """The asyncio client gives the same values as the other."""
    gateway.script(scripted.answer(), scripted.checked(pb.EFFECT_ALLOW), scripted.listed("general"))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        assert await client.generate(model="general", use=use, prompt="Plan.") == WHOLE
        assert await client.check(model="general", use=use, prompt="x") == Check(
            DECISION, RELEASE, Effect.ALLOW, (), ()
        )
        assert await client.models() == (Model("general", "the model general", "SECRET"),)
    assert [call.method for call in gateway.calls] == ["Generate", "CheckPolicy", "ListModels"]


def test_check_gives_effect_and_rules(gateway: Scripted, use: Use) -> None:
    """A check that would be refused is a result, with the rules behind it."""
    gateway.script(scripted.checked(pb.EFFECT_DENY, wire.rule(RULE)), scripted.checked(pb.EFFECT_REQUIRE_APPROVAL))
    with Client(gateway.target, **gateway.options()) as client:
        denied = client.check(model="general", use=use, prompt="x")
        assert client.check(model="general", use=use, prompt="x").effect is Effect.REQUIRE_APPROVAL
    sources = (Source("DoDD 3000.09", "second_hand"),)
    assert denied.effect is Effect.DENY
    assert denied.rules == (Rule(RULE.id, RULE.title, "red_line", sources, RULE.remedy, "deny"),)


def test_models_lists_what_is_open(gateway: Scripted) -> None:
    """Models come in the gateway's order."""
    gateway.script(scripted.listed("a", "b"))
    with Client(gateway.target, **gateway.options()) as client:
        assert [model.id for model in client.models()] == ["a", "b"]


STREAM = (
    scripted.start(),
    scripted.text("Three "),
    scripted.text(""),
    scripted.text("trucks"),
    scripted.tool_use("map"),
    scripted.text("."),
)
CALL = ToolUse(id="call-1", name="map", input={"count": 3, "share": 0.5, "list": [1]})
EVENTS = [
    Started(DECISION, RELEASE, LABEL),
    Text("Three "),
    Text("trucks"),
    CALL,
    Text("."),
    Answer(DECISION, RELEASE, (Text("Three trucks"), CALL, Text(".")), StopReason.END, Usage(7, 5), LABEL),
]


def test_a_stream_yields_events_and_the_whole_answer_last(gateway: Scripted, use: Use) -> None:
    """Events come as they were sent; the answer at the end holds them all, text joined, numbers whole."""
    gateway.script(scripted.events(*STREAM, scripted.end()))
    with Client(gateway.target, **gateway.options()) as client:
        assert list(client.stream(model="general", use=use, prompt="Plan.")) == EVENTS


async def test_an_async_stream_yields_the_same(gateway: Scripted, use: Use) -> None:
    """The asyncio client streams the same events."""
    gateway.script(scripted.events(*STREAM, scripted.end()))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        assert [event async for event in client.stream(model="general", use=use, prompt="Plan.")] == EVENTS


def test_a_stream_without_its_end_raises(gateway: Scripted, use: Use) -> None:
    """A stream that ends well but without its last event is no answer, and names its record."""
    gateway.script(scripted.events(*STREAM), scripted.events())
    with Client(gateway.target, **gateway.options()) as client:
        stream = client.stream(model="general", use=use, prompt="Plan.")
        assert [next(stream) for _ in EVENTS[:-1]] == EVENTS[:-1]
        with pytest.raises(IncompleteStream) as caught:
            next(stream)
        with pytest.raises(IncompleteStream):
            list(client.stream(model="general", use=use, prompt="Plan."))
    assert caught.value.decision_id == DECISION
    assert len(gateway.calls) == 2


async def test_an_async_stream_without_its_end_raises(gateway: Scripted, use: Use) -> None:
    """The asyncio client too takes no stream without its last event for an answer."""
    gateway.script(scripted.events(*STREAM))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        with pytest.raises(IncompleteStream):
            [event async for event in client.stream(model="general", use=use, prompt="Plan.")]


def test_a_refusal_after_the_end_is_raised(gateway: Scripted, use: Use) -> None:
    """The answer is given only after the status: a refusal that follows the last event wins."""
    gateway.script(scripted.events(*STREAM, scripted.end(), then=scripted.refuse("OUTPUT_DENIED", sent=True)))
    seen: list[brightline.Event] = []
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(Refused):
        seen.extend(client.stream(model="general", use=use, prompt="Plan."))
    assert [type(event).__name__ for event in seen] == ["Started", "Text", "Text", "ToolUse", "Text"]


@pytest.mark.parametrize(
    "events",
    [
        (scripted.text("x"),),
        (scripted.end(),),
        (scripted.start(), scripted.start()),
        (scripted.start(), scripted.end(), scripted.text("x")),
        (scripted.start(), pb.GenerateStreamResponse()),
        (pb.GenerateStreamResponse(start=pb.StreamStart()),),
        (scripted.start(), pb.GenerateStreamResponse(end=pb.StreamEnd())),
        (scripted.start(), pb.GenerateStreamResponse(tool_use=message_pb2.ToolUse())),
        (scripted.start(), scripted.text("a\0b")),
    ],
)
def test_a_stream_out_of_order_is_not_this_gateway(
    gateway: Scripted, use: Use, events: tuple[pb.GenerateStreamResponse, ...]
) -> None:
    """Events that the contract does not have there end the stream, and the call at the server."""
    gateway.script(scripted.events(*events))
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(NotThisGateway):
        list(client.stream(model="general", use=use, prompt="Plan."))
    assert gateway.calls[0].ended.wait(10)


NAN = struct_pb2.Struct(fields={"x": struct_pb2.Value(number_value=float("nan"))})


@pytest.mark.parametrize(
    "response",
    [
        pb.GenerateResponse(stop_reason=pb.STOP_REASON_END),
        pb.GenerateResponse(decision_id=DECISION),
        pb.GenerateResponse(decision_id=DECISION, stop_reason=99),  # type: ignore[arg-type]  # of a newer contract
        pb.GenerateResponse(decision_id=DECISION, stop_reason=pb.STOP_REASON_END, parts=[message_pb2.Part()]),
        pb.GenerateResponse(
            decision_id=DECISION,
            stop_reason=pb.STOP_REASON_END,
            parts=[message_pb2.Part(tool_use=message_pb2.ToolUse(id="1", name="t", input=NAN))],
        ),
        pb.GenerateResponse(
            decision_id=DECISION, stop_reason=pb.STOP_REASON_END, parts=[message_pb2.Part(text="a\0b")]
        ),
    ],
)
def test_an_answer_outside_the_contract_is_not_this_gateway(
    gateway: Scripted, use: Use, response: pb.GenerateResponse
) -> None:
    """An answer without a record, with an unknown stop reason or with a part that is none is not taken."""
    gateway.script(scripted.reply(response))
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(NotThisGateway):
        client.generate(model="general", use=use, prompt="x")


@pytest.mark.parametrize("effect", [0, 99])
def test_an_unknown_effect_is_never_a_permission(gateway: Scripted, use: Use, effect: int) -> None:
    """A check whose effect is missing or unknown raises."""
    gateway.script(scripted.checked(effect))
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(NotThisGateway, match="Effect"):
        client.check(model="general", use=use, prompt="x")


def test_one_client_serves_several_threads(gateway: Scripted, use: Use) -> None:
    """Calls of several threads through one client are in flight together, and each gets its own answer."""
    together = threading.Barrier(4)

    def echo(request: Any, _context: Any) -> Any:
        together.wait(20)
        return scripted.answer(request.prompt.messages[0].parts[0].text)(request, _context)

    gateway.script(*[echo] * 4)
    with Client(gateway.target, **gateway.options()) as client, ThreadPoolExecutor(4) as pool:
        texts = [f"question {i}" for i in range(4)]
        answers = pool.map(lambda text: client.generate(model="general", use=use, prompt=text).text, texts)
        assert list(answers) == texts


def test_leaving_a_stream_cancels_it_at_the_server(gateway: Scripted, use: Use) -> None:
    """A stream that is left before its end is cancelled at the server."""
    released = threading.Event()
    gateway.script(scripted.events(scripted.start(), then=scripted.hold(released)))
    with Client(gateway.target, **gateway.options()) as client:
        with client.stream(model="general", use=use, prompt="x") as stream:
            assert isinstance(next(stream), Started)
        assert gateway.calls[0].ended.wait(10)
    released.set()


async def test_cancelling_the_task_cancels_the_stream_at_the_server(gateway: Scripted, use: Use) -> None:
    """Cancelling a task that waits for an event cancels the call at the server, and raises CancelledError."""
    released, seen = threading.Event(), asyncio.Event()
    gateway.script(scripted.events(scripted.start(), then=scripted.hold(released)))

    async def consume(client: AsyncClient) -> None:
        async for _ in client.stream(model="general", use=use, prompt="x"):
            seen.set()

    async with AsyncClient(gateway.target, **gateway.options()) as client:
        task = asyncio.create_task(consume(client))
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(gateway.calls[0].ended.wait, 10)
    released.set()


async def test_leaving_an_async_stream_cancels_it_at_the_server(gateway: Scripted, use: Use) -> None:
    """An asyncio stream that is left before its end is cancelled at the server."""
    released = threading.Event()
    gateway.script(scripted.events(scripted.start(), then=scripted.hold(released)))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        async with client.stream(model="general", use=use, prompt="x") as stream:
            assert isinstance(await anext(stream), Started)
        assert await asyncio.to_thread(gateway.calls[0].ended.wait, 10)
    released.set()


async def test_cancelling_the_task_cancels_a_call_at_the_server(gateway: Scripted) -> None:
    """Cancelling a task that waits for an answer cancels the call at the server."""
    released, arrived = threading.Event(), threading.Event()
    gateway.script(scripted.hold(released, arrived))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        task = asyncio.create_task(client.models())
        assert await asyncio.to_thread(arrived.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(gateway.calls[0].ended.wait, 10)
    released.set()


def test_keys_may_be_paths(gateway: Scripted, tmp_path: Path) -> None:
    """CA, certificate and key are taken from files, by str or Path."""
    names = ("ca", "certificate", "key")
    for name in names:
        (tmp_path / name).write_bytes(gateway.options()[name])
    paths = {"ca": tmp_path / "ca", "certificate": str(tmp_path / "certificate"), "key": tmp_path / "key"}
    gateway.script(scripted.listed("a"))
    with Client(gateway.target, **gateway.options(**paths)) as client:
        assert client.models()[0].id == "a"


@pytest.mark.parametrize("name", ["ca", "certificate", "key"])
def test_what_is_no_pem_is_refused(gateway: Scripted, name: str, tmp_path: Path) -> None:
    """A credential that is no PEM block of its kind raises ValueError with its name; a missing file OSError."""
    with pytest.raises(ValueError, match=rf"^{name}: holds no PEM block"):
        Client(gateway.target, **gateway.options(**{name: b"nonsense"}))
    with pytest.raises(OSError, match="nowhere"):
        Client(gateway.target, **gateway.options(**{name: tmp_path / "nowhere"}))


@pytest.mark.parametrize("token", ["", "a b", "abc\n", "é", "canary\x00", None])
def test_a_token_that_is_none_is_not_sent(gateway: Scripted, token: Any) -> None:
    """A token with blanks, line breaks or odd characters raises ValueError that does not repeat it."""
    with Client(gateway.target, **gateway.options(token=lambda: token)) as client:
        with pytest.raises(ValueError, match=r"^token: must be an access token") as caught:
            client.models()
        assert "canary" not in str(caught.value)
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"target": "https://gateway.example:8443"}, "target: must be host:port"),
        ({"target": "gateway.example"}, "target: must be host:port"),
        ({"token": Path("token.txt")}, "token: must be an access token or a function that returns one; got PosixPath"),
        ({"token": None}, "token: must be an access token or a function"),
    ],
)
async def test_what_can_not_be_called_is_refused_at_once(gateway: Scripted, given: Any, said: str) -> None:
    """An address without a port or with that of a web page, and a token that is a path, name themselves at once."""
    for client in (Client, AsyncClient):
        with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
            client(**{"target": gateway.target, **gateway.options(), **given})


def test_a_key_of_another_certificate_is_named(gateway: Scripted) -> None:
    """Of a certificate and a key that are no pair gRPC says nothing that a caller could act on; the exception does."""
    options = gateway.options(key=Authority().ca.key)
    with Client(gateway.target, **options) as client, pytest.raises(ConnectionFailed, match="are no pair"):
        client.models()


def test_a_server_of_another_ca_gets_nothing(gateway: Scripted) -> None:
    """A gateway whose certificate another CA signed is not spoken to."""
    options = gateway.options(ca=Authority().ca.certificate)
    with Client(gateway.target, **options) as client, pytest.raises(ConnectionFailed):
        client.models()
    assert gateway.calls == []


def test_a_server_of_another_name_gets_nothing(gateway: Scripted) -> None:
    """server_name is the name that the certificate must have: another one is refused, the right one works."""
    options = gateway.options(server_name="elsewhere.example")
    with Client(gateway.target, **options) as client, pytest.raises(ConnectionFailed):
        client.models()
    gateway.script(scripted.listed("a"))
    with Client(gateway.target, **gateway.options(server_name="localhost")) as client:
        assert len(client.models()) == 1
    assert len(gateway.calls) == 1


def test_two_clients_never_share_a_connection(gateway: Scripted) -> None:
    """Clients of different certificates in one process keep their own."""
    seen: list[bytes] = []

    def step(request: Any, context: Any) -> Any:
        seen.append(context.auth_context()["x509_pem_cert"][0])
        return scripted.listed("a")(request, context)

    gateway.script(step, step)
    other = gateway.authority.client("spiffe://other.example/app")
    changed = gateway.options(certificate=other.certificate, key=other.key)
    with Client(gateway.target, **gateway.options()) as one, Client(gateway.target, **changed) as two:
        one.models()
        two.models()
    assert seen == [gateway.certificate.certificate, other.certificate]


def test_a_large_answer_arrives(gateway: Scripted, use: Use) -> None:
    """An answer above gRPC's own limit of 4 MiB arrives whole."""
    gateway.script(scripted.answer("x" * (5 << 20)))
    with Client(gateway.target, **gateway.options()) as client:
        assert len(client.generate(model="general", use=use, prompt="x").text) == 5 << 20


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), 1e12, 10**400, "30"])
def test_a_time_that_is_none_is_refused(gateway: Scripted, use: Use, timeout_s: Any) -> None:
    """There is no call without an end: a timeout that is no number above zero, or ages, raises ValueError, unsent."""
    with Client(gateway.target, **gateway.options()) as client:
        with pytest.raises(ValueError, match="timeout_s"):
            client.models(timeout_s=timeout_s)
        with pytest.raises(ValueError, match="timeout_s"):
            client.stream(model="general", use=use, prompt="x", timeout_s=timeout_s)
    assert gateway.calls == []


def test_an_async_client_needs_a_running_loop(gateway: Scripted) -> None:
    """Made outside an event loop it says so at once, and not later in another loop."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient(gateway.target, **gateway.options())


async def test_an_async_token_that_never_comes_ends_with_the_time(gateway: Scripted, use: Use) -> None:
    """A token function counts against the time of the call: one that never gives a token sends nothing and ends."""

    async def never() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        AsyncClient(gateway.target, **gateway.options(token=never)) as client,
        AsyncAuditClient(gateway.target, **gateway.options(token=never)) as auditor,
    ):
        ways: list[Any] = [
            client.models(timeout_s=0.05),
            anext(client.stream(model="general", use=use, prompt="x", timeout_s=0.05)),
            anext(auditor.watch(timeout_s=0.05)),
        ]
        for way in ways:
            with pytest.raises(DeadlineExceeded, match="no token within the time given; nothing was sent") as caught:
                await asyncio.wait_for(way, 20)
            assert caught.value.retry_safe
    assert gateway.calls == []


async def test_a_token_function_that_runs_out_of_its_own_time_says_so(gateway: Scripted) -> None:
    """A TimeoutError of the token function itself is raised as it is, not taken for the end of the call's time."""

    async def own() -> str:
        raise TimeoutError("the issuer did not answer")

    async with AsyncClient(gateway.target, **gateway.options(token=own)) as client:
        with pytest.raises(TimeoutError, match="the issuer did not answer"):
            await client.models()


def test_a_token_that_came_too_late_is_not_used(gateway: Scripted) -> None:
    """Where a token function took all the time of a call, nothing is sent, and the error says which it was."""

    def late() -> str:
        threading.Event().wait(0.02)
        return TOKEN

    too_late = pytest.raises(DeadlineExceeded, match="no token within the time given; nothing was sent")
    with Client(gateway.target, **gateway.options(token=late)) as client, too_late:
        client.models(timeout_s=0.01)
    assert gateway.calls == []


async def test_closing_an_async_client_cancels_no_task(gateway: Scripted, use: Use) -> None:
    """A call, or a stream, in flight when its client is closed raises Cancelled, as nobody cancelled who waits."""
    released = threading.Event()
    for of in ("models", "stream"):
        client, arrived = AsyncClient(gateway.target, **gateway.options()), threading.Event()
        hold = scripted.hold(released, arrived)
        gateway.script(hold if of == "models" else scripted.events(scripted.start(), then=hold))
        asked = client.models() if of == "models" else everything(client, use)
        task = asyncio.create_task(asked)
        assert await asyncio.to_thread(arrived.wait, 10)
        await client.close()
        with pytest.raises(Cancelled, match="the client was closed"):
            await task
        assert not task.cancelled()
    released.set()


async def everything(client: AsyncClient, use: Use) -> Any:
    return [event async for event in client.stream(model="general", use=use, prompt="x")]


async def test_a_closed_client_sends_nothing_and_says_so(gateway: Scripted, use: Use) -> None:
    """Either client raises Cancelled for a call after its close, with nothing sent, and no error of gRPC's own."""
    client, other = Client(gateway.target, **gateway.options()), AsyncClient(gateway.target, **gateway.options())
    client.close()
    await other.close()
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        client.models()
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        next(client.stream(model="general", use=use, prompt="x"))
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        await other.models()
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        await everything(other, use)
    assert gateway.calls == []


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
async def test_pages_that_come_again_end(gateway: Scripted, tokens: list[str]) -> None:
    """A server that names a page as the next one that was there already is no gateway, and asked no further."""
    gateway.script(*[scripted.page(token) for token in (*tokens, *tokens)])
    again = pytest.raises(NotThisGateway, match="a page that was there already")
    with AuditClient(gateway.target, **gateway.options()) as client, again:
        list(client.records())
    async with AsyncAuditClient(gateway.target, **gateway.options()) as other:
        with pytest.raises(NotThisGateway, match="a page that was there already"):
            [record async for record in other.records()]
    assert len(gateway.calls) == 2 * len(tokens)


async def test_pages_end_where_no_next_one_is_named(gateway: Scripted) -> None:
    """All pages are read, to the one that names no next."""
    gateway.script(*[scripted.page(token) for token in ("a", "b", "", "a", "")])
    with AuditClient(gateway.target, **gateway.options()) as client:
        assert len(list(client.records())) == 3
    async with AsyncAuditClient(gateway.target, **gateway.options()) as other:
        assert len([record async for record in other.records()]) == 2


async def test_the_token_of_an_async_client_may_be_awaited(gateway: Scripted) -> None:
    """The token function of the asyncio client may be a coroutine function."""

    async def token() -> str:
        return "abc.def"

    gateway.script(scripted.listed("a"))
    async with AsyncClient(gateway.target, **gateway.options(token=token)) as client:
        await client.models()
    assert gateway.calls[0].authorization == ("Bearer abc.def",)


def test_both_clients_have_the_same_face() -> None:
    """The methods and arguments of the two clients are the same."""
    for blocking, asynchronous in ((Client, AsyncClient), (AuditClient, AsyncAuditClient)):
        names = [name for name in dir(blocking) if not name.startswith("_")]
        assert names == [name for name in dir(asynchronous) if not name.startswith("_")]
        for name in names:
            one, two = (inspect.signature(getattr(kind, name)).parameters for kind in (blocking, asynchronous))
            assert one == two, name
        assert list(inspect.signature(blocking).parameters) == list(inspect.signature(asynchronous).parameters)


def test_everything_public_is_exported() -> None:
    """__all__ names everything public that the package has, and nothing else."""
    public = {n for n, value in vars(brightline).items() if not n.startswith("_") and not inspect.ismodule(value)}
    assert sorted(public) == sorted(set(brightline.__all__) - {"__version__"})


@pytest.mark.parametrize("of", ["models", "stream"])
async def test_a_client_that_is_closed_before_it_has_a_token_sends_nothing(
    gateway: Scripted, use: Use, of: str
) -> None:
    """Either client raises Cancelled where close() came while the token was made, and no error of gRPC's own."""

    def token() -> str:
        client.close()
        return TOKEN

    async def later() -> str:
        await other.close()
        return TOKEN

    client = Client(gateway.target, **gateway.options(token=token))
    other = AsyncClient(gateway.target, **gateway.options(token=later))
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        _ = client.models() if of == "models" else next(client.stream(model="general", use=use, prompt="x"))
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        await (other.models() if of == "models" else everything(other, use))
    assert gateway.calls == []


def test_an_audit_client_that_is_closed_before_it_has_a_token_sends_nothing(gateway: Scripted) -> None:
    """The same of a reviewer's stream, which is begun by itself."""

    def token() -> str:
        client.close()
        return TOKEN

    client = AuditClient(gateway.target, **gateway.options(token=token))
    with pytest.raises(Cancelled, match="the client was closed; nothing was sent"):
        next(client.watch())
    assert gateway.calls == []
