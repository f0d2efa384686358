"""What is forwarded is what was permitted, and what the service answers arrives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.errors import GatewayError, Reason
from gateway.types import (
    Completion,
    Document,
    End,
    Message,
    Part,
    Permitted,
    Prompt,
    Stop,
    Text,
    Tool,
    ToolResult,
    ToolUse,
)
from gateway.upstream import Upstream, anthropic, open_upstream, openai
from tests.support.upstream_servers import MODEL, Script, Server, permit, prompt

FULL = prompt(
    Message("user", (Text("Where is it?"), Document('a "b".txt', "The body.", "SECRET//NOFORN"))),
    Message("assistant", (Text("I look."), ToolUse("call-1", "lookup", '{"q":"depot","n":2}'))),
    Message("user", (ToolResult("call-1", "nothing found", is_error=True), Text("Try again."))),
    system="Be brief.",
    tools=(Tool("lookup", "Looks it up.", '{"properties":{"q":{"type":"string"}},"type":"object"}', "read_only", ()),),
    max_tokens=99,
)
SCHEMA = {"properties": {"q": {"type": "string"}}, "type": "object"}
DOCUMENT = 'Document "a \\"b\\".txt", marking "SECRET//NOFORN":\n\nThe body.'
ANTHROPIC_BODY = {
    "model": MODEL,
    "max_tokens": 99,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Where is it?"}, {"type": "text", "text": DOCUMENT}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "call-1", "name": "lookup", "input": {"q": "depot", "n": 2}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call-1", "content": "nothing found", "is_error": True},
                {"type": "text", "text": "Try again."},
            ],
        },
    ],
    "tools": [{"name": "lookup", "description": "Looks it up.", "input_schema": SCHEMA}],
}
OPENAI_BODY = {
    "model": MODEL,
    "max_completion_tokens": 99,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Where is it?"}, {"type": "text", "text": DOCUMENT}]},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "type": "function",
                    "id": "call-1",
                    "function": {"name": "lookup", "arguments": '{"q":"depot","n":2}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call-1", "content": "The tool failed: nothing found"},
        {"role": "user", "content": "Try again."},
    ],
    "tools": [
        {"type": "function", "function": {"name": "lookup", "description": "Looks it up.", "parameters": SCHEMA}}
    ],
}
STREAMED: dict[str, dict[str, Any]] = {
    "anthropic": {"stream": True},
    "openai": {"stream": True, "stream_options": {"include_usage": True}},
}


async def both(upstream: Upstream, permitted: Permitted) -> tuple[Completion, Completion]:
    """The answer whole, and the same answer put together from a stream."""
    whole = await upstream.generate(permitted, 10)
    *pieces, end = [chunk async for chunk in upstream.stream(permitted, 10)]
    assert isinstance(end, End)
    texts = "".join(piece.text for piece in pieces if isinstance(piece, Text))
    calls = [piece for piece in pieces if isinstance(piece, ToolUse)]
    return whole, Completion((*([Text(texts)] if texts else []), *calls), end)


async def test_the_body_is_what_was_permitted(kind: str, server: Server, upstream: Upstream) -> None:
    """Every field of the prompt is forwarded where the API has its place, and nothing beside it."""
    await both(upstream, permit(FULL))
    expected = ANTHROPIC_BODY if kind == "anthropic" else OPENAI_BODY
    assert server.requests == [expected, expected | STREAMED[kind]]


async def test_the_headers_are_what_the_protocol_needs(kind: str, server: Server, upstream: Upstream) -> None:
    """Nothing about the gateway's machine leaves with a call, and no cookie."""
    await both(upstream, permit(prompt()))
    needed = {"host", "accept", "accept-encoding", "content-type", "content-length", "user-agent", "authorization"}
    expected = needed | ({"anthropic-version"} if kind == "anthropic" else set())
    assert [set(headers) for headers in server.headers] == [expected, expected]
    assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-gateway-key-9876"}


@pytest.mark.parametrize(
    ("script", "parts", "stop"),
    [
        (Script(), (Text("Hello, world."),), Stop.END),
        (Script(texts=("Grüße 世界", " 🛰️")), (Text("Grüße 世界 🛰️"),), Stop.END),
        (Script(thinking="not for the caller"), (Text("Hello, world."),), Stop.END),
        (
            Script(calls=(("c-1", "lookup", '{"b": 1, "a": [true, null, 1.5]}'), ("c-2", "lookup", "{}"))),
            (
                Text("Hello, world."),
                ToolUse("c-1", "lookup", '{"a":[true,null,1.5],"b":1}'),
                ToolUse("c-2", "lookup", "{}"),
            ),
            Stop.TOOL_USE,
        ),
        (Script(texts=(), calls=(("c-1", "lookup", "{}"),)), (ToolUse("c-1", "lookup", "{}"),), Stop.TOOL_USE),
        (Script(texts=()), (), Stop.END),
    ],
)
async def test_an_answer_arrives_whole_and_in_pieces(
    server: Server, upstream: Upstream, script: Script, parts: tuple[Part, ...], stop: Stop
) -> None:
    """A streamed answer is the same answer; reasoning is no part of it; arguments have one compact form."""
    server.script = script
    expected = Completion(parts, End(stop, MODEL, 11, 7))  # type: ignore[arg-type]  # no other part is given
    assert await both(upstream, permit(prompt())) == (expected, expected)


@pytest.mark.parametrize(
    ("kind", "reason", "stop"),
    [
        ("anthropic", "end_turn", Stop.END),
        ("anthropic", "stop_sequence", Stop.END),
        ("anthropic", "max_tokens", Stop.MAX_TOKENS),
        ("anthropic", "model_context_window_exceeded", Stop.MAX_TOKENS),
        ("anthropic", "refusal", Stop.MODEL_REFUSAL),
        ("openai", "stop", Stop.END),
        ("openai", "length", Stop.MAX_TOKENS),
        ("openai", "content_filter", Stop.MODEL_REFUSAL),
    ],
)
async def test_stop_reasons_keep_their_meaning(server: Server, upstream: Upstream, reason: str, stop: Stop) -> None:
    """Each documented reason is one of ours."""
    server.script = Script(stop=reason)
    whole, streamed = await both(upstream, permit(prompt()))
    assert (whole.end.stop, streamed.end.stop) == (stop, stop)


@pytest.mark.parametrize("kind", ["openai"])
async def test_a_refusal_in_its_own_field_is_a_refusal(server: Server, upstream: Upstream) -> None:
    """The text of a refusal reaches the caller as text, and the stop reason says what it is."""
    server.script = Script(texts=(), refusal="I can't help with that.")
    expected = Completion((Text("I can't help with that."),), End(Stop.MODEL_REFUSAL, MODEL, 11, 7))
    assert await both(upstream, permit(prompt())) == (expected, expected)


@pytest.mark.parametrize("kind", ["openai"])
async def test_a_temperature_is_a_decimal_on_the_wire(server: Server, upstream: Upstream) -> None:
    """Thousandths become the number that the API takes."""
    await upstream.generate(permit(prompt(temperature_milli=700)), 10)
    assert server.requests[0]["temperature"] == 0.7


@pytest.mark.parametrize("kind", ["anthropic"])
async def test_a_temperature_that_the_api_does_not_take_is_refused(server: Server, upstream: Upstream) -> None:
    """It is neither dropped silently nor sent."""
    permitted = permit(prompt(temperature_milli=700))
    with pytest.raises(GatewayError) as refused:
        await upstream.generate(permitted, 10)
    assert (refused.value.reason, refused.value.field, refused.value.sent) == (
        Reason.INVALID_REQUEST,
        "prompt.temperature_milli",
        False,
    )
    with pytest.raises(GatewayError):
        upstream.stream(permitted, 10)
    assert server.requests == []


async def test_calls_share_a_connection(server: Server, upstream: Upstream) -> None:
    """A connection is used again after an answer and after a stream that was read to its end."""
    for _ in range(5):
        await both(upstream, permit(prompt()))
    assert (len(server.requests), len(server.connections)) == (10, 1)


words = st.uuids().map(lambda value: value.hex)
objects = st.builds('{{"{}":"{}"}}'.format, words, words)
said = st.one_of(st.builds(Text, words), st.builds(Document, words, words, words))
turns = st.one_of(
    st.builds(
        Message,
        st.just("user"),
        st.lists(said | st.builds(ToolResult, words, words, st.booleans()), min_size=1, max_size=4).map(tuple),
    ),
    st.builds(
        Message,
        st.just("assistant"),
        st.lists(said | st.builds(ToolUse, words, words, objects), min_size=1, max_size=4).map(tuple),
    ),
)
prompts = st.builds(
    Prompt,
    model=st.just("model-1"),
    system=words,
    messages=st.lists(turns, min_size=1, max_size=4).map(tuple),
    tools=st.lists(st.builds(Tool, words, words, objects, st.just("read_only")), max_size=2).map(tuple),
    max_tokens=st.integers(1, 100),
    temperature_milli=st.none(),
    use=st.just({"purpose": "a declaration is not forwarded"}),
)
WORD = re.compile("[0-9a-f]{32}")
OWN_WORDS = {
    *("model", "max_tokens", "max_completion_tokens", "system", "messages", "role", "user", "assistant", "content"),
    *("type", "text", "tool", "tools", "tool_use", "tool_result", "tool_use_id", "tool_call_id", "tool_calls", "id"),
    *("name", "description", "input", "input_schema", "is_error", "function", "parameters", "arguments", MODEL, ""),
    *('{"":""}', "The tool failed: ", 'Document "", marking "":\n\n'),
}


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("build", [anthropic.request, openai.request])
@given(asked=prompts)
def test_what_is_forwarded_is_what_was_judged(build: Callable[[Permitted], dict[str, Any]], asked: Prompt) -> None:
    """Every text that detectors read is in the body, and every word of the body is one of them or the API's own."""
    sent = list(strings(build(permit(asked))))
    assert set(WORD.findall(" ".join(sent))) == set(WORD.findall(" ".join(asked.texts())))
    assert {WORD.sub("", text) for text in sent} <= OWN_WORDS


async def test_a_slash_at_the_end_of_the_url_makes_no_difference(kind: str, server: Server, key_file: Path) -> None:
    """The path that the protocol has follows whatever the configuration says, with one slash between."""
    given = {"name": "service", "kind": kind, "base_url": f"{server.base_url}/", "api_key": str(key_file)}
    opened = open_upstream(config.Upstream.model_validate(given), 1 << 16)
    await opened.generate(permit(prompt()), 10)
    assert len(server.requests) == 1
    await opened.close()
