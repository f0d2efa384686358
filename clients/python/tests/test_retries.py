"""A call is made again only where the gateway says that nothing of it reached a model."""

import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import brightline
from brightline import AsyncClient, BrightlineError, Client, Refused, Started, Unavailable, Use
from brightline._attempts import TRANSIENT, Attempts
from clients.python.tests import scripted
from clients.python.tests.scripted import Scripted
from gateway.errors import Reason
from tests.support.pki import Authority

LASTING = sorted(set(Reason) - TRANSIENT)


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_transient_refusal_is_repeated(gateway: Scripted, use: Use, reason: str) -> None:
    """A reason that passes, and a call of which nothing was sent: a second attempt answers."""
    gateway.script(scripted.refuse(reason), scripted.answer())
    with Client(gateway.target, **gateway.options()) as client:
        assert client.generate(model="general", use=use, prompt="x").decision_id
    assert len(gateway.calls) == 2


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_what_may_have_been_sent_is_not_repeated(gateway: Scripted, use: Use, reason: str) -> None:
    """The same reasons without retry_safe: one attempt."""
    gateway.script(scripted.refuse(reason, sent=True), scripted.answer())
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(BrightlineError):
        client.generate(model="general", use=use, prompt="x")
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("reason", LASTING)
def test_a_lasting_refusal_is_not_repeated(gateway: Scripted, use: Use, reason: str) -> None:
    """Every other reason, retry_safe or not: one attempt."""
    gateway.script(scripted.refuse(reason), scripted.answer())
    with Client(gateway.target, **gateway.options()) as client, pytest.raises(BrightlineError):
        client.generate(model="general", use=use, prompt="x")
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_attempts_are_bounded(gateway: Scripted, retries: int) -> None:
    """There are never more attempts than asked for, and the last refusal is raised."""
    gateway.script(*[scripted.refuse("AUDIT_UNAVAILABLE")] * 5)
    with Client(gateway.target, **gateway.options(retries=retries)) as client, pytest.raises(Unavailable):
        client.models()
    assert len(gateway.calls) == retries + 1


async def test_async_attempts_are_bounded(gateway: Scripted) -> None:
    """The asyncio client repeats twice by default, and no more."""
    gateway.script(*[scripted.refuse("POLICY_UNAVAILABLE")] * 5)
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        with pytest.raises(Unavailable):
            await client.models()
    assert len(gateway.calls) == 3


def test_the_token_is_asked_for_each_attempt(gateway: Scripted) -> None:
    """A token function is called once for every attempt, and its newest token is sent."""
    numbers = itertools.count()
    gateway.script(*[scripted.refuse("OVERLOADED")] * 2, scripted.listed("a"))
    with Client(gateway.target, **gateway.options(token=lambda: f"token.{next(numbers)}")) as client:
        client.models()
    assert [call.authorization for call in gateway.calls] == [(f"Bearer token.{i}",) for i in range(3)]


def test_attempts_share_one_deadline(gateway: Scripted) -> None:
    """However many attempts are allowed, they end with the one deadline of the call."""
    gateway.script(*[scripted.refuse("OVERLOADED")] * 50)
    with Client(gateway.target, **gateway.options(retries=49)) as client, pytest.raises(BrightlineError):
        client.models(timeout_s=3)
    assert 1 < len(gateway.calls) < 20


def test_there_is_no_pause_beyond_the_deadline() -> None:
    """When the pause would end after the deadline, the refusal is raised instead of waiting for it."""
    refusal = Unavailable("no", reason="AUDIT_UNAVAILABLE", retry_safe=True)
    attempts = Attempts(2, 0.04)
    with pytest.raises(Unavailable) as caught:
        attempts.pause_s(refusal)
    assert caught.value is refusal


def test_pauses_grow_and_vary() -> None:
    """Each pause is drawn from twice the range of the one before it, half of it random."""
    refusal = Unavailable("no", reason="AUDIT_UNAVAILABLE", retry_safe=True)
    pauses = []
    for _ in range(50):
        attempts = Attempts(3, 60)
        pauses.append([attempts.pause_s(refusal) for _ in range(3)])
    for number, least in enumerate((0.05, 0.1, 0.2)):
        drawn = [row[number] for row in pauses]
        assert all(least <= pause <= 2 * least for pause in drawn)
        assert len(set(drawn)) > 10


def test_a_pause_is_never_shorter_than_the_gateway_said() -> None:
    """Where a refusal says when to come again, no attempt comes before that, and they do not all come at once."""
    refusal = Unavailable("no", reason="UPSTREAM_UNAVAILABLE", retry_safe=True, again_s=10.0)
    pauses = [Attempts(1, 60).pause_s(refusal) for _ in range(50)]
    assert all(10 <= pause <= 20 for pause in pauses)
    assert len(set(pauses)) > 10


def test_a_stream_is_repeated_before_its_first_event(gateway: Scripted, use: Use) -> None:
    """A stream that is refused before its first event is tried again, unseen by the caller."""
    gateway.script(scripted.refuse("OVERLOADED"), scripted.events(scripted.start(), scripted.text("x"), scripted.end()))
    with Client(gateway.target, **gateway.options()) as client:
        events = list(client.stream(model="general", use=use, prompt="x"))
    assert [type(event).__name__ for event in events] == ["Started", "Text", "Answer"]
    assert len(gateway.calls) == 2


async def test_an_async_stream_is_repeated_before_its_first_event(gateway: Scripted, use: Use) -> None:
    """The asyncio client repeats a stream that is refused before its first event."""
    gateway.script(scripted.refuse("OVERLOADED"), scripted.events(scripted.start(), scripted.end()))
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        events = [event async for event in client.stream(model="general", use=use, prompt="x")]
    assert len(events) == 2
    assert len(gateway.calls) == 2


def test_a_stream_is_not_repeated_after_its_first_event(gateway: Scripted, use: Use) -> None:
    """Once the caller saw an event, no refusal starts the stream again, whatever it says."""
    gateway.script(scripted.events(scripted.start(), then=scripted.refuse("OVERLOADED")), scripted.events())
    with Client(gateway.target, **gateway.options()) as client:
        stream = client.stream(model="general", use=use, prompt="x")
        assert isinstance(next(stream), Started)
        with pytest.raises(brightline.Overloaded):
            next(stream)
    assert len(gateway.calls) == 1


async def test_an_async_stream_is_not_repeated_after_its_first_event(gateway: Scripted, use: Use) -> None:
    """The asyncio client too never starts a stream again that the caller saw."""
    gateway.script(scripted.events(scripted.start(), then=scripted.refuse("OVERLOADED")), scripted.events())
    async with AsyncClient(gateway.target, **gateway.options()) as client:
        with pytest.raises(brightline.Overloaded):
            [event async for event in client.stream(model="general", use=use, prompt="x")]
    assert len(gateway.calls) == 1


def test_a_refused_connection_fails_at_once() -> None:
    """Where nobody listens the call fails without waiting for its deadline, and names the target."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        target = f"127.0.0.1:{taken.getsockname()[1]}"
    authority = Authority()
    pair = authority.client()
    client = Client(target, ca=authority.ca.certificate, certificate=pair.certificate, key=pair.key, token="t")
    with client, pytest.raises(brightline.ConnectionFailed, match=target):
        client.models(timeout_s=60)


def test_a_broken_connection_is_not_repeated(gateway: Scripted, use: Use) -> None:
    """When the connection breaks in the middle of a call, the call is not sent again."""
    released, arrived = threading.Event(), threading.Event()
    gateway.script(scripted.hold(released, arrived), scripted.answer())
    with (
        scripted.breakable(gateway.target) as (target, cut),
        ThreadPoolExecutor() as pool,
        Client(target, **gateway.options()) as client,
    ):
        call = pool.submit(client.generate, model="general", use=use, prompt="x")
        assert arrived.wait(10)
        cut()
        with pytest.raises(brightline.ConnectionFailed):
            call.result(10)
        released.set()
    assert len(gateway.calls) == 1


def test_a_key_that_an_attempt_used_up_does_not_hide_why(gateway: Scripted, use: Use) -> None:
    """A duplicate that the client's own attempts made raises the refusal before it; any other one raises itself."""
    gateway.script(scripted.refuse("UPSTREAM_UNAVAILABLE"), *[scripted.refuse("DUPLICATE_REQUEST")] * 2)
    with Client(gateway.target, **gateway.options()) as client:
        with pytest.raises(Unavailable) as caught:
            client.generate(model="general", use=use, prompt="x")
        with pytest.raises(brightline.DuplicateRequest):
            client.generate(model="general", use=use, prompt="x")
    assert caught.value.reason == "UPSTREAM_UNAVAILABLE"
    assert len(gateway.calls) == 3


def test_a_refusal_is_final(gateway: Scripted, use: Use) -> None:
    """A policy's no is never asked about again."""
    gateway.script(scripted.refuse("POLICY_DENIED"), scripted.answer())
    with Client(gateway.target, **gateway.options(retries=10)) as client, pytest.raises(Refused):
        client.generate(model="general", use=use, prompt="x")
    assert len(gateway.calls) == 1


@pytest.mark.parametrize("retries", [-1, 2.5, True, "2"])
def test_a_number_of_retries_that_is_none_is_refused(gateway: Scripted, use: Use, retries: Any) -> None:
    """Less than none, or a part of one, would never be used up: the call is refused before anything is sent."""
    client = Client(gateway.target, **{**gateway.options(), "retries": retries})
    with client, pytest.raises(ValueError, match="retries: must be a whole number"):
        client.generate(model="general", use=use, prompt="x")
    assert not gateway.calls
