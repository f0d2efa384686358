"""Judges an answer before the caller sees any of it.

Guarantees for text that left in a stream, however the upstream cut it into chunks. Lengths are counted by
`cutting.length`, so that padding can't fill a window.
1 The text was inside a window that the judge allowed. That window reached back at least `overlap` characters before
  the first character that it was the first to judge, or to the beginning of the answer.
2 An allowed window reached at least `ahead` characters beyond the text, or to a tool call, or to the end. So if the
  judge refuses a passage of at most `ahead` characters wherever it sees the passage whole, none of its characters
  leaves, unless a tool call stands inside the passage.
3 No window begins inside a word of at most `overlap` characters, or ends inside a word of at most `window` characters,
  unless a tool call stands there.
A tool call leaves after it was judged whole, together with the text and calls before it. It is judged again together
with what follows, as far as the overlap. The end leaves after everything else was judged.
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
"""Returns if the content may leave; raises GatewayError if not. Adjacent texts are judged together."""

FIRST: Final = 48
"""Characters that the first window releases. It is small so that a reader sees words early; later windows double."""
AHEAD: Final = 80
"""Characters beyond the released text that are judged before it is released."""
MOST_HELD: Final = 1 << 16
"""The most characters held back. A passage without a place to cut it within this length can't be judged."""
APART: Final = 32
"""With this many texts between tool calls, the oldest two become one text, as separate words."""
LEAST: Final = 16
"""The least length that a released piece counts for when earlier calls are forgotten, because pieces may be empty."""


async def judge_whole(completion: Completion, judge: Judge) -> None:
    """Judge a whole answer: everything together, then each tool call. Raises GatewayError."""
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
    """Release the answer as it is judged. Closes `chunks` on every exit. Raises GatewayError.

    limit_bytes: the longest answer, in UTF-8 bytes of text and tool calls; an empty chunk counts as one byte. window:
    characters per window. overlap, ahead: see above. Each character is judged a bounded number of times.
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
    """before: released text, shortened, as far back as the overlap. A tool call ends a text; the last text continues.

    text: text held back; judged up to `judged`. fresh: the length of its unjudged rest. called: the texts of the last
    released tool calls, each with the value of `passed` at that time. passed: the length of everything released, text
    and calls. A call is forgotten once more than the overlap has passed after it.
    """

    before: tuple[str, ...] = ("",)
    text: str = ""
    judged: int = 0
    fresh: int = 0
    called: tuple[tuple[Said, int], ...] = ()
    passed: int = 0

    def call(self, call: ToolUse, overlap: int) -> tuple[str, ...]:
        """Add a tool call, after all text before it was released. Returns what to judge with it."""
        said = call_texts(call)
        together = (*self.before, *self._calls(said))
        if any(map(str.isalnum, self.before[-1])):  # otherwise no word ends here, and the text continues after the call
            self.before = (*_fewer(self.before), "")
        self._pass(sum(length(text) for kind in said for text in kind), overlap)
        self.called += ((said, self.passed),)
        return together

    def add(self, text: str) -> None:
        """Add text to what is held back."""
        end = self.text[max(self.judged, len(self.text) - LETTERS) :]  # a run of letters may continue from there
        self.fresh += length(end + text) - length(end)
        self.text += text

    def edge(self, step: int, longest: int) -> int:
        """Where the next window ends, which is after a whole word; 0 if there is too little to judge."""
        if self.fresh < step:
            return 0
        edge = _word_start(self.text, len(self.text), longest)
        return edge if edge > self.judged else 0

    async def judge_to(self, end: int, judge: Judge) -> None:
        """Judge everything up to `end` that was not judged yet."""
        if end > self.judged:
            *before, last = self.before
            await judge(Stage.RESPONSE, (*before, last + self.text[:end], *self._calls()), ())
            self.judged = end
            self.fresh = length(self.text[end:])

    def release(self, end: int, overlap: int) -> str:
        """Release the text up to `end`, and forget what no later window needs."""
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
    """The texts; if there are many, the first two are joined."""
    if len(texts) < APART:
        return texts
    first, second, *rest = texts
    return (shortened(f"{first} {second}"), *rest)


def _last(texts: tuple[str, ...], least: int) -> tuple[str, ...]:
    """The end of these texts, at least `least` long. The first one kept is cut at a word."""
    at = len(texts) - 1
    while at > 0 and length(texts[at]) < least:
        least -= length(texts[at])
        at -= 1
    first = texts[at]
    return (first[_word_start(first, _back(first, len(first), least), least) :], *texts[at + 1 :])


def _back(text: str, end: int, least: int) -> int:
    """The position from which there are at least `least` characters to `end`; 0 if there are fewer."""
    start = end - least
    while start > 0 and length(text[start:end]) < least:
        start = end - 2 * (end - start)
    return max(0, start)


def _word_start(text: str, position: int, longest: int) -> int:
    """The start of the word that contains or ends at `position`; `position` itself if the word is longer."""
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
