"""Texts as the encoder reads them to its end, whatever a part of it says, and texts that stand among others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detectors.learned.batches import bare
from detectors.learned.early import Passages
from detectors.learned.exporting import giving
from gateway.measuring.corpus import Text
from gateway.signals.encoder import SEEN, Pieces, session, shown
from gateway.signals.learned import passages, worded

SHORT: Final = 400
"""Characters, of what stands in a passage with others."""

Numbers = npt.NDArray[Any]
Test: TypeAlias = Callable[[Numbers], Numbers]
Rows: TypeAlias = list[Numbers]
"""Of a text: for each part of the encoder what it makes its margins of, a row for each passage."""


@dataclass(frozen=True, slots=True)
class Read:
    """Texts, and the encoder's rows of each."""

    texts: list[Text]
    rows: list[Rows]

    def __add__(self, other: Read) -> Read:
        return Read(self.texts + other.texts, self.rows + other.rows)

    def ends(self) -> list[Numbers]:
        """What the last layers are given of each."""
        return [rows[-1] for rows in self.rows]

    def passages(self, part: int, group: Callable[[Text], str], says: Test, refused: Test) -> Passages:
        """What a part gives of all passages. says, refused: of what the last layers are given."""
        ends = np.concatenate(self.ends())
        groups = np.repeat([group(text) for text in self.texts], [*map(len, self.ends())])
        return Passages(np.concatenate([rows[part] for rows in self.rows]), groups, says(ends), refused(ends))


def cut(text: Text, form: Callable[[str], str]) -> list[str]:
    """The passages of a text that are read. form: in which."""
    return passages(worded(form(bare(text.text))))


def reader(encoder: Mapping[str, bytes], pieces: Pieces, form: Callable[[str], str]) -> Callable[[Text], Rows]:
    """What reads a text. encoder: its parts, in order. form: in which it reads."""
    parts = [session(giving(part)) for part in encoder.values()]

    def read(text: Text) -> Rows:
        rows: list[list[Numbers]] = [[] for _ in parts]
        for passage in cut(text, form):
            given = shown(pieces, passage)
            for part, found in zip(parts, rows, strict=True):
                seen, *_, numbers = part.run(None, given)
                found.append(numbers[0])
                given = {SEEN: seen}
        return [np.array(found, np.float64).reshape(len(found), -1) for found in rows]

    return read


def among(texts: Sequence[Text], filling: Sequence[str], chance: np.random.Generator) -> list[Text]:
    """Those that are short, each with an ordinary text before it, after it, or both."""

    def one() -> str:
        return filling[int(chance.integers(len(filling)))][:SHORT]

    def hidden(text: str) -> str:
        kind = chance.random()
        return " ".join([*([one()] if kind < 2 / 3 else []), text, *([one()] if kind > 1 / 3 else [])])

    return [t.model_copy(update={"text": hidden(t.text)}) for t in texts if len(t.text) < SHORT]
