"""Judges what comes back, before anybody sees it.

What a stream guarantees, however the upstream cut it into chunks, for text that left:
1 it was inside a window that the judge allowed, and that window reached back at least `overlap` characters before
  the first character that it was the first to judge, or to the beginning of the answer;
2 an allowed window reached at least `ahead` characters beyond it, or to a tool call, or to the end: a passage of at
  most `ahead` characters that the judge refuses wherever it sees it whole leaves not one character, unless a tool
  call stands inside the passage;
3 no window begins inside a word of at most `overlap` characters, or ends inside one of at most `window`, unless a
  tool call stands there.
A tool call leaves after it was judged whole, beside the text before it. The end leaves after everything else was
judged.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, End, Stage, Text, ToolUse, part_texts

Judge: TypeAlias = Callable[[Stage, tuple[str, ...], tuple[ToolUse, ...]], Awaitable[None]]
"""Returns when the content may leave; raises GatewayError when it may not. Adjacent texts are judged together."""

FIRST: Final = 48
"""Characters that the first window releases: a reader sees the first words early, and later windows double in size."""
AHEAD: Final = 80
"""Characters that are judged beyond what is released."""


async def judge_whole(completion: Completion, judge: Judge) -> None:
    """Judge a whole answer: everything in it together, then each tool call. Raises GatewayError."""
    texts = tuple(text for part in completion.parts for text in part_texts(part))
    if texts:
        await judge(Stage.RESPONSE, texts, ())
    for part in completion.parts:
        if isinstance(part, ToolUse):
            await judge(Stage.TOOL_CALL, part_texts(part), (part,))


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
                held.text += chunk.text
                if edge := held.edge(step, window):
                    await held.judge_to(edge, judge)
                    step = min(window, 2 * step)
                    if piece := held.release(edge - ahead, overlap):
                        yield Text(piece)
                continue
            await held.judge_to(len(held.text), judge)
            if piece := held.release(len(held.text), overlap):
                yield Text(piece)
            if isinstance(chunk, End):
                yield chunk
                return
            await judge(Stage.TOOL_CALL, (held.text, *part_texts(chunk)), (chunk,))
            yield chunk
    raise GatewayError(Reason.UPSTREAM_FAILED, "the answer of the model broke off", sent=True)


@dataclass(slots=True)
class _Held:
    """Text in order: what left and is kept as overlap, up to `released`; what was judged, up to `judged`; the rest."""

    text: str = ""
    released: int = 0
    judged: int = 0

    def edge(self, step: int, longest: int) -> int:
        """Where the next window ends: after the last whole word; 0 while there is too little to judge."""
        if len(self.text) - self.judged < step:
            return 0
        edge = _word_start(self.text, len(self.text), longest)
        return edge if edge > self.judged else 0

    async def judge_to(self, end: int, judge: Judge) -> None:
        """Judge everything up to `end`, unless it was already."""
        if end > self.judged:
            await judge(Stage.RESPONSE, (self.text[:end],), ())
            self.judged = end

    def release(self, end: int, overlap: int) -> str:
        """What may leave up to `end`; forgets what no later window needs."""
        end = max(end, self.released)
        piece = self.text[self.released : end]
        kept = _word_start(self.text, max(0, end - overlap), overlap)
        self.text = self.text[kept:]
        self.judged -= kept
        self.released = end - kept
        return piece


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
