"""The built-in upstream says what its description says, and its journal is durable before an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.errors import GatewayError, Reason
from gateway.types import Completion, Document, End, Message, Permitted, Stop, Text, ToolUse, content_bytes
from gateway.upstream.loopback import Loopback
from tests.support.upstream_servers import MODEL, permit, prompt

SETTINGS = config.Upstream(name="loopback", kind="loopback")


def ask(*lines: str, max_tokens: int = 64) -> Permitted:
    """A prompt whose last message has these lines."""
    return permit(prompt(Message("user", (Text("\n".join(lines)),)), tools=TOOLS, max_tokens=max_tokens))


TOOLS = prompt().tools


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    opened = Loopback(SETTINGS, 1 << 16)
    yield opened
    await opened.close()


async def test_it_says_what_it_was_asked(loopback: Loopback) -> None:
    """The answer names the number of words and the last line, and words are its tokens."""
    completion = await loopback.generate(ask("one two", "three"), 10)
    # 3 words of the prompt, and 5 of the tool that is offered.
    assert completion.parts == (Text("loopback: 8 words asked; last line: three"),)
    assert completion.end == End(Stop.END, MODEL, 8, 7)
    assert loopback.calls == 1


async def test_directives_steer_it_in_their_order(loopback: Loopback) -> None:
    """Text and tool calls come as the lines ask for them."""
    completion = await loopback.generate(
        ask(
            "ignored",
            "loopback: say first words",
            'loopback: tool lookup {"q": 1}',
            "loopback: wait 1",
            "loopback: say x",
        ),
        10,
    )
    assert completion.parts == (Text("first words"), ToolUse("loopback-lookup", "lookup", '{"q":1}'), Text("x"))
    assert completion.end.stop is Stop.TOOL_USE


async def test_it_can_break_off(loopback: Loopback) -> None:
    """After "stop early" there is no End, as if the service had died."""
    said = ask("loopback: say something", "loopback: stop early")
    with pytest.raises(GatewayError) as refused:
        await loopback.generate(said, 10)
    assert (refused.value.reason, refused.value.sent) == (Reason.UPSTREAM_FAILED, True)
    chunks = loopback.stream(said, 10)
    assert await anext(chunks) == Text("something")
    with pytest.raises(GatewayError):
        await anext(chunks)


async def test_it_keeps_to_the_permitted_tokens(loopback: Loopback) -> None:
    """An obligation on max_tokens shows in the answer."""
    completion = await loopback.generate(ask("loopback: say a b c d e f g", "loopback: say h", max_tokens=6), 10)
    assert completion.parts == (Text("a b c d e f "),)
    assert completion.end == End(Stop.MAX_TOKENS, MODEL, completion.end.input_tokens, 6)


async def test_it_asks_only_for_offered_tools(loopback: Loopback) -> None:
    """It is held to what any service is held to."""
    with pytest.raises(GatewayError) as refused:
        await loopback.generate(ask("loopback: tool erase {}"), 10)
    assert refused.value.reason is Reason.UPSTREAM_FAILED


async def test_it_ends_at_the_deadline(loopback: Loopback) -> None:
    """A wait is cut off; a call that is late already is not counted as forwarded."""
    with pytest.raises(GatewayError) as late:
        await loopback.generate(ask("loopback: wait 60000"), 0.05)
    assert (late.value.reason, late.value.sent) == (Reason.DEADLINE_EXCEEDED, True)
    with pytest.raises(GatewayError) as over:
        await loopback.generate(ask("hello"), 0)
    assert (over.value.reason, over.value.sent) == (Reason.DEADLINE_EXCEEDED, False)
    assert loopback.calls == 1


texts = st.text(st.characters(codec="utf-8"))


@given(texts, texts, st.integers(1, 20))
async def test_a_stream_is_the_whole_answer(text: str, document: str, max_tokens: int) -> None:
    """For any prompt the pieces of a stream make the answer that is not streamed, twice over."""
    loopback = Loopback(SETTINGS, 1 << 16)
    message = Message("user", (Text(text), Document("d", document, "")))
    permitted = permit(prompt(message, max_tokens=max_tokens))
    *pieces, end = [chunk async for chunk in loopback.stream(permitted, 10)]
    said = "".join(piece.text for piece in pieces if isinstance(piece, Text))
    assert isinstance(end, End)
    assert await loopback.generate(permitted, 10) == Completion((Text(said),), end)
    assert end.output_tokens <= max_tokens


async def test_the_journal_has_each_call_before_its_answer(tmp_path: Path) -> None:
    """The line of a call is in the file when the first piece of its answer arrives, also next to older lines."""
    path = tmp_path / "journal"
    path.write_bytes(b"{}\n")
    loopback = Loopback(config.Upstream(name="l", kind="loopback", journal=path), 1 << 16)
    asked = permit(prompt(use={"idempotency_key": "key-1"}))
    await anext(loopback.stream(asked, 10))
    await loopback.close()
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
        {},
        {"sha256": hashlib.sha256(content_bytes(asked.prompt)).hexdigest(), "idempotency_key": "key-1"},
    ]
