"""The figures of `signals eval` as a page: one file, with no script and nothing from a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any, Final

from gateway.workshop.page import ASSETS
from gateway.workshop.svg import rect, short, svg, text

__all__ = ["page"]

_NAME_W, _BAR_W, _NUMBER_W, _BAR_H, _GAP = 240, 560, 160, 18, 6
_WIDTH, _HEIGHT, _LEFT, _TOP = 960, 260, 64, 14
_SORTS: Final = ("restricted", "hard", "ordinary")
_NONE: Final = '<p class="quiet">Not measured this time.</p>'

Bar = tuple[str, str, Mapping[str, Any]]
"""A name, the class that colours it, and a share with its interval as figures.share makes it."""


def page(found: Mapping[str, Any], curve: Sequence[Mapping[str, Any]]) -> str:
    """The page, as HTML. found: what `figures` made, with evasions where they were measured."""
    categories = found["categories"].items()
    return Template((ASSETS / "signals.html").read_text(encoding="utf-8")).substitute(
        style=(ASSETS / "page.css").read_text(encoding="utf-8"),
        split=escape(str(found["split"])),
        texts=f"{found['texts']:,}",
        unread=_percent(found["unread"]),
        refused=_bars(((name, name, found["refused"][name]) for name in _SORTS), "Refused at all"),
        categories=_bars((bar for name, row in categories for bar in _category(name, row)), "Recall and precision"),
        curve=_curve(curve) if curve else _NONE,
        languages=_bars((b for name, row in found["languages"].items() for b in _language(name, row)), "By language"),
        evasions=_evasions(found["evasions"]) if "evasions" in found else _NONE,
    )


def _category(name: str, row: Mapping[str, Any]) -> list[Bar]:
    return [(name, "restricted", row["recall"]), ("", "precision", row["precision"])]


def _language(name: str, row: Mapping[str, Any]) -> list[Bar]:
    """Only what has texts: most languages have no ordinary ones."""
    there = [(sort, row[sort]) for sort in _SORTS if row[sort]["of"]]
    return [(name if number == 0 else "", sort, share) for number, (sort, share) in enumerate(there)]


def _evasions(found: Mapping[str, Any]) -> str:
    ways: list[Bar] = [(name, "restricted", row) for name, row in found["ways"].items()]
    return _bars([("as written", "restricted", found["restricted"]), *ways], "Refused of restricted texts, disguised")


def _bars(rows: Iterable[Bar], label: str) -> str:
    """A bar from 0 to 100 % for each row, with its interval as a line and its share in words."""
    parts, y = [], 0
    for name, kind, share in rows:
        parts.append(text(_NAME_W - 10, y + 14, short(name), "end"))
        if share["of"]:
            parts.append(rect(_NAME_W, y, _BAR_W * share["share"], _BAR_H, f'class="{kind}"'))
            low, high = (_NAME_W + _BAR_W * share[end] for end in ("low", "high"))
            middle = y + _BAR_H / 2
            parts.append(f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>')
        parts.append(text(_NAME_W + _BAR_W + 12, y + 14, _percent(share), css="figure" if share["of"] else "quiet"))
        y += _BAR_H + _GAP
    parts.append(f'<line class="axis" x1="{_NAME_W}" x2="{_NAME_W}" y1="0" y2="{max(y - _GAP, 0)}"/>')
    return svg(_NAME_W + _BAR_W + _NUMBER_W, max(y, 1), parts, label)


def _curve(points: Sequence[Mapping[str, Any]]) -> str:
    """A line for each sort of texts over the limits."""
    base = _TOP + _HEIGHT
    first, last = float(points[0]["limit"]), float(points[-1]["limit"])

    def across(limit: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * (limit - first) / ((last - first) or 1)

    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>']
    for share in (0.5, 1.0):
        y = base - _HEIGHT * share
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(_LEFT - 8, y + 5, f"{share:.0%}", "end", "quiet"))
    for sort in _SORTS:
        there = [(across(p["limit"]), base - _HEIGHT * p[sort]) for p in points if p[sort] is not None]
        if there:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in there)
            parts.append(f'<polyline class="{sort}" points="{line}"/>')
    parts += [text(across(p["limit"]), base + 20, str(p["limit"]), "middle", "quiet") for p in points[1:-1:3]]
    return svg(_WIDTH, base + 28, parts, "What each limit would refuse")


def _percent(share: Mapping[str, Any]) -> str:
    return f"{share['share']:.1%} of {share['of']:,}" if share["of"] else "none"
