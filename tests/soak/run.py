# ruff: noqa: T201 - a command that prints
"""`make soak`: a gateway of two workers under every sort of call, while what it rests on breaks, for minutes or hours.

    python -m tests.soak.run --minutes 60 [--rate 100] [--seed 1] [--json PATH]

Half of the time the policy decides in the workers, half of the time an Open Policy Agent server does; one log goes on
from one to the other. Each half ends by SIGTERM under load. A seed fixes what is asked and in which order what breaks;
how the system schedules it is its own. Exits with 1 when a promise of tests.soak.judged does not hold, when the gateway
does not recover, or when memory, files or threads grow.
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
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from gateway import config
from gateway.audit.keys import public_path
from tests.faults.load import Seen
from tests.soak import judged, sampled
from tests.soak.asked import Callers
from tests.soak.sampled import Samples
from tests.soak.trouble import Gateway, Server, killed_at_the_end
from tests.support.gateways import Deployment, spawned
from tests.support.waiting import until

ENGINES = ("wasm", "opa")
RECOVERS_S = 600.0
"""Also on a machine that has ten times too much to do."""
SHORTEST_S, LONGEST_S = 0.3, 4.0
"""Of a trouble at most, in a soak of seconds and of minutes."""
SAMPLES = 200
"""Of each gateway at most, one a second."""


@dataclass
class Soak:
    """What a soak saw."""

    seed: int
    rate: int
    folder: Path
    seen: list[Seen] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    samples: dict[str, Samples] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


async def soak(deployed: Deployment, result: Soak, engines: Sequence[str], seconds: float) -> judged.Kept:
    """One gateway after the other on the same log; then what is left is judged."""
    deployed.edit("[listener]\n", "[listener]\nworkers = 2\n")
    deployed.edit('kind = "loopback"\n', 'kind = "loopback"\njournal = "journal.jsonl"\n')
    deployed.edit("[policy]\n", "[policy]\ndeadline_ms = 10000\n")
    deployed.edit("[audit]\n", "[audit]\nunauthenticated_per_s = 100000\n")
    deployed.edit("[signals]\n", "[signals]\ndeadline_ms = 10000\n")
    (deployed.folder / "journal.jsonl").touch(mode=0o600)
    for engine in engines:
        async with served(deployed, result, engine) as gateway:
            await one(gateway, result, engine, seconds / len(engines))
    audit = config.load(deployed.config).audit
    found = judged.kept(audit.path, deployed.folder / "journal.jsonl")
    result.wrong += judged.verified(audit.path, public_path(audit.signing_key))
    result.wrong += judged.violations(found, result.seen)
    return found


@asynccontextmanager
async def served(deployed: Deployment, result: Soak, engine: str) -> AsyncIterator[Gateway]:
    """A gateway in processes of its own, that has to end in order."""
    with killed_at_the_end(Server() if engine == "opa" else None) as server:
        if server is not None:
            deployed.edit('engine = "wasm"\n', f'engine = "opa"\nopa_url = "http://127.0.0.1:{server.port}"\n')
            await server.start()
        control = deployed.folder / "control"
        environment, program = {"FAULT_CONTROL": str(control)}, ("tests.faults.faulty", "serve")
        with spawned(deployed, environment=environment, program=program, patience_s=RECOVERS_S) as process:
            if process.poll() is not None:
                raise SystemExit((deployed.folder / "gateway.log").read_text()[-1000:])
            yield Gateway(deployed, process, control, server)
        if process.returncode:
            result.wrong.append(f"h: the gateway ended with {process.returncode}")


async def one(gateway: Gateway, result: Soak, engine: str, seconds: float) -> None:
    """Calls and troubles for that time, then SIGTERM while calls are made."""
    callers = Callers(f"{result.seed}-{engine}", result.rate)
    stop = asyncio.Event()
    samples = result.samples[engine] = Samples()
    sampling = asyncio.create_task(samples.of(gateway.process.pid, max(1.0, seconds / SAMPLES)))
    asking = asyncio.create_task(callers.ask(gateway.deployed.client, stop))
    await trouble(gateway, callers, result, f"{result.seed}/{engine}", seconds)
    sampling.cancel()
    gateway.process.send_signal(signal.SIGTERM)
    await until(lambda: gateway.process.poll() is not None, RECOVERS_S)
    stop.set()
    await asking
    await asyncio.gather(*(client.close() for client in gateway.deployed.clients))
    gateway.deployed.clients.clear()
    result.seen += callers.seen
    result.wrong += sampled.violations(samples)


async def trouble(gateway: Gateway, callers: Callers, result: Soak, seed: str, seconds: float) -> None:
    """Every trouble in an order by chance, and again until the time is over. After each the gateway has to recover."""
    random = Random(seed)  # noqa: S311 - not a secret, but repeatable
    client = gateway.deployed.client()
    known, end = gateway.troubles(), time.monotonic() + seconds
    longest = min(LONGEST_S, max(SHORTEST_S, seconds / (4 * len(known))))
    rounds = 0
    while True:
        for name in random.sample(sorted(known), len(known)):
            await asyncio.sleep(random.uniform(0, 2 * longest))
            try:
                await known[name](random, random.uniform(0.1, 1.0) * longest)
            except (AssertionError, OSError) as error:
                result.wrong.append(f"h: {name}: {type(error).__name__}: {error}")
                return
            result.troubles[name] += 1
            if not await callers.answered(client, RECOVERS_S):
                result.wrong.append(f"h: no call was answered within {RECOVERS_S:.0f} s after: {name}")
                return
            if time.monotonic() > end and rounds:
                return
        rounds += 1
        if time.monotonic() > end:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and print what was found. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=100, help="calls a second, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args(arguments)
    result = Soak(given.seed, given.rate, Path(tempfile.mkdtemp(prefix="brightline-soak-")))
    found = asyncio.run(soak(Deployment.create(result.folder), result, given.engines, given.minutes * 60))
    print_table(result, found)
    if given.json:
        given.json.write_text(json.dumps(figures(result, found, given.minutes), indent=1) + "\n", encoding="utf-8")
    if result.wrong:
        print(f"  what is left: {result.folder}")
        return 1
    shutil.rmtree(result.folder)
    return 0


def print_table(result: Soak, found: judged.Kept) -> None:
    """What clients saw beside what the log has, what broke, what grew, and every violation."""
    print("calls  what its client saw       what the log says")
    for (saw, says), number in sorted(judged.counts(found, result.seen).items(), key=lambda item: -item[1]):
        print(f"{number:5}  {saw:24}  {says}")
    permitted, reached = len(found.permitted), found.journal.total()
    print(f"{found.records} records verified; {permitted} permitted intents, {reached} calls reached the upstream")
    print("what broke:", ", ".join(f"{name} {times}" for name, times in sorted(result.troubles.items())))
    for engine, samples in result.samples.items():
        grown = samples.grown()
        text = ", ".join(f"{name} {value:+.1f} (at most +{sampled.MAY[name]:g})" for name, value in grown.items())
        print(f"growth with {engine}: {text or 'too short to say'}")
    for wrong in result.wrong[:20]:
        print(f"VIOLATION {wrong}")
    print(f"violations {len(result.wrong)}")


def figures(result: Soak, found: judged.Kept, minutes: float) -> dict[str, Any]:
    """The same as JSON."""
    counted = judged.counts(found, result.seen)
    return {
        "minutes": minutes,
        "seed": result.seed,
        "calls": [{"client": saw, "log": says, "number": n} for (saw, says), n in sorted(counted.items())],
        "records": found.records,
        "permitted": len(found.permitted),
        "forwarded": found.journal.total(),
        "troubles": dict(result.troubles),
        "samples": {engine: asdict(samples) for engine, samples in result.samples.items()},
        "growth": {engine: samples.grown() for engine, samples in result.samples.items()},
        "violations": result.wrong,
    }


if __name__ == "__main__":
    sys.exit(main())
