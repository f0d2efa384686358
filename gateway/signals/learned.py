"""The learned detector: what a text wants, by small encoders that were tuned on labelled texts.

1. A text, without long rows of numbers, is cut into passages that overlap. Each is read alone, so that none weighs on
   another.
2. The encoder for English reads the passages, and of a text with other letters the words in Latin letters, or in what
   passes for them: a few other letters may make it stop early. Where it is in doubt, the encoder for many languages is
   asked, too.
3. If there are words in other letters, or the encoder takes a passage for another language, the encoder for many
   languages reads the whole text in its own script, and where scripts are mixed, the words of each apart.
4. The highest score of all passages counts.

docs/detectors.md says what the encoders were made of and how often they are right.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.signals import encoder
from gateway.signals.encoder import FOREIGN, READ, Encoder
from gateway.signals.fair_threads import finished
from gateway.signals.normalise import normalise
from gateway.signals.readable import foreign_letters
from gateway.signals.script import UNSPACED, by_script, latin_rows, native

__all__ = ["FOLDER", "LANGUAGES", "Learned", "load", "passages", "worded"]

FOLDER: Final = files("gateway") / "assets" / "learned"
LANGUAGES: Final = files("gateway") / "assets" / "languages"
_PASSAGE: Final = 480
_SHARED: Final = 4
"""Neighbouring passages share a fourth."""
_DENSE: Final = re.compile(UNSPACED)
_LETTERS_OF_ONE: Final = 3
"""A character that is a syllable or a word is as much as so many letters."""
_FOREIGN: Final = 12
"""Letters of another script from which a text is read in it, too."""
_FEW: Final = 4
"""Words in Latin letters beside another script from which those in each are also read apart."""
_WORDS: Final = re.compile(r"[^\W\d_]{2,}")
_NUMBERS: Final = 8
"""How many numbers in a row are read."""
_BYTE: Final = re.compile("[0-9a-f]{2}")
_DIGIT: Final = re.compile("[0-9]")
_LETTERS: Final = re.compile(r"[^\W\d_]{3}")

Rows = list[npt.NDArray[Any]]


class Learned:
    """The detector. languages: the encoder for other languages than English; without one such text can't be read."""

    def __init__(self, english: Encoder, languages: Encoder | None = None) -> None:
        self.english, self.languages, self.names = english, languages, english.names
        self.version = f"learned-6-{english.digest[:12]}"
        if languages:
            self.version += f"+languages-2-{languages.digest[:12]}"

    def score(self, text: str, whose: str | None = None) -> tuple[dict[str, int], bool]:
        """Thousandths, 0 to 1000, for each category, and whether it could read the text.

        Takes time in proportion to the text, outside any event loop.
        whose: the tenant whose text it is, for whom no passage is read twice; None reads, and remembers nothing.
        """
        return finished(self.reads(text, whose))

    def reads(
        self, text: str, whose: str | None = None, *, guessed: bool = False
    ) -> Generator[None, None, tuple[dict[str, int], bool]]:
        """`score`, a passage a step. guessed: the text is spelled otherwise than it came: it is read as English."""
        rows: Rows = []
        normal = normalise(text)
        plain = native(text) if self.languages and not (text + normal).isascii() else normal
        plain = plain.replace("_", " ")
        latin, others = by_script(plain)
        unread = foreign = self.languages is not None and foreign_letters(others) >= _FOREIGN
        mine = [by_script(normal)[0], latin_rows(normal, _FEW) if foreign else normal] if others else [normal]
        for passage in _passages_of(mine):
            rows.append(self.english.said(passage, whose))
            unread = unread or rows[-1][-1] != READ
            yield
        if unread and self.languages and not guessed:
            rows = [row for row in rows if row[-1] != FOREIGN]  # what it says of another language is by chance
            mixed = others and len(_WORDS.findall(latin)) >= _FEW
            said: Rows = []
            for passage in _passages_of([plain, others, latin] if mixed else [plain]):
                said.append(self.languages.said(passage, whose))
                yield
            unread = any(row[-1] != READ for row in said)
            rows += said
        highest = np.max(rows, axis=0)[:-1].tolist() if rows else [0] * len(self.names)
        return dict(zip(self.names, highest, strict=True)), not unread


def _passages_of(texts: Iterable[str]) -> list[str]:
    """The passages of texts, of which none is read twice."""
    return [*dict.fromkeys(passage for text in texts for passage in passages(worded(text)))]


def worded(text: str) -> str:
    """The text without what goes on after eight numbers in a row: the encoder has learnt nothing of tables, dumps."""
    kept, row = [], 0
    for word in text.split(" "):
        row = row + 1 if _is_number(word) else 0
        if row <= _NUMBERS:
            kept.append(word)
    return " ".join(kept)


def _is_number(word: str) -> bool:
    """Whether it has digits and nothing that is a word, or may be a byte in hexadecimal."""
    return bool(_BYTE.fullmatch(word) or (_DIGIT.search(word) and not _LETTERS.search(word)))


def passages(text: str) -> list[str]:
    """The text in pieces that overlap, cut between words where there are any. text: in form."""
    found, start = [], 0
    while start < len(text):
        wide = _wide(text[start : start + _PASSAGE])
        end = min(len(text), start + wide)
        if end < len(text) and (space := text.rfind(" ", start + wide // 2, end)) > 0:
            end = space
        found.append(text[start:end].strip())
        if end == len(text):
            break
        start = end - wide // _SHARED
        start = space + 1 if (space := text.find(" ", start, end - wide // _SHARED // 2)) > 0 else start
    return [*filter(None, found)]


def _wide(text: str) -> int:
    """How long a passage is, by what it may hold: as many words, whether a character is a letter or a word."""
    dense = 0 if text.isascii() else len(_DENSE.findall(text))
    return _PASSAGE * _PASSAGE // (_PASSAGE + (_LETTERS_OF_ONE - 1) * dense)


def load(folder: Traversable = FOLDER, languages: Traversable | None = LANGUAGES) -> Learned:
    """The detector that travels with the package. Raises StartError when a file is missing or another."""
    many = encoder.load(languages) if languages else None
    return Learned(encoder.load(folder, many), many)
