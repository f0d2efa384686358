"""Plots the effect of a policy change as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.workshop.impact import Row, rank
from gateway.workshop.svg import rect, short, svg, text

EFFECTS: Final = ("deny", "require_approval", "allow")
WORDS: Final = {"deny": "refused", "require_approval": "needs approval", "allow": "allowed"}
MOST: Final = 16
"""The most bars in a plot. A line below it says how many were left out."""

_CELL_W, _CELL_H, _LEFT, _TOP = 150, 64, 130, 52
_BAR_H, _BAR_GAP, _NAME_W, _SIDE_W, _NUMBER_W = 20, 8, 270, 210, 64


def matrix(counts: Mapping[tuple[str, str], int]) -> str:
    """Effects before (rows) and after (columns). Looser decisions are to the right of the diagonal."""
    parts = [text(_LEFT + 1.5 * _CELL_W, 16, "after", "middle", "quiet")]
    parts.append(text(_LEFT - 12, _TOP - 14, "before", "end", "quiet"))
    for column, effect in enumerate(EFFECTS):
        parts.append(text(_LEFT + (column + 0.5) * _CELL_W, _TOP - 14, WORDS[effect], "middle"))
    for line, before in enumerate(EFFECTS):
        y = _TOP + line * _CELL_H
        parts.append(text(_LEFT - 12, y + _CELL_H / 2 + 5, WORDS[before], "end"))
        for column, after in enumerate(EFFECTS):
            count, x = counts.get((before, after), 0), _LEFT + column * _CELL_W
            kind = "same" if before == after else "looser" if rank(after) < rank(before) else "stricter"
            opacity = _shade(count, sum(counts.values()))
            parts.append(rect(x + 2, y + 2, _CELL_W - 4, _CELL_H - 4, f'class="cell {kind}" fill-opacity="{opacity}"'))
            figure = text(x + _CELL_W / 2, y + _CELL_H / 2 + 6, f"{count:,}", "middle", "figure" if count else "quiet")
            parts.append(figure)
    return svg(_LEFT + 3 * _CELL_W, _TOP + 3 * _CELL_H, parts, "Decisions by effect before and after")


def _shade(count: int, total: int) -> str:
    return f"{0.16 + 0.5 * math.log1p(count) / math.log1p(total) if count else 0.0:.2f}"


def bars(rows: Sequence[Row], label: str) -> str:
    """Bars, one row for each name: to the left for looser decisions and to the right for stricter ones."""
    shown = rows[:MOST]
    longest = max((max(row.loosened, row.tightened) for row in shown), default=0) or 1
    axis = _NAME_W + _NUMBER_W + _SIDE_W
    parts = [
        text(axis - 8, 14, "looser", "end", "looser-text"),
        text(axis + 8, 14, "stricter", css="stricter-text"),
    ]
    for number, row in enumerate(shown):
        y = 26 + number * (_BAR_H + _BAR_GAP)
        left, right = (_SIDE_W * math.sqrt(count / longest) for count in (row.loosened, row.tightened))
        middle = y + _BAR_H / 2 + 5
        parts.append(text(_NAME_W - 8, middle, short(row.name), "end"))
        parts.append(rect(axis - left, y, left, _BAR_H, 'class="looser"'))
        parts.append(rect(axis, y, right, _BAR_H, 'class="stricter"'))
        if row.loosened:
            parts.append(text(axis - left - 6, middle, f"{row.loosened:,}", "end", "figure"))
        if row.tightened:
            parts.append(text(axis + right + 6, middle, f"{row.tightened:,}", css="figure"))
    height = 26 + len(shown) * (_BAR_H + _BAR_GAP)
    parts.append(f'<line class="axis" x1="{axis}" x2="{axis}" y1="20" y2="{height}"/>')
    return svg(axis + _SIDE_W + _NUMBER_W, height + 4, parts, label)
