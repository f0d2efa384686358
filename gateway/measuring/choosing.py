"""Which limit of a category to sign: what each would find and refuse, and the lowest that refuses few enough.

A text of a category counts for it alone, whatever else is in it: a category's limit is chosen by its own score. Texts
that nobody could read are left out; they are refused at any limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.measuring.corpus import Text
from gateway.measuring.scoring import Scored

__all__ = ["LIMITS", "Choice", "Point", "choose"]

LIMITS: Final = tuple(range(50, 1001, 50))


@dataclass(frozen=True, slots=True)
class Point:
    """At a limit, the share of the category's texts over it, and the most of hard negatives and ordinary texts."""

    limit: int
    found: float
    hard: float
    ordinary: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A category's curve and the limit chosen; none where no limit refuses as little as is wanted. of: its texts."""

    category: str
    of: int
    curve: tuple[Point, ...]
    limit: int | None


def choose(judged: Sequence[tuple[Text, Scored]], hard: float, ordinary: float) -> list[Choice]:
    """For each category that a text has: the lowest limit with no larger shares of harmless texts over it."""
    read = [(text, scored) for text, scored in judged if not scored.unread]
    found = []
    for name in sorted({label for text, _ in read for label in text.labels}):
        by = {
            "found": [_score(scored, name) for text, scored in read if name in text.labels],
            "hard": [_score(scored, name) for text, scored in read if text.hard],
            "ordinary": [_score(scored, name) for text, scored in read if text.ordinary],
        }
        curve = tuple(Point(at, *(_over(scores, at) for scores in by.values())) for at in LIMITS)
        few = (point.limit for point in curve if point.hard <= hard and point.ordinary <= ordinary)
        found.append(Choice(name, len(by["found"]), curve, next(few, None)))
    return found


def _score(scored: Scored, name: str) -> int:
    return next((reading.score or 0 for reading in scored.readings if reading.name == name), 0)


def _over(scores: Sequence[int], limit: int) -> float:
    return sum(score >= limit for score in scores) / len(scores) if scores else 0.0
