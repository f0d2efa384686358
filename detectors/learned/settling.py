"""What is settled by texts of writers whom the encoder has not seen: its last layers, and the thresholds.

1 the encoder reads them, as the gateway will    2 its last layer is tuned again on them; the threshold is the lowest at
which, by layers that are each tuned without one writer, at most 2 % of the writers' hard negatives are refused, and
0.5 % of their ordinary texts, or one    3 another last layer tells texts in other languages from theirs; of theirs at
most 0.5 % are taken for one by a layer that was made without the writer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.corpus import CATEGORIES
from detectors.learned import last
from detectors.learned.batches import bare
from detectors.learned.exporting import GIVEN, giving, last_of, with_last
from detectors.learned.tuning import ANY
from gateway.measuring.corpus import Text
from gateway.signals.learned import passages, session, shown, worded
from gateway.signals.pieces import Pieces
from gateway.signals.script import form

HARD_SHARE: Final = 0.02
ORDINARY_SHARE: Final = 0.005
FOREIGN_SHARE: Final = 0.005

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """An encoder, its thresholds, and what they find: of restricted texts apart, and of texts in other languages."""

    encoder: bytes
    threshold: float
    foreign: float
    restricted: float
    elsewhere: float


def settled(encoder: bytes, pieces: Pieces, apart: Sequence[Text], foreign: Sequence[Text]) -> Settled:
    """The encoder with its last layers. apart: English. foreign: none is."""
    reader = session(giving(encoder))

    def rows(text: Text) -> Numbers:
        found = passages(worded(form(bare(text.text))))
        numbers = [reader.run([GIVEN], shown(pieces, passage))[0][0] for passage in found]
        return np.array(numbers, dtype=np.float64).reshape(len(found), -1)

    seen = [last.Seen(rows(text), wanted(text), text.id.partition("-")[0]) for text in apart]  # 1
    start, others = last.Layer(*last_of(encoder)), [rows(text) for text in foreign]
    layer, margins = last.tuned(start, seen, ANY), last.elsewhere(seen, lambda some: last.tuned(start, some, ANY))  # 2
    threshold = max(
        _over(margins[[text.hard for text in apart]], HARD_SHARE),
        _over(margins[[ordinary(text) for text in apart]], ORDINARY_SHARE),
    )

    def telling(some: Sequence[last.Seen]) -> last.Layer:
        return last.telling(others, [one.rows for one in some])

    language, limit = telling(seen), _over(last.elsewhere(seen, telling), FOREIGN_SHARE)  # 3
    numbers = {"head.w": layer.weights, "head.b": layer.bias, "foreign.w": language.weights, "foreign.b": language.bias}
    return Settled(
        with_last(encoder, numbers),
        threshold,
        limit,
        float(np.mean(margins[[bool(text.labels) for text in apart]] >= threshold)),
        float(np.mean([last.margin(language, some) >= limit for some in others])),
    )


def wanted(text: Text) -> Numbers:
    """What the margins should be of, 0 or 1: each category, then any."""
    return np.array([name in text.labels for name in CATEGORIES] + [bool(text.labels)], np.float64)


def ordinary(text: Text) -> bool:
    """Whether it is far from any line."""
    return not text.labels and not text.hard


def _over(margins: Numbers, share: float) -> float:
    """The lowest threshold over which there is this share, or one where the share is less."""
    return round(float(np.sort(margins)[-1 - max(1, int(len(margins) * share))]) + 0.001, 3)
