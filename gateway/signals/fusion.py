"""What several detectors say of one text, together: the higher score, less where one contradicts another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

UNSEEN: Final = 200
"""What the learned detector scores less than this, it does not see."""
SURE: Final = 500
"""Where it scores this much in some category, it knows what a text is; where it sees none, that it is nothing."""
DOUBT: Final = 300
"""By how much it then lowers what the lexical one says: what that scores below 800 comes to less than 500."""


def raise_to(highest: dict[str, int], scores: Mapping[str, int]) -> None:
    """Let the higher score count."""
    for name, score in scores.items():
        highest[name] = max(score, highest.get(name, 0))


def weigh(lexical: dict[str, int], learned: Iterable[Mapping[str, int]]) -> None:
    """Put into the lexical scores of a text what the learned detector says of each way to read it.

    Where that knows what a text is, or that it is nothing, it contradicts the other about categories that it does not
    see. Measured, that is half of what the lexical one refuses wrongly, and most of what it calls by a wrong name; of
    what it refuses rightly it is next to nothing. What it is sure of stays refused, and so do signals that the learned
    one does not score.
    """
    said: dict[str, int] = {}
    for scores in learned:
        raise_to(said, scores)
    if not UNSEEN <= max(said.values(), default=0) < SURE:
        for name, score in said.items():
            if score < UNSEEN:
                lexical[name] = max(0, lexical.get(name, 0) - DOUBT)
    raise_to(lexical, said)
