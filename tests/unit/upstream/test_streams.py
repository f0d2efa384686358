"""A stream means what its bytes say, however they are cut, and bytes that say nothing sensible are one error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, End, Text, ToolUse
from gateway.upstream import anthropic, openai
from gateway.upstream.answer import Answer
from gateway.upstream.events import events, mostly_text
from gateway.upstream.exchange import attempt, read_stream
from tests.support import upstream_servers
from tests.support.upstream_servers import Script, permit, prompt

ANSWER_BYTES = 4096
RICH = Script(
    texts=("Grüße, ", "世界", " 🛰️."),
    calls=(("c-1", "lookup", '{"q": "dépôt", "n": [1, 2]}'), ("c-2", "lookup", "{}")),
    thinking="hm",
)


async def read(kind: str, pieces: list[bytes]) -> list[Chunk]:
    """What the reader makes of a stream that arrives in the given pieces."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    answer = Answer(permit(prompt()), ANSWER_BYTES)
    reader = anthropic.StreamReader(answer) if kind == "anthropic" else openai.StreamReader(answer)
    found = events(body(), 1 << 20)
    return [chunk async for chunk in read_stream(found, reader, asyncio.get_running_loop().time() + 60)]


def wire(kind: str, script: Script) -> bytes:
    """The bytes of a stream."""
    api = upstream_servers._ANTHROPIC if kind == "anthropic" else upstream_servers._OPENAI
    return b"".join(api.events(script))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


EXPECTED = [
    Text("Grüße, "),
    Text("世界"),
    Text(" 🛰️."),
    ToolUse("c-1", "lookup", '{"n":[1,2],"q":"dépôt"}'),
    ToolUse("c-2", "lookup", "{}"),
]


@pytest.mark.parametrize("stream_kind", ["anthropic", "openai"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@given(places=st.lists(st.integers(0, 10_000), max_size=30), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
@example(places=list(range(10_000)), mark=b"\xef\xbb\xbf")
@example(places=[], mark=b"")
def test_any_cut_of_a_stream_gives_the_same_chunks(
    stream_kind: str, newline: bytes, places: list[int], mark: bytes
) -> None:
    """Pieces may end anywhere: inside a character, a line ending, a name, a number, a mark before all."""
    data = mark + wire(stream_kind, RICH).replace(b"\n", newline)
    *chunks, end = asyncio.run(read(stream_kind, cut(data, places)))
    assert chunks == EXPECTED
    assert isinstance(end, End)


@pytest.mark.parametrize("stream_kind", ["anthropic", "openai"])
@given(place=st.integers(0, 10_000))
def test_a_stream_that_stops_anywhere_is_not_complete(stream_kind: str, place: int) -> None:
    """No prefix of a stream has an End, but one that lacks nothing except the blank line or marker after it."""
    data = wire(stream_kind, RICH)
    complete = len(data.removesuffix(b"data: [DONE]\n\n")) - (1 if stream_kind == "anthropic" else 0)
    with pytest.raises(GatewayError) as refused:
        asyncio.run(read(stream_kind, [data[: place % (complete - 1)]]))
    assert refused.value.reason is Reason.UPSTREAM_FAILED


@pytest.mark.parametrize("stream_kind", ["anthropic", "openai"])
async def test_the_limit_is_that_of_an_event_however_many_come_at_once(stream_kind: str) -> None:
    """Whether events come one by one or together makes no difference; one over the limit is no answer."""
    data = wire(stream_kind, RICH)
    longest = max(map(len, data.split(b"\n\n"))) + 2

    async def found(limit: int) -> list[Any]:
        async def body() -> AsyncGenerator[bytes]:
            yield data

        return [event async for event in events(body(), limit)]

    assert await found(longest) == [event for event in data_of(stream_kind) if event.get("type") != "ping"]
    with pytest.raises(GatewayError) as refused:
        await found(longest - 1)
    assert refused.value.detail == "the answer is over the size limit"


@pytest.mark.parametrize("stream_kind", ["anthropic", "openai"])
def test_an_event_of_very_many_lines_is_no_answer(stream_kind: str) -> None:
    """A service can't keep every other call waiting while the lines of one event are looked at."""
    with pytest.raises(GatewayError) as refused:
        asyncio.run(read(stream_kind, [b"data:\n" * 1000 + b"\n"]))
    assert refused.value.detail == "an event of too many lines"


@pytest.mark.parametrize("stream_kind", ["anthropic", "openai"])
async def test_very_many_events_let_others_have_their_turns(stream_kind: str) -> None:
    """A service can't keep every other call waiting with events that say nothing."""
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(another())
    *chunks, _ = await read(stream_kind, [b"\n\n" * 100_000, wire(stream_kind, RICH)])
    other.cancel()
    assert chunks == EXPECTED
    assert turns > 300


@pytest.mark.parametrize("many", [b"[" + b"{}," * 100_000 + b"{}]", b"[" + b'"",' * 200_000 + b'""]', b"1" * 300_000])
def test_json_of_very_many_parts_is_no_answer(many: bytes) -> None:
    """What would take hundreds of times its bytes in memory is not parsed; a long text is."""
    with pytest.raises(GatewayError) as refused:
        mostly_text(many)
    assert refused.value.detail == "an answer of too many parts"
    text = b'{"text":"' + b'\\"{}[],' * 100_000 + b'"}'
    assert mostly_text(text) == text


def test_two_tool_calls_in_one_place_are_no_answer() -> None:
    """No tool is called with the arguments of another call, and no call is dropped in silence."""
    for first, second, *other in (("", '{"b":2}', "c-2"), ('{"a":1}', "", "c-2"), ("", '{"b":2}', "", "erase")):
        said = [piece(0, "c-1", first), piece(0, other[0], second, *other[1:]), *data_of("openai")[-2:]]
        with pytest.raises(GatewayError) as refused:
            asyncio.run(read("openai", [b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in said)]))
        assert refused.value.detail == "two tool calls in one place"


def test_very_many_tool_calls_are_no_answer() -> None:
    """A service can't fill the memory, or keep every other call waiting, with calls that weigh next to nothing."""
    reader = openai.StreamReader(Answer(permit(prompt()), 1 << 20))
    for index in range(openai.MOST_CALLS):
        assert [*reader.read(piece(index, "c", ""))] == []
    assert [*reader.read(piece(0, "c", "{}"))] == []
    with pytest.raises(GatewayError) as refused:
        [*reader.read(piece(openai.MOST_CALLS, "c", "{}"))]
    assert refused.value.detail == "too many tool calls"


def piece(index: int, identifier: str, arguments: str, name: str = "lookup") -> Any:
    """A piece of a stream that calls a tool."""
    function = {"name": name, "arguments": arguments}
    call = {"index": index, "id": identifier, "type": "function", "function": function}
    delta = {"tool_calls": [call]}
    return {"model": upstream_servers.MODEL, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


def broken(events: list[Any]) -> st.SearchStrategy[Any]:
    """One of `events` with a value somewhere replaced by anything."""
    return st.sampled_from(events).flatmap(_break)


def _break(event: Any) -> st.SearchStrategy[Any]:
    if isinstance(event, dict) and event:
        inner = st.sampled_from(sorted(event)).flatmap(lambda k: _break(event[k]).map(lambda v: {**event, k: v}))
        return st.one_of(anything, inner, st.just(event))
    if isinstance(event, list) and event:
        return st.one_of(anything, _break(event[0]).map(lambda v: [v, *event[1:]]))
    return anything


def data_of(kind: str) -> list[Any]:
    """The data of each event of a stream."""
    lines = wire(kind, RICH).decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.mark.parametrize(("stream_kind", "module"), [("anthropic", anthropic), ("openai", openai)])
@given(data=st.data())
async def test_any_events_are_chunks_or_one_error(stream_kind: str, module: Any, data: st.DataObject) -> None:
    """Parse, or GatewayError(UPSTREAM_FAILED): nothing else leaves a reader, and every text is a string."""
    good = data_of(stream_kind)
    said = data.draw(st.lists(st.one_of(st.sampled_from(good), broken(good), anything), max_size=12))
    reader = module.StreamReader(Answer(permit(prompt()), ANSWER_BYTES))
    try:
        for event in [*good[: data.draw(st.integers(0, len(good)))], *said]:
            async with attempt(asyncio.get_running_loop().time() + 60):
                chunks = list(reader.read(event))
            assert all(isinstance(c.text if isinstance(c, Text) else c.input, str) for c in chunks)
        async with attempt(asyncio.get_running_loop().time() + 60):
            assert isinstance(reader.end(), End)
    except GatewayError as error:
        assert error.reason is Reason.UPSTREAM_FAILED


@pytest.mark.parametrize(("stream_kind", "module"), [("anthropic", anthropic), ("openai", openai)])
@given(data=st.data())
async def test_any_whole_answer_is_a_completion_or_one_error(
    stream_kind: str, module: Any, data: st.DataObject
) -> None:
    """The same for an answer that was not streamed."""
    api = upstream_servers._ANTHROPIC if stream_kind == "anthropic" else upstream_servers._OPENAI
    reply = data.draw(broken([api.whole(RICH)]))
    try:
        async with attempt(asyncio.get_running_loop().time() + 60):
            completion = module.whole(reply, Answer(permit(prompt()), ANSWER_BYTES))
        assert isinstance(completion, Completion)
        assert all(isinstance(part, Text | ToolUse) for part in completion.parts)
    except GatewayError as error:
        assert error.reason is Reason.UPSTREAM_FAILED


def with_input(event: dict[str, Any], value: Any) -> dict[str, Any]:
    """The event, of a block of a tool call with all its arguments at the start."""
    block = event.get("content_block", {})
    return {**event, "content_block": {**block, "input": value}} if block.get("type") == "tool_use" else event


@pytest.mark.parametrize(
    "changed",
    [
        lambda e: e[1:],
        lambda e: [e[0], *e],
        lambda e: [e[0], *e[2:]],
        lambda e: [*e, e[-1]],
        lambda e: [*e[:-1], e[1], e[-1]],
        lambda e: [*e[:2], e[1], *e[2:]],
        lambda e: [{**e[0], "type": "message_begin"}, *e[1:]],
        lambda e: [*e[:1], {"type": "news"}, *e[1:]],
        lambda e: [*e[:1], {**e[1], "content_block": {"type": "server_tool_use", "id": "1", "name": "x"}}, *e[2:]],
        lambda e: [*e[:-2], e[-1]],
        lambda e: [*e[:2], {**e[2], "index": 1}, *e[3:]],
        lambda e: [*e[:3], {**e[3], "index": 1}, *e[4:]],
        lambda e: [*e[:1], *e[4:]],
        lambda e: [event for event in e if event.get("index") != 1],
        lambda e: [with_input(event, {"q": "roads"}) for event in e],
        lambda e: [with_input(event, "q") for event in e if event.get("delta", {}).get("type") != "input_json_delta"],
    ],
)
def test_events_out_of_order_are_no_answer(changed: Any) -> None:
    """Only the documented order of events makes an answer, and nothing of one is lost."""
    said = changed([e for e in data_of("anthropic") if e["type"] != "ping"])
    data = b"".join(upstream_servers._anthropic_event(event) for event in said)
    with pytest.raises(GatewayError) as refused:
        asyncio.run(read("anthropic", [data]))
    assert refused.value.reason is Reason.UPSTREAM_FAILED


@pytest.mark.parametrize(
    "changed",
    [
        lambda e: [*e, e[2]],
        lambda e: [{**e[0], "choices": [*e[0]["choices"] * 2]}, *e[1:]],
        lambda e: [{**e[0], "choices": [{**e[0]["choices"][0], "index": 1}]}, *e[1:]],
        lambda e: [*e[:3], {**e[3], "model": "another"}, *e[4:]],
        lambda e: e[:-1],
        lambda e: [*e[:-2], e[-1]],
    ],
)
def test_chunks_out_of_order_are_no_answer(changed: Any) -> None:
    """One choice, one model, nothing after the finish reason, and a count of tokens."""
    data = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in changed(data_of("openai")))
    with pytest.raises(GatewayError) as refused:
        asyncio.run(read("openai", [data + b"data: [DONE]\n\n"]))
    assert refused.value.reason is Reason.UPSTREAM_FAILED
