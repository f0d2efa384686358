"""`make bench-scale`: simulates what one small machine can't measure, from costs that were measured on it.

Gateways that share a PostgreSQL: each gateway commits the waiting records, one batch at a time. The server's processors
work on rows, and one sync of its disk serves all that wait for it. A noisy tenant on one worker: calls are decided one
after the other, in order of arrival or by turns of tenants. A call that waited too long is refused, which takes
processor time too. The simulation is seeded: equal commands print equal results. Measured costs are in Costs.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, cycle
from random import Random
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options
from gateway.audit.store import MAX_BATCH


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs in seconds, from docs/measurements.md.

    A row's cost, sync_s and way_s make up the 0.54 ms of a single record.

    row_s: on one processor; two processors, shared with the writer, did 44,576 rows per second.
    call_s: in the worker, without the learned detector.
    refuse_s: receiving, authenticating and recording a call that is turned away; about half of a refused call.
    """

    row_s: float = 2 / 44_576
    sync_s: float = 0.000_3
    way_s: float = 0.000_1
    call_s: float = 0.002_1
    refuse_s: float = 0.000_8


COSTS: Final = Costs()
PROCESSORS: Final = 8
"""Of the PostgreSQL server."""
PATIENCE_S: Final = 0.02
TITLES: Final = ("gateways into one PostgreSQL", "twenty gateways, at a part of what it takes", "beside a noisy tenant")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: offered and completed operations per second, and how long each took."""

    name: str
    offered_s: float
    done_s: float
    p50_ms: float
    p99_ms: float


class Postgres:
    """One server. took: for each record, the seconds until its gateway knew that it was durable."""

    def __init__(self, gateways: int, rows_s: float) -> None:
        self.took: list[float] = []
        self._random = Random(f"{gateways}/{rows_s}")  # noqa: S311 - repeatable, no secret
        self._pause_s = gateways / rows_s
        self._waiting: list[list[float]] = [[] for _ in range(gateways)]
        self._batches: dict[int, list[float]] = {}
        self._worked: list[int] = []
        self._syncing: list[int] = []
        self._processors = [0.0] * PROCESSORS
        self._events: list[tuple[float, int, str, int]] = []
        self._number = count()
        for gateway in range(gateways):
            self._at(self._random.expovariate(1 / self._pause_s), "row", gateway)

    def run(self, seconds: float) -> None:
        """Simulate until that time."""
        while self._events[0][0] < seconds:
            now, _, what, gateway = heapq.heappop(self._events)
            if what == "row":
                self._waiting[gateway].append(now)
                self._at(now + self._random.expovariate(1 / self._pause_s), "row", gateway)
                self._commit(now, gateway)
            elif what == "worked":
                self._worked.append(gateway)
            else:
                self._answer(now)
            if self._worked and not self._syncing:
                self._syncing, self._worked = self._worked, []
                self._at(now + COSTS.sync_s, "synced", -1)

    def _at(self, time_s: float, what: str, gateway: int) -> None:
        heapq.heappush(self._events, (time_s, next(self._number), what, gateway))

    def _commit(self, now: float, gateway: int) -> None:
        if gateway in self._batches or not self._waiting[gateway]:
            return
        waiting = self._waiting[gateway]
        self._batches[gateway], self._waiting[gateway] = waiting[:MAX_BATCH], waiting[MAX_BATCH:]
        done = max(now + COSTS.way_s, self._processors[0]) + len(self._batches[gateway]) * COSTS.row_s
        heapq.heapreplace(self._processors, done)
        self._at(done, "worked", gateway)

    def _answer(self, now: float) -> None:
        synced, self._syncing = self._syncing, []
        for gateway in synced:
            self.took += [now + COSTS.way_s - begun for begun in self._batches.pop(gateway)]
            self._commit(now + COSTS.way_s, gateway)


def written(gateways: int, rows_s: float, seconds: float = 4.0) -> Row:
    """That many gateways, which together write that many rows per second."""
    server = Postgres(gateways, rows_s)
    server.run(seconds)
    return row(f"{gateways} gateways", rows_s, server.took, seconds)


def beside(noisy_s: float, *, fair: bool, seconds: float = 20.0) -> Row:
    """A tenant with a fifth of a worker's capacity beside a noisy one. The line is that of the first."""
    quiet_s = 0.2 / COSTS.call_s
    arrivals = deque(merged({"quiet": quiet_s, "noisy": noisy_s}, seconds))
    queues: dict[str, deque[float]] = {"quiet": deque(), "noisy": deque()}
    turns, took, now = cycle(queues), list[float](), 0.0
    while arrivals or any(queues.values()):
        while arrivals and (arrivals[0][0] <= now or not any(queues.values())):
            begun, tenant = arrivals.popleft()
            queues[tenant].append(begun)
            now = max(now, begun)
        waiting = [tenant for tenant in queues if queues[tenant]]
        tenant = next(t for t in turns if t in waiting) if fair else min(waiting, key=lambda t: queues[t][0])
        begun = queues[tenant].popleft()
        late = now - begun > PATIENCE_S
        now += COSTS.refuse_s if late else COSTS.call_s
        if tenant == "quiet" and not late:
            took.append(now - begun)
    how = "tenants take turns" if fair else "first come, first served"
    return row(f"{how}, the other asks {noisy_s:,.0f}/s", quiet_s, took, seconds)


def merged(rates: dict[str, float], seconds: float) -> Iterator[tuple[float, str]]:
    """The arrivals of all at their rates, in order of time."""
    random, found = Random(str(rates)), list[tuple[float, str]]()  # noqa: S311 - repeatable, no secret
    for tenant, rate in rates.items():
        now = 0.0
        while rate and (now := now + random.expovariate(rate)) < seconds:
            found.append((now, tenant))
    return iter(sorted(found))


def row(name: str, offered_s: float, took: list[float], seconds: float) -> Row:
    """Percentiles of the second half, when queues have reached their length."""
    settled = sorted(took[len(took) // 2 :]) or [0.0]
    p50, p99 = (1000 * settled[len(settled) * hundredths // 100] for hundredths in (50, 99))
    return Row(name, offered_s, len(took) / seconds, round(p50, 2), round(p99, 2))


def tables() -> dict[str, list[Row]]:
    """All simulations, by title."""
    most, takes = PROCESSORS / COSTS.row_s, 1 / COSTS.call_s
    return {
        TITLES[0]: [written(gateways, 33_333) for gateways in (5, 10, 20, 40)],
        TITLES[1]: [written(20, part * most, 1.0) for part in (0.3, 0.6, 0.9, 1.1)],
        TITLES[2]: [beside(times * takes, fair=fair) for times in (0.0, 1.0, 3.0) for fair in (False, True)],
    }


def main() -> None:
    """Simulate, print, and write JSON if required."""
    given = options().parse_args()
    found = tables()
    for title, rows in found.items():
        table = Table("", "offered", "done", "p50", "p99", title=title)
        for one in rows:
            table.add_row(*cells(one))
        Console(width=120).print(table)
    if given.json:
        document = {title: [asdict(one) for one in rows] for title, rows in found.items()}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


def cells(one: Row) -> list[str]:
    """A line as printed, and as in docs/scale.md."""
    rates = [f"{one.offered_s:,.0f}/s", f"{one.done_s:,.0f}/s"]
    return [one.name, *rates, f"{one.p50_ms:.2f} ms", f"{one.p99_ms:.2f} ms"]


if __name__ == "__main__":
    main()
