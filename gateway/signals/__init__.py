"""What the content says, whatever the caller declares: scores for the policy, or that there is no score."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from string import ascii_lowercase, digits
from typing import Final, Protocol

import structlog

from gateway.signals.decode import respelled, unpacked
from gateway.signals.lexical import Lexical
from gateway.signals.lexicon import load
from gateway.signals.normalise import letters, normalise
from gateway.signals.pulse import Pulse
from gateway.signals.readable import readable_text, readable_words
from gateway.types import Reading

__all__ = ["Detectors", "Scorer"]

log = structlog.get_logger()

LEXICAL: Final = "lexical"
LEARNED: Final = "learned"

_SLICE: Final = 16_384
_OVERLAP: Final = 1_024
_GLUED: Final = 64
_LONGEST: Final = 64
"""A longer run of letters is read in pieces: no term is as long, and what is remembered of each word stays small."""
_WORD: Final = re.compile(rf"[a-z0-9]{{1,{_LONGEST}}}")
_PARTED: Final = bytes(code if chr(code) in ascii_lowercase + digits else ord(" ") for code in range(256))


class Scorer(Protocol):
    """A detector that reads text on a thread: `gateway.signals.learned`, which is loaded where it is asked for."""

    version: str

    def score(self, text: str) -> dict[str, int]:
        """Thousandths by signal."""


class Detectors:
    """The detectors, loaded. Raises StartError when their data can't be read.

    learned: the learned detector beside the lexical one; None where nobody asked for it. limit_characters: the most
    content that is read, in all; beyond it nothing is. deadline_ms: how long reading takes. pulse: is told of every
    answer of a detector. score: words to thousandths by signal; another than the lexicon's only where a test needs one
    that fails.
    """

    def __init__(
        self,
        *,
        learned: Scorer | None = None,
        limit_characters: int = 1 << 20,
        deadline_ms: int = 2_000,
        pulse: Pulse | None = None,
        score: Callable[[list[str]], Mapping[str, int]] | None = None,
    ) -> None:
        lexicon, self._version = load()
        self._learned, self._threads = learned, ThreadPoolExecutor(2, "learned")
        if learned:
            self._version += f"+{learned.version}"
        lexical = Lexical(lexicon)
        self._names = lexical.names
        self._languages = lexicon.languages
        self.pulse = pulse or Pulse()
        self.pulse.watch(LEXICAL, *([LEARNED] if learned else []))
        self._score = score or lexical.score
        self._readings = lru_cache(maxsize=1024)(self._said)  # most texts score nothing
        self._limit = limit_characters
        self._deadline_ns = deadline_ms * 1_000_000

    async def read(self, texts: Iterable[str]) -> tuple[Reading, ...]:
        """One reading for each signal, over all the texts together, in order. Never raises for any content.

        The score is None when the content is over the limit, when a detector can't read some of it (see
        `gateway.signals.readable`), when a detector failed, or when it was late.
        """
        try:
            scores = await self._read([*filter(None, texts)])
        except Exception as error:  # noqa: BLE001 - whatever broke, there is no score, and the policy refuses
            log.error("detector_failed", error=type(error).__name__)  # noqa: TRY400 - its text may quote content
            scores = {}
        return self._readings(tuple(map(scores.get, self._names)))

    def _said(self, scores: tuple[int | None, ...]) -> tuple[Reading, ...]:
        return tuple(Reading(name, self._version, score) for name, score in zip(self._names, scores, strict=True))

    async def _read(self, texts: list[str]) -> Mapping[str, int]:
        late = time.monotonic_ns() + self._deadline_ns
        if sum(map(len, texts)) > self._limit:
            return {}
        highest: dict[str, int] = {}
        readings: list[str] = []
        if len(texts) > 1 and not all(map(readable_text, texts)):
            return {}
        for piece in _slices(" ".join(_glued(texts))):
            if not readable_text(piece):
                return {}
            readings.append(piece)
            for words in self._ways(piece):
                if words is None:
                    return {}
                if words[1]:
                    readings.append(words[1])
                _raise(highest, self._score(words[0]))
                if time.monotonic_ns() > late:
                    return {}
            if len(piece) == _SLICE:
                await asyncio.sleep(0)  # other calls go on between the slices of a long text
        self.pulse.answered(LEXICAL)
        return await self._with_learned(highest, readings, late) if self._learned and readings else highest

    async def _with_learned(self, highest: dict[str, int], readings: list[str], late: int) -> Mapping[str, int]:
        """The higher of both detectors; nothing where the learned one is late."""
        assert self._learned  # noqa: S101 - narrows the type
        read = partial(_in_time, self._learned, readings, late)
        work = asyncio.get_running_loop().run_in_executor(self._threads, read)
        try:
            async with asyncio.timeout((late - time.monotonic_ns()) / 1e9):
                for scores in await work:
                    _raise(highest, scores)
            self.pulse.answered(LEARNED)
        except TimeoutError:
            log.warning("detector_late", detector=self._learned.version)
            return {}
        return highest

    def _ways(self, piece: str) -> Iterator[tuple[list[str], str] | None]:
        """The words of a piece, then what else they may be read as, with the text; None for what nobody can read."""
        plain = normalise(piece)
        words = _words(plain)
        yield (words, "") if self._known(words) else None
        seen = piece if piece.isascii() else letters(piece)
        clear = unpacked(seen)
        if clear != seen:
            plain = normalise(clear)
            words = _words(plain)
            yield (words, plain) if readable_text(clear) and self._known(words) else None
        for other in respelled(plain, words):
            yield _words(other), other

    def _known(self, words: list[str]) -> bool:
        return readable_words(words, self._languages.english, self._languages.other)


def _in_time(learned: Scorer, readings: list[str], late: int) -> list[dict[str, int]]:
    """What the learned detector says of each; on a thread, which stops soon after nobody waits for it."""
    found = []
    for text in readings:
        if time.monotonic_ns() > late:
            raise TimeoutError
        found.append(learned.score(text))
    return found


def _raise(highest: dict[str, int], scores: Mapping[str, int]) -> None:
    for name, score in scores.items():
        highest[name] = max(score, highest.get(name, 0))


def _words(plain: str) -> list[str]:
    spelled = plain.replace("'", "").replace("u.s.", "us")
    words = spelled.encode("ascii", "replace").translate(_PARTED).decode().split()
    return words if max(map(len, words), default=0) <= _LONGEST else _WORD.findall(spelled)


def _glued(texts: list[str]) -> Iterator[str]:
    """The texts, and between two neighbours the word that their ends make together: a term may be split anywhere.

    Two words, where they differ: one made as if no white space stood between the texts, and one that minds it. No text
    is empty.
    """
    loose = strict = ""
    for text in texts:
        first, *more = text.split(None, 1) or [""]
        if text[0].isspace():
            strict = ""
        yield from (end + first for end in dict.fromkeys((loose, strict)) if end and first)
        yield text
        last = text.rsplit(None, 1)[-1] if more else ""
        loose = (last or loose + first)[-_GLUED:]
        strict = "" if text[-1].isspace() else (last or strict + first)[-_GLUED:]


def _slices(text: str) -> Iterator[str]:
    """Overlapping slices: whatever is shorter than the overlap is whole in one of them."""
    step = _SLICE - _OVERLAP
    for start in range(0, max(1, len(text) - _OVERLAP), step):
        yield text[start : start + _SLICE]
