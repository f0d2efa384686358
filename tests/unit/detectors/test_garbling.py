"""Garbled texts: what they are made of, and that a cipher of them is no language."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.learned.garbling import _backwards, _exchanged, _stirred, garbled
from gateway.measuring.corpus import Text


@given(st.text(alphabet="abcdefg äюж 12", max_size=80), st.integers(0, 9))
def test_letters_are_kept_and_their_order_is_not(text: str, seed: int) -> None:
    """Stirred and reversed texts have the same characters; a cipher maps each letter to one other of the text."""
    chance = np.random.default_rng(seed)
    assert sorted(_stirred(text, chance)) == sorted(text)
    assert _backwards(text, chance) == text[::-1]
    exchanged = _exchanged(text, chance)
    pairs = set(zip(text, exchanged, strict=True))
    assert len(pairs) == len(set(text)) == len({new for _, new in pairs})
    assert {old for old, new in pairs if not old.isalpha() and old != new} == set()


def test_the_same_chance_garbles_alike() -> None:
    """Garbling is reproducible, and keeps what else is known of a text."""
    texts = [Text(id=f"t-{n}", text="the canteen is closed on friday", labels=["cbrn"], lang="en") for n in range(9)]
    once, again = (garbled(texts, np.random.default_rng(1)) for _ in range(2))
    assert once == again
    assert [(text.id, text.labels) for text in once] == [(text.id, text.labels) for text in texts]
    assert all(text.text != "the canteen is closed on friday" for text in once)
