"""Plots of a report: results of calls over time, and by other groupings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

from gateway.oversight.counting import APPROVAL, CALLS, DENIED, OTHERWISE, PERMITTED
from gateway.workshop.svg import rect, short, svg, text

WORDS: Final = {
    PERMITTED: "permitted",
    APPROVAL: "needs an approval",
    DENIED: "refused by a rule",
    OTHERWISE: "turned away otherwise",
}
MOST: Final = 16
"""The most bars in a plot. A line below it says how many were left out."""

_COLUMNS: Final = 62
_WIDTH, _HEIGHT, _LEFT, _TOP, _LABEL_W = 960, 220, 64, 14, 80
_BAR_H, _BAR_GAP, _NAME_W, _BAR_W, _NUMBER_W = 20, 8, 310, 520, 110

Bar: TypeAlias = tuple[str, Sequence[tuple[str, int]]]
"""A name, and the length of each part of its bar by the CSS class that colours it."""


def over_time(days: Mapping[str, Mapping[str, int]]) -> str:
    """A column for each day, or for several days if there would be too many columns."""
    columns, width_days = _columns(days)
    highest = max((sum(counts.values()) for _, counts in columns), default=0) or 1
    step = (_WIDTH - _LEFT) / len(columns)
    base = _TOP + _HEIGHT
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>']
    for share in (0.5, 1.0):
        y = base - _HEIGHT * share
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(_LEFT - 8, y + 5, _figure(highest * share), "end", "quiet"))
    for number, (_, counts) in enumerate(columns):
        y = float(base)
        for came_to in CALLS:
            height = _HEIGHT * counts.get(came_to, 0) / highest
            y -= height
            if height:
                parts.append(rect(_LEFT + number * step + 1, y, max(step - 2, 1), height, f'class="{came_to}"'))
    labelled = range(0, len(columns), max(1, len(columns) // 6))
    at = [(_LEFT + number * step, columns[number][0]) for number in labelled]
    parts += [text(x, base + 20, begin, css="quiet") for x, begin in at if x < _WIDTH - _LABEL_W]
    each = "day" if width_days == 1 else f"{width_days} days"
    return svg(_WIDTH, base + 28, parts, f"What calls came to, a column for each {each}")


def bars(rows: Sequence[Bar], label: str) -> str:
    """A bar for each row, its parts one after the other."""
    shown = rows[:MOST]
    longest = max((sum(count for _, count in row[1]) for row in shown), default=0) or 1
    parts = []
    for number, (name, lengths) in enumerate(shown):
        y, x = number * (_BAR_H + _BAR_GAP), float(_NAME_W)
        parts.append(text(_NAME_W - 10, y + 15, short(name), "end"))
        for kind, count in lengths:
            width = _BAR_W * count / longest
            if count:
                parts.append(rect(x, y, max(width, 1.5), _BAR_H, f'class="{kind}"'))
            x += width
        total = sum(count for _, count in lengths)
        parts.append(text(x + 8, y + 15, f"{total:,}", css="figure" if total else "quiet"))
    height = len(shown) * (_BAR_H + _BAR_GAP)
    parts.append(f'<line class="axis" x1="{_NAME_W}" x2="{_NAME_W}" y1="0" y2="{height - _BAR_GAP}"/>')
    return svg(_NAME_W + _BAR_W + _NUMBER_W, height, parts, label)


def calls(name: str, counts: Mapping[str, int]) -> Bar:
    """A bar with the results of calls."""
    return name, [(came_to, counts.get(came_to, 0)) for came_to in CALLS]


def legend() -> str:
    """The legend for the colours of results, as HTML."""
    return "".join(f'<span class="key"><i class="{kind}"></i>{word}</span>' for kind, word in WORDS.items())


def _columns(days: Mapping[str, Mapping[str, int]]) -> tuple[list[tuple[str, Mapping[str, int]]], int]:
    """Every day from the first to the last, days without calls included; in groups of days if there are many."""
    first, last = (date.fromisoformat(day) for day in (min(days), max(days)))
    width = -(-((last - first).days + 1) // _COLUMNS)
    columns: list[tuple[str, Mapping[str, int]]] = []
    while first <= last:
        several = [days.get((first + timedelta(days=n)).isoformat(), {}) for n in range(width)]
        columns.append((first.isoformat(), {kind: sum(d.get(kind, 0) for d in several) for kind in CALLS}))
        first += timedelta(days=width)
    return columns, width


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
