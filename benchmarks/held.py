"""How reading content delays a stream, for `make bench-signals`: when its first and its last text are released.

Pieces arrive at a steady rate, as from a model. The first window has to be complete before it can be read: the floor is
the arrival of its last piece. The policy engine is not asked, so only holding back and reading are measured.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from benchmarks.figures import Figure
from gateway import output
from gateway.signals import Detectors
from gateway.types import Chunk, End, Stage, Stop, Text, ToolUse

PIECE, EVERY_S = 20, 0.01
"""Characters of a piece, and seconds between pieces: about 500 tokens per second."""
MOST = 1.3
"""The target: the first text is released within this many times the floor."""


@dataclass(slots=True)
class Times:
    """Times of one stream, in milliseconds since the request."""

    first: float = 0.0
    last: float = 0.0


async def measure(plain: Detectors, both: Detectors, texts: list[str]) -> list[Figure]:
    """The figures for streams of these texts, which are of equal length."""
    direct = [await _timed(_pieces(text)) for text in texts]
    figures = []
    for name, detectors in (("lexical", plain), ("lexical and learned", both)):
        held = [await _timed(output.hold_back(_pieces(t), _judge(detectors), limit_bytes=1 << 20)) for t in texts]
        waited = _median(held, lambda one: one.first)
        floor = _median(direct, lambda one: one.first) + 1000 * EVERY_S * (_window() - 1)
        added = _median(held, lambda one: one.last) - _median(direct, lambda one: one.last)
        of = f"stream of {len(texts[0])} characters, {name}"
        figures += [
            Figure(f"{of}: first text", "ms", waited, floor, f"<= {MOST} times", waited <= MOST * floor),
            Figure(f"{of}: added at its end", "ms", added, None, "", None),
        ]
    return figures


def _window() -> int:
    """The number of pieces until a window is complete and can be released."""
    return -(-(output.FIRST + output.AHEAD) // PIECE)


def _median(times: list[Times], of: Callable[[Times], float]) -> float:
    return statistics.median(map(of, times))


async def _pieces(text: str) -> AsyncGenerator[Chunk]:
    due = time.perf_counter()
    for start in range(0, len(text), PIECE):
        due += EVERY_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield Text(text[start : start + PIECE])
    yield End(Stop.END, "", 0, 0)


async def _timed(chunks: AsyncGenerator[Chunk]) -> Times:
    begun, times = time.perf_counter(), Times()
    async with aclosing(chunks):
        async for _ in chunks:
            times.last = (time.perf_counter() - begun) * 1000
            times.first = times.first or times.last
    return times


def _judge(detectors: Detectors) -> output.Judge:
    async def judged(_: Stage, texts: tuple[str, ...], __: tuple[ToolUse, ...]) -> None:
        await detectors.read(texts)

    return judged
