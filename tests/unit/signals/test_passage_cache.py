"""What was said of a passage is kept for one tenant, for as long as there is room, and the passage is not."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signals.passage_cache import PassageCache

Say = Callable[[str], npt.NDArray[np.int64]]


def counting() -> tuple[list[str], Say]:
    """What was asked, and who says how long a passage is."""
    asked: list[str] = []

    def say(passage: str) -> npt.NDArray[np.int64]:
        asked.append(passage)
        return np.array([len(passage), 1000])

    return asked, say


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), max_size=40), st.integers(1, 5))
def test_it_is_the_last_ones_that_are_remembered(given_: list[tuple[str, str]], most: int) -> None:
    """Whatever is asked in whatever order, each gets its own scores, and the last `most` are not asked for again."""
    asked, say = counting()
    kept, last = PassageCache(most), list[tuple[str, str]]()
    for whose, passage in given_:
        asked.clear()
        assert kept.get(whose, passage, say).tolist() == [len(passage), 1000]
        assert asked == ([] if (whose, passage) in last else [passage])
        last = [*(one for one in last if one != (whose, passage)), (whose, passage)][-most:]
        assert len(kept) == len(last)


def test_nothing_is_remembered_of_what_failed() -> None:
    """A detector that broke is asked again."""

    def broken(_: str) -> npt.NDArray[np.int64]:
        raise RuntimeError

    kept, (asked, say) = PassageCache(8), counting()
    with pytest.raises(RuntimeError):
        kept.get("a", "hello", broken)
    assert kept.get("a", "hello", say).tolist() == [5, 1000]
    assert asked == ["hello"]


def test_no_passage_is_kept() -> None:
    """Nothing that is remembered holds the passage, nor a digest that is the same in another process."""
    passage, (_, say) = "the convoy leaves at dawn " * 3, counting()
    one, other = PassageCache(8), PassageCache(8)
    one.get("a", passage, say)
    other.get("a", passage, say)
    held = gc.get_referents(one._rows)
    assert all(isinstance(row, bytes | np.ndarray) for row in held)
    assert not any(passage.encode() in bytes(row) for row in held)
    assert not set(one._rows) & set(other._rows)
