"""The margins at the end of each part of the encoder but the last: whether a later part may have something to say.

Most passages are nothing, and that is seen early: they need not be read to the end. Two margins say so: one for any
category, one for another language. Nought is where each misses two in a thousand of the passages for which a text is
refused, by margins of a layer that was made without a fifth of the writers, the passage's own among them, or without
its language. Source: early exits, Teerapittayanon, McDanel and Kung, ICPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.learned import last
from detectors.learned.last import Layer

__all__ = ["Passages", "early"]

MISSED: Final = 0.002

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages as a part of the encoder gives them. rows: numbers of each. groups: what is left out with it.

    says: whether the last part has something to say of it. refused: whether a text is refused for it.
    """

    rows: Numbers
    groups: Numbers
    says: Numbers
    refused: Numbers


def early(apart: Passages, known: Passages, foreign: Passages) -> Layer:
    """Two margins, for any category and for another language. known: what the encoder was tuned on, English."""

    def saying(kept: Numbers) -> Layer:
        rows = np.concatenate([apart.rows[kept], known.rows])
        says = np.concatenate([apart.says[kept], known.says])
        return last.telling(_each(rows[says]), _each(rows[~says]))

    def abroad(kept: Numbers) -> Layer:
        return last.telling(_each(foreign.rows[kept]), _each(apart.rows))

    both = _settled(apart, saying), _settled(foreign, abroad)
    return Layer(np.hstack([layer.weights for layer in both]), np.concatenate([layer.bias for layer in both]))


def _settled(some: Passages, made: Callable[[Numbers], Layer]) -> Layer:
    """The layer that is made of all, with nought where it misses few enough."""
    margins = np.zeros(len(some.rows))
    for group in np.unique(some.groups):
        mine = some.groups == group
        layer = made(~mine)
        margins[mine] = last.margins(layer, some.rows[mine])
    layer = made(np.ones(len(margins), bool))
    return Layer(layer.weights, layer.bias - np.quantile(margins[some.refused], MISSED))


def _each(rows: Numbers) -> list[Numbers]:
    """Every passage as a text of its own, so that each counts as much."""
    return [*rows[:, None, :]]
