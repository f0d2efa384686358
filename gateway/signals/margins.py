"""What an encoder's margins mean: which one decides, whether it is in doubt, and as which scores they are shown."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Margins", "combined", "doubtful", "shares", "thousandths"]

Margins = npt.NDArray[Any]
"""A row for each passage: the margin of each category, then that of any."""
_BELOW: Final = 3.0
_ABOVE: Final = 1.0
"""How far from the threshold another encoder is asked, too. Of harmless passages one in thirty is nearer."""


def combined(margins: Margins) -> npt.NDArray[Any]:
    """The margin that decides, of each row: the mean of that for any and the highest of the others."""
    found: npt.NDArray[Any] = (margins[:, -1] + margins[:, :-1].max(axis=1)) / 2
    return found


def doubtful(margins: Margins, threshold: float) -> bool:
    """Whether one row is so near the threshold that another encoder is asked, too."""
    return bool(-_BELOW <= combined(margins)[0] - threshold < _ABOVE)


def thousandths(margin: npt.NDArray[Any], threshold: float, wide: float) -> npt.NDArray[np.int64]:
    """Margins as scores: 500 at the threshold."""
    scores: npt.NDArray[np.int64] = np.floor(500 + 500 * np.tanh((margin - threshold) / wide)).astype(np.int64)
    return scores


def shares(margins: Margins, threshold: float, shown: float, wide: float) -> npt.NDArray[np.int64]:
    """Of one row, the margin that decides as the score of the highest category and those shown beside it; others less.

    shown, wide: as of an encoder's `Manifest`.
    """
    row = np.append(margins[0, :-1], combined(margins))
    named = np.maximum(row[:-1] - shown, np.where(row[:-1] == np.max(row[:-1]), 0, -np.inf))
    margin = np.where(named >= 0, row[-1], np.minimum(row[-1], threshold) - wide)
    return thousandths(margin, threshold, wide)
