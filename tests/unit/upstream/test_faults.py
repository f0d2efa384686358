"""Whatever a service does, a call is sent once and ends in an answer or one error that tells the caller nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, End, Message, Permitted, Text
from gateway.upstream import Upstream, open_upstream
from tests.support import upstream_servers
from tests.support.twice import answering_twice, turns
from tests.support.upstream_servers import SECRET, Script, Server, permit, prompt

Ask = Callable[[Upstream, Permitted, float], Awaitable[list[Chunk]]]

PUBLIC = {
    "the model's service failed or answered something unusable",
    "the model's service can't be reached",
    "the model did not answer before the deadline",
    "the deadline passed before the model was asked",
}


async def whole(upstream: Upstream, permitted: Permitted, deadline_s: float) -> list[Chunk]:
    """The parts and the end of an answer that was not streamed."""
    completion = await upstream.generate(permitted, deadline_s)
    return [*completion.parts, completion.end]


async def streamed(upstream: Upstream, permitted: Permitted, deadline_s: float) -> list[Chunk]:
    """The pieces and the end of a streamed answer."""
    return [chunk async for chunk in upstream.stream(permitted, deadline_s)]


@pytest.fixture(params=[whole, streamed])
def ask(request: pytest.FixtureRequest) -> Ask:
    chosen: Ask = request.param
    return chosen


async def drain(chunks: AsyncIterator[Chunk], released: list[Chunk]) -> None:
    """Keep what arrives, also when an error follows."""
    async for chunk in chunks:
        released.append(chunk)  # noqa: PERF401 - a comprehension would lose it


async def refused(asking: Awaitable[object]) -> GatewayError:
    """The error of a call; nothing in it is the service's text, the key or the prompt."""
    with pytest.raises(GatewayError) as caught:
        await asking
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.detail
    for hidden in (SECRET, "sk-gateway-key", "canary-prompt", "X-Injected", "forged"):
        assert hidden not in shown
    assert error.message in PUBLIC
    assert error.detail.isprintable()
    assert len(error.detail) < 200
    return error


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 529])
async def test_an_error_status_is_a_failure_sent_once(
    server: Server, upstream: Upstream, ask: Ask, status: int
) -> None:
    """No status is retried, whatever the service asks for, and of its text only the number is kept."""
    server.script = Script(behaviour="status", status=status)
    error = await refused(ask(upstream, permit(prompt()), 10))
    assert (error.reason, error.sent, error.detail) == (Reason.UPSTREAM_FAILED, True, f"status {status}")
    assert len(server.requests) == 1


async def test_a_redirect_is_not_followed(server: Server, upstream: Upstream, ask: Ask) -> None:
    """A prompt never travels to an address that the configuration does not name."""
    server.script = Script(behaviour="redirect")
    error = await refused(ask(upstream, permit(prompt()), 10))
    assert (error.reason, error.sent, error.detail) == (Reason.UPSTREAM_FAILED, True, "status 307")
    assert (len(server.requests), server.redirected) == (1, 0)


@pytest.mark.parametrize(
    "behaviour",
    [
        "garbage",
        "not_json",
        "wrong_shape",
        "wrong_type",
        "compressed",
        "nothing",
        "hang_up",
        "cut",
        "cut_clean",
        "endless_line",
        "endless_lines",
    ],
)
async def test_garbage_is_a_failure_sent_once(server: Server, upstream: Upstream, ask: Ask, behaviour: str) -> None:
    """What is no answer is no answer, however it is broken."""
    server.script = Script(behaviour=behaviour)
    error = await refused(ask(upstream, permit(prompt()), 30))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_FAILED, True)
    assert len(server.requests) == 1


async def test_an_endless_answer_is_cut_at_the_limit(server: Server, upstream: Upstream, ask: Ask) -> None:
    """A service can't fill the gateway's memory."""
    server.script = Script(behaviour="endless")
    error = await refused(ask(upstream, permit(prompt()), 30))
    assert (error.reason, error.detail) == (Reason.UPSTREAM_FAILED, "the answer is over the size limit")
    assert len(server.requests) == 1


async def test_an_error_in_mid_stream_ends_the_answer(server: Server, upstream: Upstream) -> None:
    """What was released before stays released; the error event's text is not read out."""
    server.script = Script(behaviour="error_event")
    released: list[Chunk] = []
    error = await refused(drain(upstream.stream(permit(prompt()), 10), released))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_FAILED, True)
    assert released
    assert all(isinstance(chunk, Text) for chunk in released)


@pytest.mark.parametrize("behaviour", ["cut", "cut_clean"])
async def test_a_broken_stream_has_no_end(server: Server, upstream: Upstream, behaviour: str) -> None:
    """A stream that ends early, also cleanly, is never taken for a complete answer."""
    server.script = Script(behaviour=behaviour, texts=("one ", "two ", "three ", "four "))
    released: list[Chunk] = []
    error = await refused(drain(upstream.stream(permit(prompt()), 10), released))
    assert error.reason is Reason.UPSTREAM_FAILED
    assert not any(isinstance(chunk, End) for chunk in released)


@pytest.mark.parametrize("model", ["another-model", "", "served-model-1 ", "Served-Model-1", "x\r\ny" * 999])
async def test_another_model_releases_nothing(server: Server, upstream: Upstream, ask: Ask, model: str) -> None:
    """Not one byte of an answer by a model that was not permitted gets through."""
    server.script = Script(model=model)
    permitted = permit(prompt())
    assert (await refused(ask(upstream, permitted, 10))).reason is Reason.UPSTREAM_FAILED
    with pytest.raises(GatewayError):
        await anext(upstream.stream(permitted, 10))


@pytest.mark.parametrize(
    "script",
    [
        Script(stop="pause_turn"),
        Script(stop="function_call"),
        Script(stop="?"),
        Script(output_tokens=65),
        Script(output_tokens=-1),
        Script(output_tokens=True),
        Script(output_tokens=2**53),
        Script(output_tokens=7.5),
        Script(input_tokens=None),
        Script(texts=("\ud800",)),
        Script(calls=(("c-1", "erase", "{}"),)),
        Script(calls=(("c-1", "lookup", "{not json"),)),
        Script(calls=(("c-1", "lookup", '{"a": NaN}'),)),
        Script(calls=(("c-1", "lookup", '{"a": 1e999}'),)),
        Script(calls=(("c-1", "lookup", "[1]"),)),
        Script(calls=(("c-1", "lookup", '{"a": "\\ud800"}'),)),
        Script(calls=(("c-1", "lookup", '{"a":' * 3000 + "1" + "}" * 3000),)),
        Script(calls=(("c\n1", "lookup", "{}"),)),
        Script(calls=(("", "lookup", "{}"),)),
    ],
)
async def test_an_answer_outside_the_permit_is_a_failure(
    server: Server, upstream: Upstream, ask: Ask, script: Script
) -> None:
    """Unknown stops, tokens not counted or over the limit, tools not offered and arguments that are no JSON end it."""
    server.script = script
    error = await refused(ask(upstream, permit(prompt()), 10))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_FAILED, True)


@pytest.mark.parametrize("behaviour", ["silent", "silent_body", "ping"])
async def test_a_slow_service_ends_at_the_deadline(
    server: Server, upstream: Upstream, ask: Ask, behaviour: str
) -> None:
    """The deadline holds in wall time, before and after the first byte, and closes the connection."""
    server.script = Script(behaviour=behaviour)
    error = await refused(ask(upstream, permit(prompt()), 1.0))
    assert (error.reason, error.sent) == (Reason.DEADLINE_EXCEEDED, True)
    await asyncio.wait_for(server.gone.wait(), 180)
    assert len(server.requests) == 1


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("nan")])
async def test_a_call_past_its_deadline_is_never_sent(
    server: Server, upstream: Upstream, ask: Ask, deadline_s: float
) -> None:
    """What waited too long is refused before a byte leaves."""
    error = await refused(ask(upstream, permit(prompt()), deadline_s))
    assert (error.reason, error.sent) == (Reason.DEADLINE_EXCEEDED, False)
    assert server.requests == []


@pytest.fixture
async def nobody(kind: str, key_file: Path) -> AsyncIterator[Upstream]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings = {"name": "service", "kind": kind, "base_url": f"http://127.0.0.1:{port}", "api_key": str(key_file)}
    opened = open_upstream(config.Upstream.model_validate(settings), 1 << 20)
    yield opened
    await opened.close()


async def test_a_refused_connection_sent_nothing(nobody: Upstream, ask: Ask) -> None:
    """The caller may try again: the error says that nothing can have reached a model."""
    error = await refused(ask(nobody, permit(prompt()), 10))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_UNAVAILABLE, False)


@pytest.fixture
async def full(kind: str, key_file: Path) -> AsyncIterator[Upstream]:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = {"name": "s", "kind": kind, "base_url": url, "api_key": str(key_file), "connect_ms": 100}
        opened = open_upstream(config.Upstream.model_validate(settings), 1 << 20)
        yield opened
        await opened.close()


async def test_a_connection_that_is_never_accepted_sent_nothing(full: Upstream, ask: Ask) -> None:
    """connect_ms bounds the wait for a connection, long before the caller's deadline."""
    error = await refused(ask(full, permit(prompt()), 30))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_UNAVAILABLE, False)


async def test_a_cancelled_call_closes_its_connection(server: Server, upstream: Upstream, ask: Ask) -> None:
    """Cancellation passes through as such and does not leave the service working."""
    server.script = Script(behaviour="silent")
    task = asyncio.ensure_future(ask(upstream, permit(prompt()), 30))
    await asyncio.wait_for(server.arrived.wait(), 180)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.gone.wait(), 180)


async def test_a_reader_that_leaves_closes_the_stream(server: Server, upstream: Upstream) -> None:
    """Closing the generator closes the connection at once."""
    server.script = Script(behaviour="endless")
    async with aclosing(upstream.stream(permit(prompt()), 30)) as chunks:
        assert isinstance(await anext(chunks), Text)
    await asyncio.wait_for(server.gone.wait(), 180)
    assert len(server.requests) == 1


@pytest.mark.parametrize("api", ["anthropic", "openai"])
async def test_an_answer_that_nobody_asked_for_answers_no_later_call(api: str, ask: Ask) -> None:
    """What a service sends over an idle connection is never the answer to another caller's question."""

    def answer(asked: dict[str, Any]) -> bytes:
        (said,) = (m["content"] for m in asked["messages"] if m["role"] == "user")
        script = Script(texts=(f"answer to {said if isinstance(said, str) else said[0]['text']}",))
        spoken = upstream_servers._ANTHROPIC if api == "anthropic" else upstream_servers._OPENAI
        return b"".join(spoken.events(script)) if ask is streamed else json.dumps(spoken.whole(script)).encode()

    media_type = "text/event-stream" if ask is streamed else "application/json"
    async with answering_twice(answer, media_type) as (url, asked):
        settings = config.Upstream.model_validate({"name": "service", "kind": api, "base_url": url})
        async with closing(open_upstream(settings, 1 << 16)) as upstream:
            for number, text in enumerate(("A", "B", "C"), start=1):
                chunks = await ask(upstream, permit(prompt(Message("user", (Text(text),)))), 60)
                assert "".join(c.text for c in chunks if isinstance(c, Text)) == f"answer to {text}"
                assert len(asked) == number
                await turns()


@asynccontextmanager
async def closing(upstream: Upstream) -> AsyncIterator[Upstream]:
    """Closed afterwards."""
    yield upstream
    await upstream.close()


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "1234567890123456789012345678"])
async def test_a_tool_gets_the_integers_that_the_model_wrote_or_none(digits: str) -> None:
    """An integer that a double would change is refused in a whole answer as it is in a stream."""
    body = json.dumps(upstream_servers._ANTHROPIC.whole(Script(texts=(), calls=(("c-1", "lookup", '{"n":0}'),))))
    body = body.replace('{"n": 0}', f'{{"n": {digits}}}')
    async with answering_twice(lambda _: body.encode()) as (url, _):
        settings = config.Upstream.model_validate({"name": "service", "kind": "anthropic", "base_url": url})
        async with closing(open_upstream(settings, 1 << 16)) as upstream:
            error = await refused(whole(upstream, permit(prompt()), 60))
    assert (error.reason, error.sent) == (Reason.UPSTREAM_FAILED, True)
