"""What the content says, whatever the caller declares: scores for the policy, or that there is no score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import structlog

from gateway.confusables import letters
from gateway.errors import StartError
from gateway.signals import credentials, us_persons
from gateway.signals.decode import respelled, unpacked
from gateway.signals.fair_threads import FairThreads
from gateway.signals.fusion import raise_to, weigh
from gateway.signals.lexical import Lexical
from gateway.signals.lexicon import load
from gateway.signals.liveness import Liveness
from gateway.signals.normalise import normalise
from gateway.signals.readable import readable_text, readable_words
from gateway.signals.script import mostly_ascii
from gateway.signals.segmentation import SLICE, glued, portions, shortened, slices, words_of
from gateway.types import Reading

__all__ = ["Detectors", "Outside", "Scorer"]

log = structlog.get_logger()

LEXICAL: Final = "lexical"
LEARNED: Final = "learned"
FORMS: Final = ("credentials", "us_person")
"""Signals that a text gives by its form, too: of numbers and keys, which are no words."""


@dataclass(frozen=True, slots=True)
class Way:
    """A text as it may be read. guessed: spelled otherwise than it came, which may make no sense in any language.

    decoded: the same with its case and in its script, where something was decoded.
    """

    text: str
    decoded: str = ""
    guessed: bool = False


class Scorer(Protocol):
    """A detector that reads text on a thread: `gateway.signals.learned`, which is loaded where it is asked for."""

    version: str

    @property
    def languages(self) -> object:
        """What reads other languages than English; None where nothing does."""

    def reads(
        self, text: str, whose: str | None = None, *, guessed: bool = False
    ) -> Generator[None, None, tuple[dict[str, int], bool]]:
        """Thousandths by signal, and whether it could read the text; a little of the text each step.

        whose: for whom it may remember what it said. guessed: as of a `Way`.
        """


class Outside(Protocol):
    """A detector of others: `gateway.signals.external`, which is loaded where one is configured."""

    name: str
    names: frozenset[str]
    version: str

    async def score(self, text: str, left_s: float) -> dict[str, int] | None:
        """Thousandths by signal; None where there are none."""

    async def close(self) -> None:
        """Give back connections."""


class Detectors:
    """The detectors, loaded. Raises StartError when their data can't be read.

    learned: the learned detector beside the lexical one; None where nobody asked for it. external: those of others,
    which belong to this from now on. limit_characters: the most content that is read, in all; beyond it nothing is.
    deadline_ms: how long reading takes, of a text of several slices once those before it are read: they take turns,
    since side by side all would be late. liveness: is told of every answer of a detector. score: words to thousandths
    by signal; another than the lexicon's only where a test needs one that fails.
    """

    def __init__(
        self,
        *,
        learned: Scorer | None = None,
        external: Sequence[Outside] = (),
        limit_characters: int = 1 << 20,
        deadline_ms: int = 10_000,
        liveness: Liveness | None = None,
        score: Callable[[list[str]], Mapping[str, int]] | None = None,
    ) -> None:
        lexicon, self._version = load()
        self._learned, self._sharing = learned, FairThreads(2)
        self._any_script = learned is not None and learned.languages is not None
        if learned:
            self._version += f"+{learned.version}"
        lexical = Lexical(lexicon)
        self._names = tuple(sorted({*lexical.names, *FORMS}))
        self.external = external
        for one in external:
            self._version += f"+{one.version}"
            if unknown := one.names.difference(self._names):
                raise StartError(
                    f"signals.external.{one.name}.categories: no such signal: {', '.join(sorted(unknown))}; "
                    f"signals are {', '.join(self._names)}"
                )
        self._languages = lexicon.languages
        self.liveness = liveness or Liveness()
        self.liveness.watch(LEXICAL, *([LEARNED] if learned else []), *(f"external.{one.name}" for one in external))
        self._score = score or lexical.score
        self._readings = lru_cache(maxsize=1024)(self._said)  # most texts score nothing
        self._limit = limit_characters
        self._long = asyncio.Lock()
        self._deadline_ns = deadline_ms * 1_000_000

    async def read(self, texts: Iterable[str], whose: str | None = None) -> tuple[Reading, ...]:
        """One reading for each signal, over all the texts together, in order. Never raises for any content.

        whose: the tenant whose texts they are; None where each detector is to be asked, whatever it remembers. The
        score is None when the content is over the limit, when a detector can't read some of it (see
        `gateway.signals.readable`), when a detector failed, or when it was late.
        """
        try:
            scores = await self._read([*filter(None, texts)], whose)
        except Exception as error:  # noqa: BLE001 - whatever broke, there is no score, and the policy refuses
            log.error("detector_failed", error=type(error).__name__)  # noqa: TRY400 - its text may quote content
            scores = {}
        return self._readings(tuple(map(scores.get, self._names)))

    def _said(self, scores: tuple[int | None, ...]) -> tuple[Reading, ...]:
        return tuple(Reading(name, self._version, score) for name, score in zip(self._names, scores, strict=True))

    async def close(self) -> None:
        """Give back the connections to the detectors of others."""
        for one in self.external:
            await one.close()

    async def _read(self, texts: list[str], whose: str | None) -> Mapping[str, int | None]:
        highest: dict[str, int] = {}
        async with self._long if sum(map(len, texts)) > SLICE else nullcontext():
            late = time.monotonic_ns() + self._deadline_ns
            readings = await self._lexically(highest, texts, late)
        if not readings or (self._learned and not await self._with_learned(highest, readings, whose, late)):
            return {}
        return await self._with_external(highest, readings, late) if self.external and any(texts) else highest

    async def _lexically(self, highest: dict[str, int], texts: list[str], late: int) -> list[Way]:
        """Raise the scores to those of words and forms. What was read, piece by piece; nothing if not all was."""
        readings: list[Way] = []
        if sum(map(len, texts)) > self._limit or (len(texts) > 1 and not all(map(self._readable, texts))):
            return []
        whole = " ".join(glued(texts))
        if not await _by_form(highest, whole, late):
            return []
        for piece in slices(await _shortened(whole)):
            if not self._readable(piece):
                return []
            for words, way in self._ways(piece):
                if words is None:
                    return []
                readings.append(way)
                raise_to(highest, self._score(words))
                raise_to(highest, _formed(way.decoded) if way.decoded else {})
                if time.monotonic_ns() > late:
                    return []
            if len(piece) == SLICE:
                await asyncio.sleep(0)  # other calls go on between the slices of a long text
        self.liveness.answered(LEXICAL)
        return readings

    async def _with_learned(self, highest: dict[str, int], readings: list[Way], whose: str | None, late: int) -> bool:
        """Let the learned detector have its say about the scores. False: it is late, or does not know the language."""
        assert self._learned  # noqa: S101 - narrows the type
        try:
            async with asyncio.timeout((late - time.monotonic_ns()) / 1e9):
                said = await self._sharing.read(whose, _each(self._learned, readings, whose))
            self.liveness.answered(LEARNED)
        except TimeoutError:
            log.warning("detector_late", detector=self._learned.version)
            return False
        weigh(highest, (scores for scores, _ in said))
        return all(known for way, (_, known) in zip(readings, said, strict=True) if not way.guessed)

    async def _with_external(self, highest: dict[str, int], readings: list[Way], late: int) -> Mapping[str, int | None]:
        """The higher of all detectors; for what one of others should have scored and did not, no score."""
        text, left_s = "\n\n".join(way.text for way in readings), (late - time.monotonic_ns()) / 1e9
        answers = await asyncio.gather(*(one.score(text, left_s) for one in self.external))
        for one, scores in zip(self.external, answers, strict=True):
            if scores is not None:
                self.liveness.answered(f"external.{one.name}")
                raise_to(highest, scores)
        silent = {
            name for one, scores in zip(self.external, answers, strict=True) if scores is None for name in one.names
        }
        return {name: None if name in silent else score for name, score in highest.items()}

    def _ways(self, piece: str) -> Iterator[tuple[list[str] | None, Way]]:
        """The words of a piece with its text, then what else it may be read as; None for words that nobody can read."""
        plain = normalise(piece)
        words = words_of(plain)
        yield words if self._known(words) else None, Way(piece)
        # Letters that pass for Latin ones stay where most letters are of another script: there they are what they are.
        seen = letters(piece) if mostly_ascii(plain) else piece
        clear = unpacked(seen)
        if clear is None:
            yield None, Way(piece)
        elif clear != seen:
            plain = normalise(clear)
            words = words_of(plain)
            yield words if self._readable(clear) and self._known(words) else None, Way(plain, clear)
        for other in respelled(plain, words):
            yield words_of(other), Way(other, guessed=True)

    def _readable(self, text: str) -> bool:
        return readable_text(text, any_script=self._any_script)

    def _known(self, words: list[str]) -> bool:
        return self._any_script or readable_words(words, self._languages.english, self._languages.other)


async def _by_form(highest: dict[str, int], whole: str, late: int) -> bool:
    """Raise the scores to what the text says by its form, as it came. False: it is late."""
    for piece in slices(whole):
        raise_to(highest, _formed(piece))
        if time.monotonic_ns() > late:
            return False
        if len(piece) == SLICE:
            await asyncio.sleep(0)
    return True


async def _shortened(whole: str) -> str:
    parts = []
    for part in portions(whole):
        parts.append(shortened(part))
        if len(part) > SLICE:
            await asyncio.sleep(0)
    return "".join(parts)


def _formed(text: str) -> dict[str, int]:
    """What the text says by its form, in which blanks and signs count, and case."""
    seen = text if text.isascii() else letters(text)
    return {"credentials": credentials.score(seen), "us_person": us_persons.score(seen)}


def _each(
    learned: Scorer, readings: list[Way], whose: str | None
) -> Generator[None, None, list[tuple[dict[str, int], bool]]]:
    """What the learned detector says of each."""
    found = []
    for way in readings:
        text = way.decoded or way.text
        found.append((yield from learned.reads(text, whose, guessed=way.guessed)))
    return found
