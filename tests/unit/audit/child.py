"""A gateway's log in a process that is to be killed: tells which decisions were acknowledged, one a line.

Arguments: the folder of the log, and optionally the kind of write and the place of the fault in its plan at which the
process kills itself: KILL_BEFORE or KILL_AFTER, and how many such writes go well before.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.audit import places
from tests.support import logs
from tests.unit.audit.faults import Fault, Faults


async def main(folder: Path, statement: str = "", fault: str = "", well: str = "0") -> None:
    """Record calls until killed."""
    faults = Faults()
    if statement:
        faults.plan[statement] = [None] * int(well) + [Fault[fault]]
    real = places.Sqlite
    places.Sqlite = lambda path: real(path, faults.connect)  # type: ignore[assignment, misc]
    log = await logs.open_log(folder)

    async def calls() -> None:
        while True:
            async with log.trail(logs.call()) as trail:
                await trail.intend(logs.decide(trail))
                sys.stdout.write(f"intent {trail.decision_id}\n")
                sys.stdout.flush()
                trail.answered((), logs.END)
            sys.stdout.write(f"outcome {trail.decision_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(calls() for _ in range(4)))


asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
