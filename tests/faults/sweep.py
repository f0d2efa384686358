# ruff: noqa: T201 - a command that prints
"""Kills a gateway under load at each point of its path, starts it again, and checks what is left.

    python -m tests.faults.sweep --runs 200 [--json PATH]
    python -m tests.faults.sweep --runs 1 --seed S --point P     repeats one run

A seed fixes what is asked and at which passage of the point the process dies; how the system schedules it is its own.
Two runs go on at a time. Exits with 1 when an invariant does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

from brightline import AsyncClient
from brightline_verify.note import Checkpoint
from brightline_verify.report import UnreadableError
from gateway import logs
from gateway.errors import StartError
from tests.faults.invariants import Evidence, published, snapshot, violations
from tests.faults.load import CALLERS, Seen, call, load
from tests.faults.victim import POINTS
from tests.support.gateways import Deployment, serving, spawned

ANYWHERE = "anywhere"
_PUBLISHING = 'checkpoint_ms = 50\nlock_store = "elsewhere"\n'
"""Checkpoints come often, so that they happen in the short life of a victim."""
ALL = (*POINTS, ANYWHERE)
JOBS = 2
PATIENCE_S = 180.0
"""How long a load goes on until its point must have been reached."""


@dataclass
class Result:
    """What a run found and how much it saw. folder: what is left of it, kept when an invariant does not hold."""

    point: str
    seed: int
    folder: Path
    wrong: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    forwarded: int = 0
    records: int = 0
    orphans: int = 0


def run(point: str, seed: int) -> Result:
    """One run in a deployment of its own."""
    logs.configure("error")
    result = Result(point, seed, Path(tempfile.mkdtemp(prefix="brightline-faults-")))
    try:
        asyncio.run(_run(result))
    except (AssertionError, StartError, UnreadableError) as error:
        result.wrong.append(f"{type(error).__name__}: {error}")
    if not result.wrong:
        shutil.rmtree(result.folder)
    return result


async def _run(result: Result) -> None:
    random = Random(f"{result.point}/{result.seed}")  # noqa: S311 - not a secret, but repeatable
    deployed = Deployment.create(result.folder)
    deployed.edit('kind = "loopback"\n', 'kind = "loopback"\njournal = "journal.jsonl"\n')
    # A record of its own for each call, and none refused because the machine is slow: every call is evidence.
    deployed.edit("[policy]\n", "[policy]\ndeadline_ms = 10000\n")
    deployed.edit("[audit]\n", f"[audit]\nunauthenticated_per_s = 100000\ndeadline_ms = 20000\n{_PUBLISHING}")
    (deployed.folder / "elsewhere").mkdir()
    evidence = await _crash(deployed, result.point, random)
    async with serving(deployed) as running:
        client = running.client()
        # What a client does that was told nothing, or does not believe what it was told: it sends the call again.
        sent = [s for s in evidence.seen if s.sort in {"generate", "stream", "cancelled"}]
        again = await _sent_again(client, sent)
    last = snapshot(deployed)
    evidence = replace(evidence, snapshots=[*evidence.snapshots, last], again=again)
    result.wrong += violations(evidence)
    result.calls += Counter(f"{s.sort} {s.saw.name.lower()}" for s in evidence.seen)
    result.forwarded = len(last.journal)
    result.records = len(last.leaves)
    result.orphans = sum(r.get("outcome") == "outcome_unknown" for r in last.records)


async def _sent_again(client: AsyncClient, sent: list[Seen]) -> list[Seen]:
    """What comes of each call when it is sent again, a few at once: of a thousand at once some would be too late."""
    places = asyncio.Semaphore(CALLERS)

    async def one(seen: Seen) -> Seen:
        async with places:
            return await call(client, seen.sort, seen.key)

    return list(await asyncio.gather(*map(one, sent)))


async def _crash(deployed: Deployment, point: str, random: Random) -> Evidence:
    """Kill a gateway there; what clients and a witness saw, and what is left after each kill."""
    if not point.startswith("start_"):
        passage = 1 if point == ANYWHERE else random.randint(1, POINTS[point].most)
        seen, witnessed = await _strike(deployed, point, passage, random)
        return Evidence(seen, witnessed, [snapshot(deployed)], [])
    # A start has something to mark only after another crash.
    evidence = await _crash(deployed, "while_upstream_answers", random)
    orphans = evidence.snapshots[0].orphans()
    await _strike(deployed, point, random.randint(1, len(orphans)), random)
    return replace(evidence, snapshots=[*evidence.snapshots, snapshot(deployed)])


async def _strike(
    deployed: Deployment, point: str, passage: int, random: Random
) -> tuple[list[Seen], Checkpoint | None]:
    """One gateway until it dies at that passage of the point, under load if it gets to serve."""
    die = () if point == ANYWHERE else ("--die-at", point, "--passage", str(passage))
    seen: list[Seen] = []
    witnessed = None
    with spawned(deployed, program=("tests.faults.victim", *die)) as victim:
        if victim.poll() is None:
            watch = asyncio.create_task(_watch(deployed, victim))
            ends = asyncio.create_task(_end(victim, point, random.uniform(0, 0.5)))
            async with deployed.client() as client:
                seen = await load(client, str(random.random()), lambda: victim.poll() is not None)
            witnessed = await watch
            await ends
    if victim.returncode != -signal.SIGKILL:
        raise AssertionError(f"the gateway ended with {victim.returncode} instead of dying at {point}")
    return seen, witnessed


async def _watch(deployed: Deployment, victim: Popen[bytes]) -> Checkpoint | None:
    """The last checkpoint that was published while the gateway lived."""
    witnessed = None
    while victim.poll() is None:
        witnessed = published(deployed)
        await asyncio.sleep(0.01)
    return witnessed


async def _end(victim: Popen[bytes], point: str, delay_s: float) -> None:
    """What comes from outside: a kill at any time, the order to stop, or the end of a run that misses its point."""
    if point == ANYWHERE or point.startswith("stop_"):
        await asyncio.sleep(delay_s)
        victim.send_signal(signal.SIGKILL if point == ANYWHERE else signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while victim.poll() is None:  # noqa: ASYNC110 - another process ends
                await asyncio.sleep(0.01)
            return
    victim.terminate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep and print what it found. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next one has the next")
    parser.add_argument("--point", choices=ALL, help="only there, instead of everywhere in turn")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    points = [given.point or ALL[number % len(ALL)] for number in range(given.runs)]
    seeds = range(given.seed, given.seed + given.runs)
    results = []
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as pool:
        for result in pool.map(run, points, seeds):
            results.append(result)
            report(result, len(results), given.runs)
    figures = _figures(results, time.monotonic() - started)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for point, times in figures["points"].items():
        print(f"  {times:4}  {point}")
    print(f"{len(results)} runs, {len(figures['points'])} points, violations {figures['violations']}")
    return 1 if figures["violations"] else 0


def report(result: Result, number: int, runs: int) -> None:
    """Print what a run found."""
    print(f"{number}/{runs} {result.point} seed {result.seed}: {result.records} records, {result.orphans} orphans")
    for wrong in result.wrong:
        print(f"VIOLATION {wrong}")
    if result.wrong:
        print(f"  what is left: {result.folder}")
        print(f"  repeat: python -m tests.faults.sweep --runs 1 --seed {result.seed} --point {result.point}")
    sys.stdout.flush()


def _figures(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    return {
        "runs": len(results),
        "violations": sum(len(r.wrong) for r in results),
        "points": dict(Counter(r.point for r in results)),
        "calls": dict(sum((r.calls for r in results), Counter[str]())),
        "forwarded": sum(r.forwarded for r in results),
        "records": sum(r.records for r in results),
        "orphans": sum(r.orphans for r in results),
        "milliseconds": round(seconds * 1000),
    }


if __name__ == "__main__":
    sys.exit(main())
