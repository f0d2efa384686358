"""`make bench-signals`: the cost of reading content, with and without the learned detector, by length of the text.

Alternatives are measured in one run, on different texts, so that caches do not help. In the corpus, two texts in five
are restricted and as many are near the line, so the learned detector reads more of it to the end than of ordinary
texts. Streams: see held.py. Refusals of harmless text from other sources: see foreign.py. How far the learned detector
reads: see early.py.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from pathlib import Path

from benchmarks import early, foreign, held
from benchmarks.figures import Figure, options, report
from gateway.measuring.corpus import Text, read
from gateway.signals import Detectors, learned

TIMES, STREAMS = 60, 12
LENGTHS = {200: None, 2_000: 0.3, 8_000: None}
"""Lengths in characters, each with the lexical detector's target in milliseconds, if it has one."""
LEARNED = {200: None, 2_000: 10.0, 8_000: None}
"""The target of both detectors together: 2,000 characters of English are about 500 tokens of the encoder."""
PLAIN = 2_000
GONE_ON = 8_000, 200
"""Characters of a conversation so far, and of its next turn."""


def main() -> None:
    """Measure and print."""
    given = options().parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plain, both = Detectors(), Detectors(learned=learned.load(), deadline_ms=60_000)
    texts = [text for text in read(Path("detectors/corpus")) if text.lang == "en"]
    figures = asyncio.run(measure(plain, both, texts))
    figures += asyncio.run(_ordinary(both))
    figures += asyncio.run(_languages(both))
    figures += asyncio.run(held.measure(Detectors(), both, _made(texts, 2_000)[:: TIMES // STREAMS]))
    figures += asyncio.run(foreign.measure(Detectors(), both))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    figures.append(Figure("memory of the detectors, after reading", "MiB", grown, None, "", None))
    figures += early.measure()
    report(
        figures,
        given.json,
        title="Reading the content",
        beside="compared with",
        note="median of processor time and wait",
    )


async def measure(plain: Detectors, both: Detectors, texts: list[Text]) -> list[Figure]:
    """The figures for each length."""
    figures = []
    for length, target in LENGTHS.items():
        some = _made(texts, length)
        first = [await _timed(plain, text) for text in some]  # not in turns: the learned one would evict its caches
        second = [await _timed(both, text) for text in some]
        alone, together = statistics.median(first), statistics.median(second)
        figures += [
            _figure(f"lexical, {length} characters", alone, None, target),
            _figure(f"lexical and learned, {length} characters", together, alone, LEARNED[length]),
        ]
    return [*figures, await _gone_on(both, _made(texts, sum(GONE_ON)))]


async def _ordinary(both: Detectors) -> list[Figure]:
    """Texts far from any line, by authors that the detectors have not seen: short and long ones."""
    texts = [text.text for text in read(Path("detectors/independent")) if text.ordinary]
    short = [await _timed(both, text) for text in texts]
    some = foreign.cuts(PLAIN)["descriptions of packages"][:TIMES]
    long = [await _timed(both, text) for text in some]
    of, package = (
        f"an ordinary text of {statistics.median(map(len, texts)):.0f} characters",
        "of a package's description",
    )
    return [
        _figure(f"lexical and learned, {of}", statistics.median(short), None, None),
        _figure(f"lexical and learned, {PLAIN} characters {package}", statistics.median(long), None, LEARNED[PLAIN]),
    ]


async def _languages(both: Detectors) -> list[Figure]:
    """Texts in other languages than English: ordinary ones, and long ones of all sorts."""
    texts = read(Path("detectors/languages"))
    short = [text.text for text in texts if text.ordinary]
    taken = [await _timed(both, text) for text in short]
    long = [await _timed(both, text) for text in _made(texts, PLAIN)]
    of = f"an ordinary text of {statistics.median(map(len, short)):.0f} characters in another language"
    return [
        _figure(f"lexical and learned, {of}", statistics.median(taken), None, None),
        _figure(f"lexical and learned, {PLAIN} characters in other languages", statistics.median(long), None, None),
    ]


async def _gone_on(both: Detectors, texts: list[str]) -> Figure:
    """The next turn of a conversation that was read before."""
    so_far, more = GONE_ON
    taken = []
    for text in texts:
        await both.read([text[:so_far]], "a tenant")
        taken.append(await _timed(both, text, "a tenant"))
    name = f"lexical and learned, {more} characters more of a conversation of {so_far}"
    return _figure(name, statistics.median(taken), None, None)


def _figure(name: str, value: float, direct: float | None, target: float | None) -> Figure:
    told = "" if target is None else f"at most {target} ms"
    return Figure(name, "ms", value, direct, told, None if target is None else value <= target)


async def _timed(detectors: Detectors, text: str, whose: str | None = None) -> float:
    start = time.perf_counter()
    await detectors.read([text], whose)
    return (time.perf_counter() - start) * 1000


def _made(texts: list[Text], length: int) -> list[str]:
    """Different texts of this length, made from consecutive texts of the corpus."""
    whole = " ".join(text.text for text in texts)
    step = max(1, (len(whole) - length) // TIMES)
    return [whole[start : start + length] for start in range(0, step * TIMES, step)]


if __name__ == "__main__":
    main()
