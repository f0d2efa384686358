"""Errors in banner lines. Messages quote none of the line, because their reader may not be its author."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


class MarkingError(ValueError):
    """Not a valid banner line. The message says what is wrong and what would be accepted."""


def require(holds: bool, otherwise: str) -> None:
    """Raise MarkingError unless it holds."""
    if not holds:
        raise MarkingError(otherwise)


def ascending(items: Sequence[object], what: str) -> None:
    """Raise MarkingError unless the items ascend without repetitions."""
    require(all(a < b for a, b in pairwise(items)), f"{what}, each once")  # type: ignore[operator]  # of one kind
