"""How a place in a text weighs for a signal. A set of concepts is a number with one bit for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

from gateway.signals.lexicon import Signal

__all__ = ["Weigher", "highest", "mask", "union", "weigher"]

_UNMET: Final = 300
"""The most that neighbouring blocks score, in thousandths, where a concept that the signal needs is missing."""

_FULL: Final = 900
"""The most that concepts add up to, in thousandths: no pile of them outweighs the context altogether."""

Weigh = Callable[[int], int]
"""What a signal scores in a place: the concepts nearby, and in the bits above them those around."""

Weigher = tuple[int, int, Weigh]
"""What makes a place count for a signal, what of a place it looks at, and how it weighs that."""


def weigher(signal: Signal, bits: Mapping[str, int], weakens: Mapping[str, Iterable[str]]) -> Weigher:
    """How this signal weighs places. bits: of each concept. weakens: as in the lexicon."""
    wide = len(bits)
    weights = {bits[concept]: weight for concept, weight in signal.weights.items()}
    lowers = {bits[concept] << wide: weight for concept, weight in signal.lowers.items()}
    needs = [mask(group, bits) for group in signal.needs]
    weakeners = {bits[concept]: mask(weakened, bits) << wide for concept, weakened in weakens.items()}
    counts, lowering, weakening = union(weights), union(lowers), union(weakeners)

    @lru_cache(maxsize=4096)
    def weigh(place: int) -> int:
        total = sum(map(weights.__getitem__, _apart(place & counts)))
        total = min(total, _FULL if all(map(place.__and__, needs)) else _UNMET)
        halved = union(map(weakeners.__getitem__, _apart(place & weakening)))
        lowered = sum([lowers[bit] // 2 if bit & halved else lowers[bit] for bit in _apart(place & lowering)])
        return max(0, total - lowered)

    return counts, union([counts, lowering, weakening, *needs]), weigh


def highest(places: Iterable[int], counts: int, looked_at: int, weigh: Weigh) -> int:
    """What a signal scores at most, anywhere. What it looks at has few forms: most have been weighed before."""
    return max(map(weigh, {place & looked_at for place in places if place & counts}), default=0)


def mask(concepts: Iterable[str], bits: Mapping[str, int]) -> int:
    """The set of these concepts."""
    return sum(bits[concept] for concept in set(concepts))


def _apart(concepts: int) -> list[int]:
    """The concepts of a set, each alone: few of all that there are."""
    found = []
    while concepts:
        last = concepts & -concepts
        found.append(last)
        concepts ^= last
    return found


def union(sets: Iterable[int]) -> int:
    """What is in any of the sets."""
    together = 0
    for concepts in sets:
        together |= concepts
    return together
