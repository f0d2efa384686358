"""What two encoders say together, by which their threshold is chosen."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.learned.together import margin
from gateway.signals.margins import Margins, combined, doubtful

NUMBERS = st.floats(-9, 9)
ROWS = st.lists(NUMBERS, min_size=3, max_size=3).map(lambda row: np.array([row]))


@given(st.lists(st.tuples(ROWS, st.none() | ROWS), max_size=4), NUMBERS, NUMBERS)
def test_a_text_is_over_the_threshold_when_one_of_its_passages_is_refused(
    passages: list[tuple[Margins, Margins | None]], alone: float, both: float
) -> None:
    """Where both are asked, the mean counts; where the first is sure, or the second can't read, its own."""
    found = margin(np.array([mine[0] for mine, _ in passages]).reshape(-1, 3), [his for _, his in passages], alone)
    refused = [
        combined((mine + his) / 2)[0] >= both
        if his is not None and doubtful(mine, alone)
        else combined(mine)[0] >= alone
        for mine, his in passages
    ]
    assert (found >= both) == any(refused)
