"""The last layer is tuned on strangers' texts, and judged by writers whom it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.learned.last import Layer, Numbers, Seen, elsewhere, margin, telling, tuned, without

START = Layer(np.zeros((4, 3)), np.array([-2.0, -2.0, -2.0]))
FIRST, SECOND, NOTHING = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), np.zeros(3)


def texts(seed: int) -> list[Seen]:
    """Sixty texts of three writers: the first number of a passage says one category, the second the other."""
    chance = np.random.default_rng(seed)

    def seen(number: int) -> Seen:
        kind = number % 3
        rows = chance.normal(size=(1 + number % 2, 4)) / 4
        if kind < 2:
            rows[-1, kind] += 2
        return Seen(rows, (FIRST, SECOND, NOTHING)[kind], f"writer {number // 20}")

    return [seen(number) for number in range(60)]


def made(some: Sequence[Seen]) -> Layer:
    """The layer that is tuned on these."""
    return tuned(START, some, 3.0)


def loss(layer: Layer, some: list[Seen]) -> float:
    """Of the texts with one passage, by their margins."""
    rows = np.concatenate([text.rows for text in some if len(text.rows) == 1])
    wanted = np.array([text.wanted for text in some if len(text.rows) == 1])
    margins: Numbers = rows @ layer.weights + layer.bias
    return float((np.logaddexp(0, margins) - wanted * margins).mean())


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1 << 32))
def test_it_tells_what_the_start_does_not(seed: int) -> None:
    """After it, what is restricted has a higher margin than what is not, of writers who were left out, too."""
    some = texts(seed)
    layer, apart = tuned(START, some, 3.0), elsewhere(some, without(some, made))
    assert loss(layer, some) < loss(START, some)
    restricted = np.array([text.wanted[-1] > 0 for text in some])
    for margins in (np.array([margin(layer, text.rows) for text in some]), apart):
        assert margins[restricted].mean() > margins[~restricted].mean() + 1


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1 << 32))
def test_nobody_is_judged_by_a_layer_that_has_seen_him(seed: int) -> None:
    """Whatever a writer's labels are, the margins of his own texts stay; those of others change."""
    some = texts(seed)
    turned = [replace(text, wanted=NOTHING) if text.writer == "writer 1" else text for text in some]
    before, after = elsewhere(some, without(some, made)), elsewhere(turned, without(turned, made))
    his = np.array([text.writer == "writer 1" for text in some])
    assert before[his] == pytest.approx(after[his])
    assert np.abs(before - after)[~his].max() > 0.01


def test_what_has_no_passage_is_nothing() -> None:
    """It has no margin above any threshold, and nothing is learned from it."""
    some = texts(1)
    empty = Seen(np.zeros((0, 4)), NOTHING, "writer 0")
    assert margin(START, empty.rows) == float("-inf")
    assert tuned(START, [*some, empty], 3.0).bias == pytest.approx(tuned(START, some, 3.0).bias)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1 << 32))
def test_one_sort_of_texts_is_told_from_another(seed: int) -> None:
    """Of two sorts whose passages differ, those of the first are over nought, and those of the second under it."""
    chance = np.random.default_rng(seed)
    these, those = ([chance.normal(at, 1 / 4, size=(n, 3)) for n in (1, 3, 2, 1)] for at in (2.0, -1.0))
    layer = telling([*these, np.zeros((0, 3))], those)
    assert min(margin(layer, rows) for rows in these) > 0 > max(margin(layer, rows) for rows in those)
