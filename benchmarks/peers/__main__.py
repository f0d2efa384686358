"""`make bench-peers`: compares this gateway with LiteLLM, Portkey and opa-envoy-plugin, on one machine in one run.

All systems get the same upstream and the same text, one system after the other. Exits with 0 even if a target is missed
or a peer could not be measured, because the tables show that. Exits with 1 if the load generators are unavailable.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers import direct, install, ours
from benchmarks.peers.measure import MANY, Measured, measure
from benchmarks.peers.plot import plot
from benchmarks.peers.processes import NotHereError
from benchmarks.peers.rows import systems
from benchmarks.peers.systems import CORES
from benchmarks.peers.table import document, targets
from benchmarks.run import ROOT, folder

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench-peers writes from here -->", "<!-- to here -->"


def main() -> int:
    """Install, measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load")
    parser.add_argument("--page", type=Path, default=PAGE, help="whose part between the marks is written")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs the cleanup of started processes
    try:
        install.programs()
        wrk = install.wrk()
    except NotHereError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with folder() as place:
        deployment = ours.create(place)
        with direct.ends(place, deployment, install.PROGRAMS, wrk) as common:
            measured = measure(systems(wrk), common, arguments.seconds)
    machine = f"{CORES} cores, {platform.system()} {platform.machine()}, {datetime.now(UTC).date()}"
    text = document(measured, machine)
    print(text)
    write(arguments.page, text, measured)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures(measured, machine), indent=1) + "\n")
    return 0


def write(page: Path, text: str, measured: Sequence[Measured]) -> None:
    """Put the figures between the markers of the page, and write the plot."""
    drawing = page.with_name(f"{page.stem}-peers.svg")
    drawing.write_text(plot(measured))
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    picture = f"![Calls a second, {MANY} in flight]({drawing.name})"
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{picture}\n\n{END}{after}")


def figures(measured: Sequence[Measured], machine: str) -> dict[str, Any]:
    """All figures as JSON."""
    rows = []
    for m in measured:
        system = {k: v for k, v in asdict(m.system).items() if k != "start"}
        rows.append({**system, **{k: v for k, v in asdict(m).items() if k != "system"}})
    return {"machine": machine, "systems": rows, "targets": [asdict(t) for t in targets(measured)]}


if __name__ == "__main__":
    sys.exit(main())
