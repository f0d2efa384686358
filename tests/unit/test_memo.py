"""Tests of a table that is filled as keys are met."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.memo import Memo


@given(keys=st.lists(st.integers(0, 9)), most=st.integers(1, 4))
def test_a_table_says_what_is_made_of_a_key_and_stays_in_its_bound(keys: list[int], most: int) -> None:
    """Whatever is looked up, in whatever order, gives what is made of it, and never more than the bound is kept."""
    table = Memo(lambda key: key * 2, most)
    for key in keys:
        assert table[key] == key * 2
        assert key in table
        assert len(table) <= most


def test_a_full_table_learns_on() -> None:
    """What is asked for when a table is full of other things is remembered all the same."""
    made: list[str] = []
    table = Memo(made.append, 2)
    for key in ("rubbish", "more of it", "a word", "a word"):
        _ = table[key]
    assert made == ["rubbish", "more of it", "a word"]
