"""What the encoder is shown while it is tuned: texts, disturbed as people disturb them, packed into rows of one length.

Several texts stand in a row, each seeing itself alone: nothing is computed for nothing, and every batch has one shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ROWS: Final = 15
LENGTH: Final = 128
TEXTS: Final = 80
"""The most of a batch."""
HIDDEN: Final = 0.04
"""The share of pieces that it has to do without."""
_LETTERS: Final = "qwertyuiopasdfghjklzxcvbnm"
_PLACEHOLDER: Final = re.compile(r"\[([A-Z][A-Z _-]*)\]")

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces; which text each belongs to and where in it it stands; where each text begins; which texts there are."""

    pieces: Ints
    owners: Ints
    places: Ints
    first: Ints
    texts: list[int]


def bare(text: str) -> str:
    """A text without its placeholders, which would be learnt as a sign."""
    return re.sub(r"\s+", " ", _PLACEHOLDER.sub(" ", text))


def named(text: str) -> str:
    """A text with words for its placeholders."""
    return _PLACEHOLDER.sub(lambda match: match[1].lower(), text)


def packed(texts: Sequence[Sequence[int]], order: Iterable[int]) -> list[Batch]:
    """Texts as pieces, in batches: each in the first row that has room, in the order given."""
    found, rows, there = [], [0] * ROWS, list[tuple[int, int, int]]()
    for text in order:
        row = next((row for row in range(ROWS) if rows[row] + len(texts[text]) <= LENGTH), None)
        if row is None or len(there) == TEXTS:
            found.append(_batch(there, texts))
            rows, there, row = [0] * ROWS, [], 0
        there.append((text, row, rows[row]))
        rows[row] += len(texts[text])
    return [*found, _batch(there, texts)]


def _batch(there: list[tuple[int, int, int]], texts: Sequence[Sequence[int]]) -> Batch:
    pieces, places = np.zeros((2, ROWS, LENGTH), np.int32)
    owners = np.full((ROWS, LENGTH), TEXTS, np.int32)
    first = np.zeros(TEXTS, np.int32)
    for number, (text, row, at) in enumerate(there):
        end = at + len(texts[text])
        pieces[row, at:end], owners[row, at:end], places[row, at:end] = texts[text], number, range(end - at)
        first[number] = row * LENGTH + at
    return Batch(pieces, owners, places, first, [text for text, _, _ in there])


def hidden(pieces: Ints, mask: int, signs: int, chance: np.random.Generator) -> Ints:
    """The pieces with some of them hidden behind the mask; never those below `signs`, which begin and end a text."""
    chosen = (chance.random(pieces.shape) < HIDDEN) & (pieces >= signs)
    return np.where(chosen, mask, pieces).astype(np.int32)


def disturbed(text: str, ordinary: Sequence[str], chance: np.random.Generator) -> str:
    """A text as another hand may leave it: typing errors, no punctuation, words run together, other text beside it."""
    found = named(text) if chance.random() < 0.3 else bare(text)
    kind = chance.random()
    if kind < 0.12:
        found = _mistyped(found, chance)
    elif kind < 0.18:
        found = re.sub(r"[^\w\s]", "", found)
    elif kind < 0.22:
        found = found.rstrip(".?! ")
    elif kind < 0.25:
        found = _glued(found.split(), chance)
    return _beside(found, ordinary, chance) if chance.random() < 0.12 and len(found) < 400 else found


def _mistyped(text: str, chance: np.random.Generator) -> str:
    def typed(character: str, after: str) -> str:
        kinds = "", character * 2, after + character, _LETTERS[chance.integers(len(_LETTERS))]
        wrong = character.isalpha() and chance.random() < 0.02
        return str(kinds[chance.integers(len(kinds))]) if wrong else character

    return "".join(typed(character, text[at + 1 : at + 2]) for at, character in enumerate(text))


def _glued(words: list[str], chance: np.random.Generator) -> str:
    at: Any = chance.integers(len(words))
    return " ".join([*words[:at], "".join(words[at : at + 2]), *words[at + 2 :]])


def _beside(text: str, ordinary: Sequence[str], chance: np.random.Generator) -> str:
    other = ordinary[int(chance.integers(len(ordinary)))]
    if chance.random() < 0.5:
        other = other[: max(40, len(other) // 2)]
    return f"{other} {text}" if chance.random() < 0.5 else f"{text} {other}"
