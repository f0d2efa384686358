"""The last layer again, by texts of writers whom the encoder has not seen.

What it was tuned on an encoder knows too well to say how sure it is elsewhere: it refuses strangers' recipes. Its last
layer, alone, is tuned again on texts of others: from where it stands, and no further than they bear out. Decisions by
margins, such as the threshold, take those that each writer's texts have by a layer tuned on the other writers.
Source: last-layer retraining, Kirichenko, Izmailov and Wilson, ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.signals.margins import combined

__all__ = ["Layer", "Seen", "elsewhere", "margin", "margins", "telling", "tuned", "without"]

STIFF: Final = 0.02
"""What a change of a weight costs; of the margin for any, as much less as that counts more."""
FREE: Final = 0.003
"""The same where a layer is made from nothing."""
SMOOTH: Final = 0.03
"""How far from 0 and 1 what is wanted counts, here and where the encoder is tuned."""
STEPS: Final = 200

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layer:
    """weights: of each number that the encoder gives, for each margin; bias: of each margin. The last is for any."""

    weights: Numbers
    bias: Numbers


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as the encoder gives it. rows: numbers for each passage. wanted: each category, then any; 0 or 1."""

    rows: Numbers
    wanted: Numbers
    writer: str


def margin(layer: Layer, rows: Numbers) -> float:
    """Of a text the highest of all passages; what has none is nothing."""
    return float(margins(layer, rows).max()) if len(rows) else float("-inf")


def margins(layer: Layer, rows: Numbers) -> Numbers:
    """The margin that decides, of each passage."""
    found: Numbers = rows @ layer.weights + layer.bias
    return combined(found) if found.shape[1] > 1 else found[:, 0]


def without(texts: Sequence[Seen], made: Callable[[Sequence[Seen]], Layer]) -> dict[str, Layer]:
    """For each writer the layer that is made of the texts of all others."""
    writers = sorted({text.writer for text in texts})
    return {writer: made([text for text in texts if text.writer != writer]) for writer in writers}


def elsewhere(texts: Sequence[Seen], layers: Mapping[str, Layer]) -> Numbers:
    """The margin of each text. layers: the one for each writer."""
    return np.array([margin(layers[text.writer], text.rows) for text in texts])


def tuned(start: Layer, texts: Sequence[Seen], weight_of_any: float) -> Layer:
    """The layer by these texts: of a restricted one the passage that says it most, of others every passage."""
    shown = [*filter(lambda text: len(text.rows), texts)]
    rows = [_shown(start, text) for text in shown]
    x, counts = _even(rows)
    wanted = np.repeat([text.wanted for text in shown], [len(some) for some in rows], axis=0)
    stiff = np.full(wanted.shape[1], STIFF)
    stiff[-1] /= weight_of_any
    change = _fitted(x, x @ start.weights + start.bias, wanted, counts, stiff)
    return Layer(start.weights + change.weights, start.bias + change.bias)


def telling(these: Sequence[Numbers], those: Sequence[Numbers]) -> Layer:
    """One margin, which is above nought for these texts' passages and below for those'."""
    x, counts = _even([*filter(len, [*these, *those])])
    wanted = np.zeros((len(x), 1))
    wanted[: sum(map(len, these))] = 1
    return _fitted(x, np.zeros(wanted.shape), wanted, counts, np.array([FREE]))


def _shown(start: Layer, text: Seen) -> Numbers:
    if not text.wanted[-1]:
        return text.rows
    return text.rows[[int(np.argmax(combined(text.rows @ start.weights + start.bias)))]]


def _even(rows: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    """The passages of all texts, and how much each counts: every text as much as any other."""
    return np.concatenate(rows), np.concatenate([np.full(len(some), 1 / len(some)) for some in rows])


def _fitted(x: Numbers, before: Numbers, wanted: Numbers, counts: Numbers, stiff: Numbers) -> Layer:
    """What to add to margins, each number being taken by how far it is from its mean, in its spread."""
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    even = np.column_stack([(x - middle) / spread, np.ones(len(x))])
    changes = _changes(even, before, wanted, counts / counts.sum(), stiff)
    weights = changes[:-1] / spread[:, None]
    return Layer(weights, changes[-1] - middle @ weights)


def _changes(x: Numbers, before: Numbers, wanted: Numbers, counts: Numbers, stiff: Numbers) -> Numbers:
    """What the weights change by, so that the loss and what the change costs are least; the bias is free.

    Each step takes the loss for as bent as it can be anywhere, so none goes too far (Boehning and Lindsay, 1988).
    """
    cost = np.outer(np.append(np.ones(x.shape[1] - 1), 1e-3), stiff)
    bends, ways = np.linalg.eigh((x * counts[:, None]).T @ x / 4)
    target, changes = wanted * (1 - 2 * SMOOTH) + SMOOTH, np.zeros(cost.shape)
    for _ in range(STEPS):
        likely = (1 + np.tanh((before + x @ changes) / 2)) / 2
        slope = x.T @ (counts[:, None] * (likely - target)) + cost * changes
        changes = changes - ways @ ((ways.T @ slope) / (bends[:, None] + stiff))
    return changes
