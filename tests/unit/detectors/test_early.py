"""A passage is nothing early on only where a layer that has not seen its writer would have missed next to none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.learned.early import MISSED, Numbers, Passages, early
from detectors.learned.last import Layer

SEEDS = st.integers(0, 1 << 32)


def passages(chance: np.random.Generator, groups: int, number: int, place: int | None) -> Passages:
    """As many of each group. place: the number of a passage that says something of two in three; None: all say it."""
    rows = chance.normal(size=(groups * number, 4)) / 2
    says = np.ones(len(rows), bool) if place is None else np.arange(len(rows)) % 3 > 0
    rows[says, 3 if place is None else place] += 4
    return Passages(rows, np.repeat([*map(str, range(groups))], number), says, says)


def made(seed: int) -> tuple[Passages, Passages, Passages]:
    """Apart, known, foreign."""
    chance = np.random.default_rng(seed)
    return passages(chance, 5, 60, 0), passages(chance, 1, 90, 0), passages(chance, 4, 30, None)


def left(layer: Layer, rows: Numbers) -> Numbers:
    """Whether each passage is nothing by both margins."""
    nothing: Numbers = ((rows @ layer.weights + layer.bias) < 0).all(axis=1)
    return nothing


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_it_leaves_what_is_nothing_and_nothing_else(seed: int) -> None:
    """Most passages that nobody has anything to say of are left, and of those refused, or foreign, hardly one is."""
    apart, known, foreign = made(seed)
    layer = early(apart, known, foreign)
    assert left(layer, apart.rows[~apart.says]).mean() > 0.5
    for some in (apart.rows[apart.refused], foreign.rows):
        assert left(layer, some).sum() <= 1 + 10 * MISSED * len(some)


@settings(deadline=None, max_examples=10)
@given(seed=SEEDS)
def test_nobody_is_missed_by_a_layer_that_has_not_seen_him(seed: int) -> None:
    """What one writer alone says otherwise, a layer without him misses: then next to nothing is left of anybody."""
    apart, known, foreign = made(seed)
    his = (apart.groups == "0") & apart.refused
    rows = apart.rows.copy()
    rows[his, :2] += -4, 4
    layer = early(replace(apart, rows=rows), known, foreign)
    assert left(layer, rows[~apart.says]).mean() < 0.3
    assert left(early(apart, known, foreign), apart.rows[~apart.says]).mean() > 0.5
