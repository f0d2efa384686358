"""Judges what comes back, before anybody sees it.

What a stream guarantees, however the upstream cut it into chunks, for text that left; characters are counted by
`cutting.length`, so that no padding fills a window:
1 it was inside a window that the judge allowed, and that window reached back at least `overlap` characters before
  the first character that it was the first to judge, or to the beginning of the answer;
2 an allowed window reached at least `ahead` characters beyond it, or to a tool call, or to the end: a passage of at
  most `ahead` characters that the judge refuses wherever it sees it whole leaves not one character, unless a tool
  call stands inside the passage;
3 no window begins inside a word of at most `overlap` characters, or ends inside one of at most `window`, unless a
  tool call stands there.
A tool call leaves after it was judged whole, beside the text and the calls before it, and is judged again beside those
after it, as far as the overlap. The end leaves after everything else was judged.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.errors import GatewayError, Reason
from gateway.signals.segmentation import LETTERS, length, shortened
from gateway.types import Chunk, Completion, End, Said, Stage, Text, ToolUse, call_texts, judged_texts, part_texts

Judge: TypeAlias = Callable[[Stage, tuple[str, ...], tuple[ToolUse, ...]], Awaitable[None]]
"""Returns when the content may leave; raises GatewayError when it may not. Adjacent texts are judged together."""

FIRST: Final = 48
"""Characters that the first window releases: a reader sees the first words early, and later windows double in size."""
AHEAD: Final = 80
"""Characters that are judged beyond what is released."""
MOST_HELD: Final = 1 << 16
"""Characters that may wait for more between them to judge."""
APART: Final = 32
"""Texts between calls whose ends are also read as one word; of those before them the ends are words apart."""
LEAST: Final = 16
"""What a piece that left counts at least, where calls before it are forgotten: pieces may be empty."""


async def judge_whole(completion: Completion, judge: Judge) -> None:
    """Judge a whole answer: everything in it together, then each tool call. Raises GatewayError."""
    if texts := tuple(judged_texts(completion.parts)):
        await judge(Stage.RESPONSE, texts, ())
    for part in completion.parts:
        if isinstance(part, ToolUse):
            await judge(Stage.TOOL_CALL, tuple(judged_texts([part])), (part,))


async def hold_back(
    chunks: AsyncGenerator[Chunk],
    judge: Judge,
    *,
    limit_bytes: int,
    window: int = 400,
    overlap: int = 400,
    ahead: int = AHEAD,
) -> AsyncGenerator[Chunk]:
    """The same answer, released as it is judged; `chunks` is closed on every exit. Raises GatewayError.

    limit_bytes: the longest answer, in UTF-8 bytes of text and tool calls; empty chunks count as one byte. window: how
    many characters are judged at a time. overlap, ahead: see above. Each character is judged a bounded number of times.
    """
    held = _Held()
    step, size = min(window, ahead + FIRST), 0
    async with aclosing(chunks):
        async for chunk in chunks:
            size += _bytes(chunk)
            if size > limit_bytes:
                raise GatewayError(Reason.UPSTREAM_FAILED, "the answer of the model is too long", sent=True)
            if isinstance(chunk, Text):
                held.add(chunk.text)
                if edge := held.edge(step, window):
                    await held.judge_to(edge, judge)
                    step = min(window, 2 * step)
                    if piece := held.release(_back(held.text, edge, ahead), overlap):
                        yield Text(piece)
                if len(held.text) > MOST_HELD:
                    text = "the answer of the model has a passage that is too long to be judged"
                    raise GatewayError(Reason.UPSTREAM_FAILED, text, sent=True)
                continue
            await held.judge_to(len(held.text), judge)
            if piece := held.release(len(held.text), overlap):
                yield Text(piece)
            if isinstance(chunk, End):
                yield chunk
                return
            await judge(Stage.TOOL_CALL, held.call(chunk, overlap), (chunk,))
            yield chunk
    raise GatewayError(Reason.UPSTREAM_FAILED, "the answer of the model broke off", sent=True)


@dataclass(slots=True)
class _Held:
    """before: what left, shortened, as far back as the overlap; a text ends at a tool call, and the last one goes on.

    text: what has not left; judged up to `judged`. fresh: the length of what was not. called: what the tool calls say
    that left last, each with what `passed` then: the length of all that left, in text and in calls. A call is forgotten
    when more than the overlap passed after it.
    """

    before: tuple[str, ...] = ("",)
    text: str = ""
    judged: int = 0
    fresh: int = 0
    called: tuple[tuple[Said, int], ...] = ()
    passed: int = 0

    def call(self, call: ToolUse, overlap: int) -> tuple[str, ...]:
        """A tool call comes, after all text before it has left. What to judge of it."""
        said = call_texts(call)
        together = (*self.before, *self._calls(said))
        if any(map(str.isalnum, self.before[-1])):  # else it stands between words, and is shortened with what comes
            self.before = (*_fewer(self.before), "")
        self._pass(sum(length(text) for kind in said for text in kind), overlap)
        self.called += ((said, self.passed),)
        return together

    def add(self, text: str) -> None:
        """More text came."""
        end = self.text[max(self.judged, len(self.text) - LETTERS) :]  # a run goes on from there
        self.fresh += length(end + text) - length(end)
        self.text += text

    def edge(self, step: int, longest: int) -> int:
        """Where the next window ends: after the last whole word; 0 while there is too little to judge."""
        if self.fresh < step:
            return 0
        edge = _word_start(self.text, len(self.text), longest)
        return edge if edge > self.judged else 0

    async def judge_to(self, end: int, judge: Judge) -> None:
        """Judge everything up to `end`, unless it was already."""
        if end > self.judged:
            *before, last = self.before
            await judge(Stage.RESPONSE, (*before, last + self.text[:end], *self._calls()), ())
            self.judged = end
            self.fresh = length(self.text[end:])

    def release(self, end: int, overlap: int) -> str:
        """What may leave up to `end`; forgets what no later window needs."""
        piece, self.text = self.text[:end], self.text[end:]
        self.judged -= end
        if piece:
            *before, last = self.before
            self.before = _last((*before, shortened(last + piece)), overlap)
            self._pass(length(piece), overlap)
        return piece

    def _calls(self, *more: Said) -> tuple[str, ...]:
        kinds = zip(*(said for said, _ in self.called), *more, strict=True)
        return tuple(text for kind in kinds for said in kind for text in said)

    def _pass(self, size: int, overlap: int) -> None:
        self.passed += max(LEAST, size)
        self.called = tuple(call for call in self.called if self.passed - call[1] <= overlap)


def _fewer(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same, with the first two in one where there are many."""
    if len(texts) < APART:
        return texts
    first, second, *rest = texts
    return (shortened(f"{first} {second}"), *rest)


def _last(texts: tuple[str, ...], least: int) -> tuple[str, ...]:
    """The end of these texts, at least that much of them; of the first that is kept whole words."""
    at = len(texts) - 1
    while at > 0 and length(texts[at]) < least:
        least -= length(texts[at])
        at -= 1
    first = texts[at]
    return (first[_word_start(first, _back(first, len(first), least), least) :], *texts[at + 1 :])


def _back(text: str, end: int, least: int) -> int:
    """From where there is at least that much text to `end`; 0 where there is less."""
    start = end - least
    while start > 0 and length(text[start:end]) < least:
        start = end - 2 * (end - start)
    return max(0, start)


def _word_start(text: str, position: int, longest: int) -> int:
    """The beginning of the word that `position` is inside or at the end of; `position` if that word is longer."""
    start = max(0, position - longest - 1)
    before = text[start:position]
    if not before or before[-1].isspace():
        return position
    word = before.rsplit(None, 1)[-1]
    return position if len(word) > longest else position - len(word)


def _bytes(chunk: Chunk) -> int:
    if isinstance(chunk, End):
        return 0
    return max(1, sum(len(text.encode("utf-8", "surrogatepass")) for text in part_texts(chunk)))
