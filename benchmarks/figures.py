"""Figures of a measurement: printed as a table with targets and comparisons, and written as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

OFTEN_S = 10.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. value, direct (for comparison): in `unit`. met: None if there is no target."""

    name: str
    unit: str
    value: float
    direct: float | None
    target: str
    met: bool | None


_said = [0.0]
"""The monotonic time of the last progress message."""


def progress(what: str, done: int, size: int) -> None:
    """Report now and then on standard error how far a long measurement is."""
    if time.monotonic() - _said[0] > OFTEN_S:
        _said[0] = time.monotonic()
        print(f"{what}: {done:,} of {size:,}", file=sys.stderr, flush=True)


def options() -> argparse.ArgumentParser:
    """The options of every measurement. SIGTERM empties the temporary folder, as an interrupt does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser


def report(figures: list[Figure], path: Path | None, *, title: str, beside: str, note: str) -> None:
    """Print the table, and write JSON if required. beside: what the figures are compared with."""
    table = Table(title=title)
    for name in ("figure", "value", beside, "target", ""):
        table.add_column(name, justify="right" if name in {"value", beside} else "left")
    for f in figures:
        direct = "" if f.direct is None else f"{f.direct:.2f} {f.unit}"
        verdict = "" if f.met is None else "reached" if f.met else "MISSED"
        table.add_row(f.name, f"{f.value:.2f} {f.unit}", direct, f.target, verdict)
    Console(width=120).print(table)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    print(f"{machine}, {datetime.now(UTC).date()}; {note}")
    if path:
        document = {"machine": machine, "date": str(datetime.now(UTC).date()), "figures": [asdict(f) for f in figures]}
        path.write_text(json.dumps(document, indent=1) + "\n")
