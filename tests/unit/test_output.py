"""Properties of what is released. The judge here is a real one: it refuses a phrase, and remembers what it saw."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason
from gateway.output import APART, Judge, hold_back, judge_whole
from gateway.signals.segmentation import shortened
from gateway.types import Chunk, Completion, End, Stage, Stop, Text, ToolUse

END = End(Stop.END, "m", 1, 1)
TOOL = ToolUse("1", "lookup", '{"part": "7"}')
LIMIT = 1 << 20


@dataclass
class Watcher:
    """A judge that refuses any content with `forbidden` in it."""

    forbidden: str = "\x00never"
    seen: list[tuple[Stage, tuple[str, ...], tuple[ToolUse, ...]]] = field(default_factory=list)

    async def __call__(self, stage: Stage, texts: tuple[str, ...], tools: tuple[ToolUse, ...]) -> None:
        self.seen.append((stage, texts, tools))
        if self.forbidden in "".join(texts):
            raise GatewayError(Reason.OUTPUT_DENIED, "refused", sent=True)

    def windows(self) -> list[str]:
        return [texts[0] for stage, texts, _ in self.seen if stage is Stage.RESPONSE]


class Together(Watcher):
    """A judge that refuses content in which all of these stand."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words

    async def __call__(self, stage: Stage, texts: tuple[str, ...], tools: tuple[ToolUse, ...]) -> None:
        await super().__call__(stage, texts, tools)
        if set(self.words) <= set(texts):
            raise GatewayError(Reason.OUTPUT_DENIED, "refused", sent=True)


@dataclass
class Upstream:
    """A stream that knows whether it was closed."""

    chunks: list[Chunk]
    closed: bool = False
    hang: bool = False

    async def stream(self) -> AsyncGenerator[Chunk]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.hang:
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def drain(
    chunks: list[Chunk], judge: Judge, limit_bytes: int = LIMIT, **sizes: int
) -> tuple[list[Chunk], GatewayError | None]:
    """What left, and what ended it. Fails unless the upstream was closed."""
    upstream = Upstream(chunks)
    left: list[Chunk] = []
    error = None
    try:
        async with aclosing(hold_back(upstream.stream(), judge, limit_bytes=limit_bytes, **sizes)) as pieces:
            async for piece in pieces:
                left.append(piece)  # noqa: PERF401 - what left before an error counts
    except GatewayError as caught:
        error = caught
    assert upstream.closed
    return left, error


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


def cut(text: str, places: list[int]) -> list[Chunk]:
    """The text as chunks that end at `places`."""
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [Text(text[a:b]) for a, b in pairwise(edges)]


SIZES = st.fixed_dictionaries(
    {"window": st.integers(1, 60), "overlap": st.integers(0, 60), "ahead": st.integers(0, 40)}
)
ANSWERS = st.integers(0, 400).flatmap(lambda size: st.text(alphabet="abc \n", min_size=size, max_size=size))
DISTINCT = ANSWERS.map(
    lambda text: "".join(c if c.isspace() else chr(0x4E00 + i) for i, c in enumerate(shortened(text)))
)
PLACES = st.integers(0, 60).flatmap(lambda size: st.lists(st.integers(0, 1000), min_size=size, max_size=size))
TOOLS = st.lists(st.integers(0, 60), max_size=3)


@given(ANSWERS, PLACES, TOOLS, SIZES)
async def test_an_allowed_answer_arrives_whole_and_in_order(
    answer: str, places: list[int], tools: list[int], sizes: dict[str, int]
) -> None:
    """Whatever the chunks and window sizes, an allowed answer leaves unchanged: text, tool calls in place, one End."""
    chunks = cut(answer, places)
    for place in tools:
        chunks.insert(place % (len(chunks) + 1), TOOL)
    left, error = await drain([*chunks, END], Watcher(), **sizes)
    assert error is None
    assert left[-1] == END

    def between_tools(pieces: list[Chunk]) -> list[str]:
        runs = [""]
        for piece in pieces:
            if isinstance(piece, Text):
                runs[-1] += piece.text
            elif piece == TOOL:
                runs.append("")
        return runs

    assert between_tools(left) == between_tools(chunks)


@given(DISTINCT, PLACES, SIZES)
async def test_no_unjudged_character_leaves(answer: str, places: list[int], sizes: dict[str, int]) -> None:
    """At every moment what left is a prefix of what was judged, and each window reaches back over the overlap."""
    watcher = Watcher()
    upstream = Upstream([*cut(answer, places), END])
    left = ""
    async with aclosing(hold_back(upstream.stream(), watcher, limit_bytes=LIMIT, **sizes)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Text):
                left += piece.text
                assert answer.startswith(left)
                assert len(left) <= judged_to(watcher.windows(), sizes["overlap"])
    assert left == answer


def judged_to(windows: list[str], overlap: int) -> int:
    """How far the windows reach, if each continues the one before with at least `overlap` characters in common."""
    reached = 0
    whole = ""
    for window in windows:
        common = min(overlap, reached)
        for start in range(reached - common, max(0, reached - len(window)) - 1, -1):
            if whole[start:] == window[: reached - start]:
                whole = whole[:start] + window
                break
        else:
            raise AssertionError("a window does not continue the one before")
        reached = len(whole)
    return reached


@given(ANSWERS, ANSWERS, PLACES, SIZES, st.integers(1, 40))
async def test_a_short_forbidden_passage_leaves_no_character(
    before: str, after: str, places: list[int], sizes: dict[str, int], length: int
) -> None:
    """Of a passage no longer than `ahead`, nothing leaves, wherever it stands and however it is cut."""
    sizes["ahead"] = max(sizes["ahead"], length)
    phrase = ("kill list " * 4)[:length]
    assume(phrase not in before + phrase[:-1])
    left, error = await drain([*cut(before + phrase + after, places), END], Watcher(phrase), **sizes)
    assert error is not None
    assert error.reason is Reason.OUTPUT_DENIED
    assert before.startswith(text_of(left))
    assert END not in left


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), PLACES, st.integers(12, 60), st.integers(12, 60))
async def test_words_are_whole_at_the_edges_of_a_window(
    lengths: list[int], places: list[int], window: int, overlap: int
) -> None:
    """Every window is made of whole words, when no word is longer than the window or the overlap."""
    words = [f"{index:x}".rjust(length, "g") for index, length in enumerate(lengths)]
    watcher = Watcher()
    left, _ = await drain([*cut(" ".join(words), places), END], watcher, window=window, overlap=overlap)
    assert text_of(left) == " ".join(words)
    for seen in watcher.windows():
        assert set(seen.split()) <= set(words)


@given(DISTINCT, PLACES)
async def test_a_broken_off_stream_fails_after_judged_text_only(answer: str, places: list[int]) -> None:
    """Without its End a stream fails, and what left before was judged."""
    watcher = Watcher()
    left, error = await drain(cut(answer, places), watcher, window=40, overlap=20, ahead=10)
    assert error is not None
    assert (error.reason, error.sent) == (Reason.UPSTREAM_FAILED, True)
    assert answer.startswith(text_of(left))
    assert len(text_of(left)) <= judged_to(watcher.windows(), 20)


async def test_the_first_words_leave_early() -> None:
    """A reader sees the first words after 128 characters, not after a whole window."""
    left, _ = await drain([Text("word " * 26)], Watcher())
    assert text_of(left) == ("word " * 26)[: len(text_of(left))] != ""


async def test_each_character_is_judged_a_bounded_number_of_times() -> None:
    """Judging costs O(n) in all: here at most five times the answer, one character a chunk."""
    watcher = Watcher()
    await drain([*(Text(c) for c in "some words " * 2000), END], watcher)
    assert sum(map(len, watcher.windows())) < 5 * 22_000


async def test_a_refused_tool_call_does_not_leave() -> None:
    """A tool call is judged whole, with the text before it, and neither it nor the end leaves when refused."""
    watcher = Watcher("fire")
    left, error = await drain([Text("Calling. "), ToolUse("1", "launcher", '{"do": "fire"}'), END], watcher)
    assert error is not None
    assert error.reason is Reason.OUTPUT_DENIED
    assert left == [Text("Calling. ")]
    assert watcher.seen[-1][0] is Stage.TOOL_CALL
    assert watcher.seen[-1][1] == ("Calling. ", "fire", "do", "1", "launcher")


async def test_a_tool_call_is_judged_beside_the_text_after_it() -> None:
    """What a call says and what the text after it says are judged together, until as much text as the overlap left."""
    watcher = Watcher()
    chunks = [ToolUse("1", "map", '{"do": "fire"}'), *[Text("word ")] * 60, END]
    _, error = await drain(chunks, watcher, window=50, overlap=60, ahead=10)
    assert error is None
    beside = ["fire" in texts for stage, texts, _ in watcher.seen if stage is Stage.RESPONSE]
    assert beside == sorted(beside, reverse=True)
    assert (beside[:2], beside[-1]) == ([True, True], False)


@pytest.mark.parametrize("between", [[], [Text("And ")], [Text("word " * 20)]])
async def test_a_term_split_over_tool_calls_is_seen(between: list[Chunk]) -> None:
    """What calls near each other say is judged together, as it is in an answer that is not streamed."""
    first, second = ToolUse("1", "map", '{"do": "forbid"}'), ToolUse("2", "map", '{"do": "den"}')
    watcher = Together("forbid", "den")
    left, error = await drain([first, *between, second, END], watcher)
    assert error is not None
    assert left == [first, *between]


WRITTEN = st.text(alphabet="ab .", max_size=6).map(lambda text: Text(f"{text}c{text}"))
CALLED = st.dictionaries(st.text(alphabet="ab", max_size=3), st.text(alphabet="cd ", max_size=3), max_size=2).map(
    lambda value: ToolUse("1", "lookup", json.dumps(value))
)


@given(st.lists(st.one_of(st.tuples(CALLED), st.tuples(WRITTEN, CALLED)), min_size=1, max_size=4), WRITTEN)
async def test_a_short_stream_is_read_as_a_whole_answer_is(said: list[tuple[Text | ToolUse, ...]], end: Text) -> None:
    """Before the last of it leaves, the judge sees the same texts in the same order, parted where calls part them."""
    before = tuple(part for some in said for part in some)
    for parts in (before, (*before, end)):
        whole, stream = Watcher(), Watcher()
        await judge_whole(Completion(parts, END), whole)
        await drain([*parts, END], stream)
        assert [*filter(None, stream.seen[-1][1])] == [*filter(None, whole.seen[0][1])]


@pytest.mark.parametrize("padding", ["    ", ". . ", "\u200b ", " \u0301"])
async def test_no_padding_between_calls_hides_a_passage(padding: str) -> None:
    """Texts between calls that hold no word fill no window."""
    judge = Watcher()
    pieces = [Text("kill"), *[TOOL, Text(padding)] * 300, Text("list"), END]
    await drain(pieces, judge)
    seen = ["".join(texts) for stage, texts, _ in judge.seen if stage is Stage.RESPONSE]
    assert "kill" in seen[-1]
    assert "list" in seen[-1]
    assert max(map(len, seen)) < 1000


async def test_tool_calls_are_judged_a_bounded_number_of_times() -> None:
    """Twice the calls, with a little text between them, cost twice the judging and not four times."""
    sizes = []
    for count in (100, 200):
        watcher = Watcher()
        call = ToolUse("1", "map", json.dumps({"do": "words " * 200}))
        await drain([*[call, Text("a"), TOOL] * count, END], watcher)
        sizes.append(sum(len(text) for _, texts, _ in watcher.seen for text in texts))
    assert sizes[1] < 2.2 * sizes[0]


async def test_few_texts_between_calls_are_read_apart() -> None:
    """However many calls part short texts, those that detectors put together are few, and no text is lost."""
    watcher = Watcher()
    await drain([*[Text("a"), TOOL] * 150, END], watcher)
    texts = watcher.seen[-1][1]
    assert len(texts) < 100
    assert sum(text.count("a") for text in texts[:APART]) == 150


@pytest.mark.parametrize("padding", [" ", "\n", "\u200b ", ". ", "\u0301 ", "_", "0" * 40 + " "])
@pytest.mark.parametrize("times", [900, 9000])
async def test_no_padding_hides_a_passage(padding: str, times: int) -> None:
    """What stands between words is no room in a window: the judge sees the words together, before the last leaves."""
    words, judge = ["kill", "list", "of", "names"], Watcher()
    between = padding if len(padding) > 2 else padding * times
    left, error = await drain([*(Text(word + between) for word in words), END], judge)
    if error is None:
        seen = [[w for w in re.findall("[a-z]+", shortened(window)) if w in words] for window in judge.windows()]
        assert words in seen
    assert "names" not in text_of(left) or words in seen


async def test_a_stream_of_padding_is_bounded() -> None:
    """What nobody can judge for want of words is not collected without end."""
    left, error = await drain([Text("a ")] + [Text(" ")] * 80_000 + [END], Watcher())
    assert (left, error and error.reason) == ([], Reason.UPSTREAM_FAILED)


async def test_a_term_split_by_a_tool_call_is_seen() -> None:
    """Text before a tool call is judged again together with the text after it."""
    left, error = await drain([Text("auto"), TOOL, Text("nomous"), END], Watcher("autonomous"))
    assert error is not None
    assert left == [Text("auto"), TOOL]


@pytest.mark.parametrize("chunk", [Text("x"), Text(""), ToolUse("1", "t", "{}"), Text("\ud800")])
async def test_an_endless_stream_is_bounded(chunk: Chunk) -> None:
    """A stream over its limit fails, even one of empty chunks; one that ends below it does not."""
    left, error = await drain([chunk] * 101 + [END], Watcher(), limit_bytes=100)
    assert error is not None
    assert (error.reason, error.message, error.sent) == (
        Reason.UPSTREAM_FAILED,
        "the answer of the model is too long",
        True,
    )
    assert len(left) <= 100
    assert (await drain([chunk] * 5 + [END], Watcher(), limit_bytes=100))[1] is None


async def test_nothing_after_the_end_is_read() -> None:
    """The End is the last thing that leaves, whatever the upstream sends after it."""
    left, error = await drain([Text("a"), END, Text("b")], Watcher())
    assert (left, error) == ([Text("a"), END], None)


async def test_leaving_early_closes_the_upstream() -> None:
    """A reader that stops reading closes the upstream."""
    upstream = Upstream([Text("word " * 100)], hang=True)
    async with aclosing(hold_back(upstream.stream(), Watcher(), limit_bytes=LIMIT)) as pieces:
        assert isinstance(await anext(pieces), Text)
    assert upstream.closed


@pytest.mark.parametrize("where", ["upstream", "judge"])
async def test_cancellation_closes_the_upstream(where: str) -> None:
    """A cancelled call closes the upstream, whether it waits for a chunk or for the judge."""
    waiting = asyncio.Event()

    async def stuck(stage: Stage, texts: tuple[str, ...], tools: tuple[ToolUse, ...]) -> None:
        waiting.set()
        if where == "judge":
            await asyncio.Event().wait()

    upstream = Upstream([Text("word " * 100)], hang=True)

    async def read() -> None:
        async with aclosing(hold_back(upstream.stream(), stuck, limit_bytes=LIMIT)) as pieces:
            async for _ in pieces:
                pass

    task = asyncio.create_task(read())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.closed


async def test_an_upstream_failure_passes_through_and_closes() -> None:
    """What the upstream raises reaches the path unchanged, after judged text only."""

    async def failing() -> AsyncGenerator[Chunk]:
        yield Text("short")
        raise GatewayError(Reason.UPSTREAM_FAILED, "gone", sent=True)

    left: list[Chunk] = []
    with pytest.raises(GatewayError, match="gone"):
        left.extend([piece async for piece in hold_back(failing(), Watcher(), limit_bytes=LIMIT)])
    assert left == []


async def test_a_whole_answer_is_judged_together_and_each_tool_call_alone() -> None:
    """Every text of an answer reaches one judgement, one after the other; then each tool call its own."""
    watcher = Watcher()
    await judge_whole(Completion((Text("a"), TOOL, Text("b")), END), watcher)
    assert watcher.seen == [
        (Stage.RESPONSE, ("a", "b", "7", "part", "1", "lookup"), ()),
        (Stage.TOOL_CALL, ("7", "part", "1", "lookup"), (TOOL,)),
    ]


async def test_a_refused_whole_answer_raises() -> None:
    """A forbidden term split over two parts of a whole answer is refused."""
    with pytest.raises(GatewayError) as caught:
        await judge_whole(Completion((Text("auto"), Text("nomous")), END), Watcher("autonomous"))
    assert caught.value.reason is Reason.OUTPUT_DENIED


async def test_an_empty_answer_has_nothing_to_judge() -> None:
    """An answer without parts passes without a judgement."""
    watcher = Watcher()
    await judge_whole(Completion((), END), watcher)
    left, error = await drain([END], watcher)
    assert (left, error, watcher.seen) == ([END], None, [])
