"""A plot of throughput: a bar for each system and kind of call."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.measure import MANY, Measured
from benchmarks.peers.table import OURS, RATES
from gateway.workshop.svg import rect, short, svg, text

NAME_W, BAR_W, NUMBER_W, BAR_H, GAP = 310, 520, 130, 20, 8
COLOURS = {"permitted": "#2f6f9f", "refused": "#b5652b"}
STYLE = "<style>text{font:14px sans-serif;fill:#666}.ours{font-weight:bold}</style>"


def plot(measured: Sequence[Measured]) -> str:
    """The plot as a complete SVG file. Floors are left out, because their bars would dwarf the others."""
    rows = [
        (m.system.name, kind, result.rate)
        for m in measured
        if m.system.floor
        for kind, rate in RATES.items()
        if (result := rate(m))
    ]
    longest = max((rate for _, _, rate in rows), default=0.0) or 1.0
    parts = [STYLE]
    for number, (name, kind, rate) in enumerate(rows):
        y, width, css = number * (BAR_H + GAP), BAR_W * rate / longest, "ours" if name == OURS else ""
        parts.append(text(NAME_W - 10, y + 15, short(f"{name}, {kind}"), "end", css))
        parts.append(rect(NAME_W, y, max(width, 1.5), BAR_H, f'fill="{COLOURS[kind]}"'))
        parts.append(text(NAME_W + width + 8, y + 15, f"{rate:,.0f}/s", css=css))
    height = max(1, len(rows)) * (BAR_H + GAP)
    drawing = svg(NAME_W + BAR_W + NUMBER_W, height, parts, f"Calls a second with {MANY} in flight")
    return drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"
