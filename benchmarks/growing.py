"""The page of `make bench-growth`: a table and a plot for each axis, as Markdown and SVG files."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.workshop.svg import text

PLOTS: Final = "growth"
_W, _H, _LEFT, _TOP, _GAP = 250.0, 130.0, 56.0, 34.0, 74.0
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#444}.title{fill:#111;font-weight:600}"
    ".line{fill:none;stroke:#1f5fa8;stroke-width:2}.dot{fill:#1f5fa8}"
    ".axis{stroke:#999}.limit{stroke:#c0392b;stroke-dasharray:4 3}"
)
_HEAD: Final = """# Growth

This page shows what a call costs as a deployment grows. `make bench-growth` takes the figures and writes this page.
With `RECORDS=10000000` the log grows ten times further.

- A call is permitted. It uses mutual TLS, a token, the full policy, detectors and two durable records.
- "Added p50" is the time that the gateway adds to a direct call of the same loopback upstream, with one caller.
- For tenants, rules and records each size has its own gateway. These run at the same time and are measured in turns.
  Sizes of requests and numbers of connections are measured at one gateway.
- "Start" is the time until a new process serves, while the gateways before it are idle.
- The target is at most 1.2 times the smallest on every axis. Only the size of a request has none: its cost is linear.

```console
$ make bench-growth
```
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One size of an axis: added latency, permitted calls per second with 32 in flight, memory, and time to start."""

    size: int
    added_ms: float
    per_s: float
    mib: float
    start_s: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """What grows. linear: whether the cost may grow with it."""

    name: str
    points: list[Point]
    linear: bool = False

    @property
    def file(self) -> str:
        """The file name of its plot."""
        return f"{self.name.replace(' ', '-')}.svg"


def written(axes: Sequence[Axis], page: Path) -> None:
    """Write the page and its plots. A crash leaves some of them outdated."""
    plots = page.parent / PLOTS
    plots.mkdir(exist_ok=True)
    for axis in axes:
        (plots / axis.file).write_text(plot(axis) + "\n", encoding="utf-8")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    taken = f"Taken on {datetime.now(UTC).date()} on {machine}, shared with the load generator and the upstream.\n"
    page.write_text("\n".join([_HEAD, taken, *(section(axis) for axis in axes)]), encoding="utf-8")


def section(axis: Axis) -> str:
    """The table of an axis, with its plot."""
    first = axis.points[0].added_ms
    rows = [
        f"| {p.size:,} | {p.added_ms:.2f} ms | {p.added_ms / first:.2f} | {p.per_s:,.0f}/s | {p.mib:,.0f} MiB |"
        f"{'' if p.start_s is None else f' {p.start_s:.1f} s |'}"
        for p in axis.points
    ]
    title, starts = axis.name[0].upper() + axis.name[1:], axis.points[0].start_s is not None
    head = f"| {axis.name} | added p50 | relative to the smallest | permitted, 32 in flight | resident memory |"
    head, ruled = (f"{head} start |", "|---|---|---|---|---|---|") if starts else (head, "|---|---|---|---|---|")
    lines = [f"## {title}", "", head, ruled, *rows, ""]
    return "\n".join([*lines, f"![{title}: added p50, permitted calls a second, memory]({PLOTS}/{axis.file})", ""])


def plot(axis: Axis) -> str:
    """Three small plots side by side: logarithmic sizes, values from zero. A line shows the limit of 1.2 times."""
    panels = (
        ("added p50, ms", [p.added_ms for p in axis.points], None if axis.linear else 1.2 * axis.points[0].added_ms),
        ("permitted, 32 in flight, /s", [p.per_s for p in axis.points], None),
        ("resident memory, MiB", [p.mib for p in axis.points], None),
    )
    parts = [
        _panel(_LEFT + n * (_W + _GAP), title, axis, values, limit) for n, (title, values, limit) in enumerate(panels)
    ]
    width, height = _LEFT + 3 * (_W + _GAP), _TOP + _H + 44
    label = f"{axis.name}: added p50, throughput and memory"
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" {size}>'
    ground = f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>'
    return f"{head}<style>{_STYLE}</style>{ground}{''.join(parts)}</svg>"


def _panel(left: float, title: str, axis: Axis, values: Sequence[float], limit: float | None) -> str:
    sizes = [math.log10(p.size) for p in axis.points]
    span, most = (max(sizes) - min(sizes)) or 1.0, 1.15 * max([*values, limit or 0.0]) or 1.0
    base = _TOP + _H

    def at(size: float, value: float) -> tuple[float, float]:
        return left + (size - min(sizes)) / span * _W, base - value / most * _H

    places = [at(size, value) for size, value in zip(sizes, values, strict=True)]
    parts = [text(left, 18, title, css="title")]
    parts += [f'<line class="axis" x1="{left}" x2="{left + _W}" y1="{base}" y2="{base}"/>']
    if limit is not None:
        y = at(min(sizes), limit)[1]
        parts.append(f'<line class="limit" x1="{left}" x2="{left + _W}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
    for (x, y), point, value in zip(places, axis.points, values, strict=True):
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        parts.append(text(x, y - 8, f"{value:,.2f}" if value < 10 else f"{value:,.0f}", "middle"))
        parts.append(text(x, base + 18, short_number(point.size), "middle"))
    return "".join([*parts, text(left + _W, base + 36, axis.name, "end")])


def short_number(size: int) -> str:
    """1,000 as 1k."""
    for unit, word in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{word}"
    return str(size)
