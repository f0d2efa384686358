"""What is wrong with a banner line, said without repeating any of it: whoever reads the text may not be its author."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


class MarkingError(ValueError):
    """Not a banner line. The text says what is wrong and what would be accepted."""


def require(holds: bool, otherwise: str) -> None:
    """Raise MarkingError unless it holds."""
    if not holds:
        raise MarkingError(otherwise)


def ascending(items: Sequence[object], what: str) -> None:
    """Raise MarkingError unless the items ascend, none of them twice."""
    require(all(a < b for a, b in pairwise(items)), f"{what}, each once")  # type: ignore[operator]  # of one kind
