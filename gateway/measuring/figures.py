"""Figures of detectors with their uncertainty: Wilson's intervals, 95 %, which hold for few texts and near 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.measuring.corpus import Text
from gateway.measuring.scoring import Scored

__all__ = ["curve", "figures", "share"]

_Z: Final = 1.96
_LIMIT: Final = 500

Judged = tuple[Text, Scored]


def share(part: int, whole: int) -> dict[str, float | int]:
    """A share in thousandths of a whole, from low to high; no share of nothing."""
    if not whole:
        return {"of": 0}
    p, z2 = part / whole, _Z * _Z
    middle, spread = p + z2 / (2 * whole), _Z * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    low, high = ((middle + sign * spread) / (1 + z2 / whole) for sign in (-1, 1))
    return {"share": round(p, 4), "low": round(max(0.0, low), 4), "high": round(min(1.0, high), 4), "of": whole}


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """All: refused at all; by category: precision, recall and F1 of its score; by language; what nobody could read."""
    languages = sorted({text.lang for text, _ in judged})
    categories = sorted({label for text, _ in judged for label in text.labels})
    return {
        "texts": len(judged),
        "refused": _refused(judged),
        "unread": share(sum(s.unread for _, s in judged), len(judged)),
        "categories": {name: _category(judged, name) for name in categories},
        "languages": {name: _refused([j for j in judged if j[0].lang == name]) for name in languages},
    }


def curve(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """At each limit in thousandths, what would be refused were it the one of every category."""
    return [
        {"limit": limit, **{name: _over(those, limit) for name, those in _sorts(judged).items()}}
        for limit in range(50, 1000, 50)
    ]


def _sorts(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {"restricted": [], "hard": [], "ordinary": []}
    for text, scored in judged:
        found["restricted" if text.labels else "hard" if text.hard else "ordinary"].append((text, scored))
    return found


def _refused(judged: Sequence[Judged]) -> dict[str, Any]:
    return {
        name: share(sum(scored.refused for _, scored in those), len(those)) for name, those in _sorts(judged).items()
    }


def _over(judged: Sequence[Judged], limit: int) -> float | None:
    return round(sum(s.highest >= limit for _, s in judged) / len(judged), 4) if judged else None


def _category(judged: Sequence[Judged], name: str) -> dict[str, Any]:
    said = [(name in text.labels, _score(scored, name) >= _LIMIT) for text, scored in judged if not scored.unread]
    both = sum(wanted and found for wanted, found in said)
    wanted, found = sum(wanted for wanted, _ in said), sum(found for _, found in said)
    f1 = round(2 * both / (wanted + found), 4) if wanted + found else None
    return {"precision": share(both, found), "recall": share(both, wanted), "f1": f1}


def _score(scored: Scored, name: str) -> int:
    return next((reading.score or 0 for reading in scored.readings if reading.name == name), 0)
