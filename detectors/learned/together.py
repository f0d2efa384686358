"""How much two encoders say together, where the first is in doubt and the second is asked, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from gateway.measuring.corpus import Text
from gateway.signals.encoder import READ, Encoder
from gateway.signals.margins import Margins, combined, doubtful

__all__ = ["Beside", "asked", "margin"]

ALONE: Final = 100.0
"""More than any margin: what the first one refuses alone has it, what it lets pass alone has it below nought."""

Beside = Callable[[Text], Sequence[Margins | None]]
"""Of each passage of a text the margins of the second encoder; None for one that it can't read."""


def asked(other: Encoder, passages: Callable[[Text], list[str]]) -> Beside:
    """What the second encoder says. passages: of a text, as the first one reads them."""

    def read(text: Text) -> Sequence[Margins | None]:
        found = (other.margins(passage, to_end=True) for passage in passages(text))
        return [margins if how == READ else None for margins, how in found]

    return read


def margin(mine: Margins, others: Sequence[Margins | None], threshold: float) -> float:
    """Of a text the highest margin of all passages that decides. mine: a row a passage; threshold: the first one's."""
    return max((_decides(row[None], other, threshold) for row, other in zip(mine, others, strict=True)), default=-ALONE)


def _decides(mine: Margins, other: Margins | None, threshold: float) -> float:
    if other is not None and doubtful(mine, threshold):
        return float(combined((mine + other) / 2)[0])
    return float(np.copysign(ALONE, combined(mine)[0] - threshold))
