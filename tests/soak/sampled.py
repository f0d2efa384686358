"""Memory, open files and threads of a gateway that runs, and whether they grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

LEAST: Final = 30
"""Fewer samples say nothing of growth."""
MAY: Final = {"mib": 24.0, "files": 12.0, "threads": 4.0}
"""How much more there may be in the last third than in the one before it: what caches and a change of release take."""


@dataclass
class Samples:
    """What the processes of one gateway took, at equal intervals."""

    mib: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)

    async def of(self, process: int, every_s: float) -> None:
        """Sample the keeper and the worker that nobody kills, until cancelled."""
        while True:
            with suppress(OSError):  # it ended
                taken = [_taken(one) for one in (process, *workers(process)[:1])]
                for name, values in zip(MAY, zip(*taken, strict=True), strict=True):
                    getattr(self, name).append(sum(values))
            await asyncio.sleep(every_s)

    def grown(self) -> dict[str, float]:
        """How much more of each there was in the last third than in the second; the first warms up."""
        return {name: _grown(getattr(self, name)) for name in MAY if len(getattr(self, name)) >= LEAST}


def violations(samples: Samples) -> list[str]:
    """What grew."""
    return [f"g: {name} grew by {grown:.1f}" for name, grown in samples.grown().items() if grown > MAY[name]]


def workers(process: int) -> list[int]:
    """The process ids of a gateway's workers, the eldest first."""
    found = []
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        with suppress(OSError):
            if b"gateway.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def _taken(process: int) -> tuple[float, float, float]:
    at = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (at / "status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, len(list((at / "fd").iterdir())), int(status["Threads"])


def _grown(values: Sequence[float]) -> float:
    third = len(values) // 3
    return median(values[-third:]) - median(values[third:-third])
