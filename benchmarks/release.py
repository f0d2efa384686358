"""`make bench-release`: a release change during calls, with many tenants and agencies' rules.

Calls start at a steady rate, whether or not earlier ones were answered. Both releases have the same tenants and rules,
except for one purpose. The target concerns the longest call during the change, compared with the median before it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import policy
from benchmarks.figures import Figure, options, report
from benchmarks.load import Caller, question
from benchmarks.run import is_answer, resident_mib
from gateway import deployment, release
from gateway.release.documents import VECTORS
from tests.support.gateways import Deployment, spawned

TENANTS, RATE, WORKERS, SECONDS = 10_000, 500, 2, 5
"""RATE: calls per second for the target. WORKERS: a single process can hardly do more on this machine."""

PATIENT_S = 300


def main() -> None:
    """Measure, print the table, write JSON. Exits with 0 even if a target is missed, because the table shows that."""
    parser = options()
    parser.add_argument("--rate", type=int, default=RATE, help="calls a second; the targets are for the default")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes that serve")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.rate, arguments.workers)
    report(
        figures,
        arguments.json,
        title="Another release comes in force while calls are made",
        beside="before",
        note=f"{arguments.workers} workers; load generator and gateway on the same machine",
    )


def measure(place: Path, rate: int, workers: int) -> list[Figure]:
    """All figures, on one gateway with that many workers and calls per second."""
    deployed = made(place)
    deployed.edit("[listener]\n", f"[listener]\nworkers = {workers}\n")
    with ExitStack() as stack:
        process = stack.enter_context(spawned(deployed, patience_s=PATIENT_S))
        return asyncio.run(swapped(deployed, process.pid, rate))


def made(place: Path) -> Deployment:
    """A development deployment with many tenants, and with many agencies' rules in its policy."""
    policy.with_agencies(place)
    deployed = Deployment.create(place)
    first = deployment.TENANTS[0]
    more = [replace(first, id=f"t{n}", certificates=(f"spiffe://brightline.test/t{n}",)) for n in range(TENANTS)]
    before = release.load(deployed.folder / "release", None).digest
    shutil.rmtree(deployed.folder / "release")
    tenants, vectors = [*deployment.TENANTS, *more], release.starter().parent / VECTORS
    digest = release.create(
        deployed.folder / "release", 2, tenants, deployment.MODELS, (), policy=place / "crowded", vectors=vectors
    )
    deployed.edit(before, digest)
    deployment.publish(deployed.folder)
    return deployed


async def swapped(deployed: Deployment, process: int, rate: int) -> list[Figure]:
    """Calls before, during and after the release change."""
    caller = Caller(deployed.folder, deployed.address)
    ask = caller.asks(question("How many trucks?"))
    before, _ = await steadily(ask, lambda: False, SECONDS, rate)
    memory = resident_mib(process)
    await asyncio.to_thread(deployed.change_release, "tenants.json", narrower)
    state = deployed.folder / deployment.STATE
    was, began = state.read_bytes(), time.monotonic()
    os.kill(process, signal.SIGHUP)
    during, refused = await steadily(ask, lambda: state.read_bytes() != was, PATIENT_S, rate)
    took = time.monotonic() - began
    trouble = json.loads(state.read_bytes())["trouble"]
    if trouble:
        raise SystemExit(f"the release was refused: {trouble}")
    await steadily(ask, lambda: False, SECONDS, rate)
    after = resident_mib(process)
    await caller.close()
    median, longest = statistics.median(before) * 1000, max(during) * 1000
    late, grown = longest - median, 100 * (after - memory) / memory
    rules = policy.AGENCIES * policy.RULES
    return [
        Figure(f"{TENANTS} tenants, {rules} agencies' rules: in force after", "s", took, None, "<= 5", took <= 5),
        Figure(f"longest call meanwhile, {rate}/s", "ms", longest, median, "+50", late <= 50),
        Figure("calls refused meanwhile", "", float(len(refused)), None, "0", not refused),
        Figure("resident memory after it", "MiB", after, memory, "+10 %", grown <= 10),
    ]


async def steadily(
    ask: Callable[[], Any], over: Callable[[], bool], seconds: float, rate: int
) -> tuple[list[float], list[object]]:
    """Start calls at a steady rate until the end.

    Returns the seconds that each took, and the answers that were errors.
    """
    took: list[float] = []
    refused: list[object] = []

    async def one() -> None:
        started = time.monotonic()
        answer = await ask()
        took.append(time.monotonic() - started)
        if not is_answer(answer):
            refused.append(answer)

    end, due = time.monotonic() + seconds, time.monotonic()
    async with asyncio.TaskGroup() as calls:
        while time.monotonic() < end and not over():
            calls.create_task(one())
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return took, refused


def narrower(text: bytes) -> bytes:
    """The same tenants, the last one without one of its purposes."""
    document = json.loads(text)
    document["tenants"][-1]["attributes"]["purposes"].pop()
    return json.dumps(document).encode()


if __name__ == "__main__":
    main()
