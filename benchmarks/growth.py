"""`make bench-growth`: the cost of a call as things grow that the call does not use, with a table and plot for each.

The gateways of an axis run at the same time and are measured in turns, so that other load on the machine affects all of
them. Except for request size, no axis should affect the cost of a call: the target is 1.2 times the smallest. Load
generator, gateways and upstream share the machine.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop

from benchmarks import audit, policy
from benchmarks.figures import Figure, options, progress, report
from benchmarks.growing import Axis, Point, written
from benchmarks.load import Caller, latency, question, throughput
from benchmarks.run import PERMITTED, TEXT, direct_loopback, folder, is_answer, resident_mib
from gateway import config, deployment, memory, release
from gateway.audit import keys
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.clock import system_us
from gateway.release.documents import VECTORS
from gateway.types import Tenant
from tests.support.gateways import Deployment, spawned

ROUNDS, ALONE, TOGETHER = 6, 150, 400
"""Turns of each gateway, and calls in a turn: sequential ones, and ones with 32 in flight."""
TENANTS = (1, 100, 10_000)
RULES = (10, 100, 1_000)
RECORDS = 1_000_000
BYTES = (1_000, 10_000, 100_000, 1_000_000)
CONNECTIONS = (1, 10, 100, 1_000)
PATIENT_S, DAY_US = 600.0, 86_400_000_000
LIMITS = f"\n[limits]\nmessage_bytes = 2097152\nconnections = {CONNECTIONS[-1] + 200}\n"


@dataclass
class Gateway:
    """One gateway under measurement, with a caller. size: its position on the axis.

    start_s: from its start until it served; None if one gateway is measured for a whole axis.
    """

    size: int
    process: int
    start_s: float | None
    caller: Caller
    request: bytes = PERMITTED
    p50_ms: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)

    async def turn(self) -> None:
        """Measure one turn."""
        ask = self.caller.asks(self.request)
        calls = max(4, ALONE if len(self.request) < BYTES[-2] else ALONE // 10)
        self.p50_ms.append((await latency(ask, calls)).p50 / 1000)
        many = max(8, TOGETHER if len(self.request) < BYTES[-2] else TOGETHER // 10)
        self.per_s.append(await throughput(ask, many, 32, is_answer))

    def point(self, direct_ms: float) -> Point:
        """The results at this size."""
        added = statistics.median(self.p50_ms) - direct_ms
        return Point(self.size, added, statistics.median(self.per_s), resident_mib(self.process), self.start_s)


async def measure(place: Path, records: int) -> list[Axis]:
    """Every axis."""
    direct_ms = (await direct_loopback()).p50 / 1000
    return [
        await in_turns("tenants", direct_ms, [with_tenants(place, n) for n in TENANTS]),
        await in_turns("agency rules", direct_ms, [with_rules(place, n) for n in RULES]),
        await in_turns("log records", direct_ms, [with_records(place, n) for n in sizes(records)]),
        *await in_one(deployed(place, "one"), direct_ms),
    ]


def sizes(records: int) -> list[int]:
    """A thousand, and then ten times as many each, up to the last."""
    found = [min(1_000, records)]
    while found[-1] < records:
        found.append(min(10 * found[-1], records))
    return found


async def in_turns(name: str, direct_ms: float, places: list[tuple[int, Deployment]]) -> Axis:
    """Measure a gateway for each size, all running at the same time."""
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(served(one, size)) for size, one in places]
        for number in range(ROUNDS):
            progress(name, number, ROUNDS)
            for gateway in gateways:
                await gateway.turn()
        points = [gateway.point(direct_ms) for gateway in gateways]
    for _, one in places:
        shutil.rmtree(one.folder.parent)
    return Axis(name, points)


async def in_one(deployed: Deployment, direct_ms: float) -> list[Axis]:
    """Sizes of requests, then numbers of connections, on one gateway."""
    async with served(deployed, 1) as gateway, AsyncExitStack() as stack:
        sized = [replace(gateway, size=n, start_s=None, request=of_bytes(n), p50_ms=[], per_s=[]) for n in BYTES]
        for number in range(ROUNDS):
            progress("bytes of a request", number, ROUNDS)
            for one in sized:
                await one.turn()
        axis = Axis("bytes of a request", [one.point(direct_ms) for one in sized], linear=True)
        points = []
        for n in CONNECTIONS:  # in sequence: a caller's connections stay open
            caller = Caller(deployed.folder, deployed.address, connections=n)
            stack.push_async_callback(caller.close)
            one = replace(gateway, size=n, start_s=None, caller=caller, p50_ms=[], per_s=[])
            await throughput(caller.asks(PERMITTED), 2 * n, 32, is_answer)  # opens all of them
            for number in range(ROUNDS):
                progress("connections", number, ROUNDS)
                await one.turn()
            points.append(one.point(direct_ms))
        return [axis, Axis("connections", points)]


@asynccontextmanager
async def served(deployed: Deployment, size: int) -> AsyncIterator[Gateway]:
    """The running gateway of a deployment, warmed up."""
    began = time.monotonic()
    with spawned(deployed, patience_s=PATIENT_S) as process:
        start_s = time.monotonic() - began
        if process.poll() is not None:
            raise SystemExit(f"the gateway did not start: {(deployed.folder / 'gateway.log').read_text()[-500:]}")
        caller = Caller(deployed.folder, deployed.address)
        await throughput(caller.asks(PERMITTED), TOGETHER, 32, is_answer)
        yield Gateway(size, process.pid, start_s, caller)
        await caller.close()


def deployed(place: Path, name: str) -> Deployment:
    """A development deployment with sufficient limits for these measurements."""
    made = Deployment.create(place / name)
    made.config.write_text(made.config.read_text() + LIMITS)
    return made


def with_tenants(place: Path, count: int) -> tuple[int, Deployment]:
    """A deployment with that many tenants besides the one that calls."""
    made, first = deployed(place, f"tenants-{count}"), deployment.TENANTS[0]
    more = [replace(first, id=f"t{n}", certificates=(f"spiffe://brightline.test/t{n}",)) for n in range(count - 1)]
    released(made, [first, *more], None)
    return count, made


def with_rules(place: Path, count: int) -> tuple[int, Deployment]:
    """A deployment with that many rules of other agencies, one for each agency."""
    built = place / f"policy-{count}"
    policy.with_agencies(built, count)
    made = deployed(place, f"rules-{count}")
    released(made, list(deployment.TENANTS), built / "crowded")
    shutil.rmtree(built)
    return count, made


def released(made: Deployment, tenants: list[Tenant], policy_at: Path | None) -> None:
    """Replace the release of a deployment before it starts."""
    before, at = release.load(made.folder / "release", None).digest, made.folder / "release"
    shutil.rmtree(at)
    how = {} if policy_at is None else {"policy": policy_at, "vectors": release.starter().parent / VECTORS}
    made.edit(before, release.create(at, 2, tenants, deployment.MODELS, (), **how))
    deployment.publish(made.folder)


def with_records(place: Path, count: int) -> tuple[int, Deployment]:
    """A deployment whose log has that many records before the gateway starts: refusals, as it writes them."""
    made = deployed(place, f"records-{count}")
    settings = config.load(made.config).audit
    with closing(Store(Sqlite(settings.path), keys.load_signer(settings.signing_key, settings.origin))) as store:
        audit.grow(store, audit.records(0, system_us() - DAY_US), count)
        store.checkpoint()
    return count, made


def of_bytes(size: int) -> bytes:
    """A request of about that size: the usual one, followed by ordinary words."""
    return question((TEXT + " ") * max(1, size // len(TEXT)))


def figures(axes: list[Axis]) -> list[Figure]:
    """The largest size of each axis, compared with the smallest."""
    found = []
    for axis in axes:
        first, last = axis.points[0], axis.points[-1]
        times, most = last.added_ms / first.added_ms, 1.2
        name = f"{last.size:,} {axis.name} instead of {first.size:,}: added p50"
        target, met = ("linear", None) if axis.linear else (f"<= {most:g} times", times <= most)
        found.append(Figure(name, "ms", last.added_ms, first.added_ms, target, met))
        slower = first.per_s / last.per_s
        target, met = ("", None) if axis.linear else (f">= 1/{most:g}", slower <= most)
        name = f"{last.size:,} {axis.name}: permitted, 32 in flight"
        found.append(Figure(name, "/s", last.per_s, first.per_s, target, met))
        found.append(Figure(f"{last.size:,} {axis.name}: resident memory", "MiB", last.mib, first.mib, "", None))
        if last.start_s is not None:
            found.append(Figure(f"{last.size:,} {axis.name}: start", "s", last.start_s, first.start_s, "", None))
    return found


def main() -> None:
    """Measure, print the table, write JSON and the page. Exits with 0 even if a target is missed."""
    parser = options()
    parser.add_argument("--records", type=int, default=RECORDS, help="how far the log grows")
    parser.add_argument("--page", type=Path, help="the page to write, with its plots beside it")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384) if hard > 0 else 16_384, hard))
    began = time.monotonic()
    memory.settle()
    with folder() as place:
        axes = uvloop.run(measure(place, given.records))
    report(
        figures(axes),
        given.json,
        title=f"What growth costs a call, in {time.monotonic() - began:.0f} s",
        beside="at the smallest",
        note="load generator, gateways and upstream on the same machine",
    )
    if given.page:
        written(axes, given.page)


if __name__ == "__main__":
    main()
