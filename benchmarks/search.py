"""`make bench-search`: the cost of finding records in a log with its index, for every kind of search.

The log is real and has whole records: a hundred tenants, ten thousand subjects, thirty-two rules, a third of it
refusals. Each kind of search is repeated with different words, each time as a gateway does it: log and index are
opened, the records are found, read from the log and compared with the filter. The same records are searched in SQLite
and then in PostgreSQL, with the same index, which depends only on the records. Ten million records take a quarter of an
hour and 30 GB in the temporary folder (TMPDIR, with a short path), which is emptied at the end, also after an
interrupt.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.audit import SETTINGS
from benchmarks.figures import Figure, options, progress, report
from brightline_verify.database import File
from brightline_verify.record import Kind
from gateway.audit import index, indexing, reader, search
from gateway.audit.filter import Filter
from gateway.audit.index import Builder, Held, index_path
from gateway.audit.kept import Kept
from gateway.audit.postgres.reading import Database
from gateway.audit.postgres.writing import Postgres
from gateway.audit.record import Entry
from gateway.audit.search import Place, Position
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.canonical import canonical
from tests.support import logs
from tests.support.postgres import cluster

TENANTS, SUBJECTS, RULES, SHAPES = 100, 10_000, 32, 2000
STEP_US = 3000
BATCH, CHECKPOINT = 2048, 10_000
TARGET_MS, INDEXED_S = 100.0, 20_000
MOST = 50
TIMES = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """A record without its unique fields."""

    leaf: bytes
    kind: str
    tenant: str
    subject: str
    rules: tuple[str, ...]


def shapes(chance: random.Random) -> list[Shape]:
    """Records of common and rare tenants, subjects and rules."""
    made = []
    for _ in range(SHAPES):
        tenant = f"tenant-{int(TENANTS * chance.random() ** 2):03}"
        kind = chance.choice((Kind.REFUSAL, Kind.INTENT, Kind.OUTCOME))
        fired = {f"rule_{int(RULES * chance.random() ** 3):02}" for _ in range(2)} if kind is Kind.REFUSAL else set()
        rules = [{"id": r, "class": "law", "effect": "deny"} for r in sorted(fired)]
        who = {"tenant": tenant, "subject": "@subject", "client_id": "app", "roles": ["analyst"]}
        decided = {"effect": "deny" if rules else "allow", "obligations": [], "grants": []}
        beside = {} if kind is Kind.OUTCOME else {"decision": decided}
        record = logs.record(kind, 0, tenant, principal=who, rules=rules, **beside)
        leaf = canonical({**record, "decision_id": "@id", "time_us": 1_234_567_891_234_567})
        made.append(Shape(leaf, str(kind), tenant, "@subject", tuple(sorted(fired))))
    return made


def entries(count: int, first: int) -> Iterator[Entry]:
    """Records number `first` to `count` - 1. They are the same each time."""
    made = shapes(random.Random(1))  # noqa: S311 - the same each time
    for number in range(first, count):
        drawn = mixed(number)
        shape = made[(drawn >> 32) % SHAPES]
        subject = f"subject-{int(SUBJECTS * ((drawn & 0xFFFFFFFF) / 0x100000000) ** 2):05}"
        decision_id, time_us = f"{number:032x}", logs.START_US + number * STEP_US
        leaf = shape.leaf.replace(b"@id", decision_id.encode()).replace(b"@subject", subject.encode())
        leaf = leaf.replace(b"1234567891234567", str(time_us).encode())
        yield Entry(leaf, decision_id, shape.kind, time_us, shape.tenant, None)


def mixed(number: int) -> int:
    """A 64-bit number that looks random, the same each time."""
    for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9):
        number = number * factor & 0xFFFFFFFFFFFFFFFF
        number ^= number >> 31
    return number


def fill(kept: Kept, folder: Path, count: int) -> None:
    """Write a log of that many records. Its batches are larger than a gateway's, which does not affect the log."""
    with closing(Store(kept, logs.signer(folder))) as store:
        made = entries(count, 0)
        while batch := list(islice(made, BATCH)):
            store.append(batch)
            if store.unsigned >= CHECKPOINT:
                store.checkpoint()
            progress("in the log", store.frontier.size, count)


def build(held: Held) -> float:
    """Make the index. Returns records per second."""
    with reader.opened(held.source) as log, closing(Builder(held.index, log)) as builder:
        before, start = builder.size, time.perf_counter()
        indexing.catch_up(log, builder, partial(progress, "in the index"))
        return (builder.size - before) / (time.perf_counter() - start)


def once(held: Held, looked_for: Filter, start: Position | None = None) -> tuple[float, int]:
    """The milliseconds of a search, and the number of records found."""
    began = time.perf_counter()
    with reader.opened(held.source) as log, index.opened(held.index, log) as found:
        page = search.page([Place(log, found, unindexed=0)], looked_for, start, MOST)
    return (time.perf_counter() - began) * 1000, len(page.found)


def searches(size: int, chance: random.Random) -> dict[str, Callable[[], tuple[Filter, Position | None]]]:
    """The kinds of search. Each call gives another filter."""

    def tenant() -> str:
        return f"tenant-{int(TENANTS * chance.random()):03}"

    def rule() -> str:
        return f"rule_{chance.randrange(RULES):02}"

    def subject() -> str:
        return f"subject-{chance.randrange(SUBJECTS):05}"

    def hour() -> tuple[int, int]:
        start = logs.START_US + chance.randrange(size) * STEP_US
        return start, start + 3_600_000_000

    def deep() -> Position:
        return {logs.ORIGIN: chance.randrange(1, size)}

    def within(made: Filter) -> Filter:
        start, end = hour()
        return Filter(made.tenant, made.subject, made.rule, made.effect, from_us=start, until_us=end)

    return {
        "everything, newest": lambda: (Filter(), None),
        "tenant": lambda: (Filter(tenant=tenant()), None),
        "rule": lambda: (Filter(rule=rule()), None),
        "effect": lambda: (Filter(effect=chance.choice(("allow", "deny"))), None),
        "time": lambda: (within(Filter()), None),
        "principal": lambda: (Filter(subject=subject()), None),
        "decision id": lambda: (Filter(decision_id=f"{chance.randrange(size):032x}"), None),
        "tenant, rule, effect": lambda: (Filter(tenant=tenant(), rule=rule(), effect="deny"), None),
        "tenant, rule, time": lambda: (within(Filter(tenant=tenant(), rule=rule())), None),
        "principal, rule": lambda: (Filter(subject=subject(), rule=rule()), None),
        "nothing fits": lambda: (Filter(tenant=tenant(), subject=subject(), rule="rule_31", effect="allow"), None),
        "a later page of tenant, effect": lambda: (Filter(tenant=tenant(), effect="deny"), deep()),
    }


def searched(name: str, held: Held, count: int) -> list[Figure]:
    """The cost of each kind of search."""
    chance = random.Random(2)  # noqa: S311 - the same each time
    figures = []
    for number, (kind, drawn) in enumerate(kinds := searches(count, chance).items()):
        progress(f"kinds of search in {name}", number, len(kinds))
        times = sorted(once(held, *drawn())[0] for _ in range(TIMES))
        for which, value in (("p50", statistics.median(times)), ("p99", times[int(TIMES * 0.99)])):
            what = f"{name}: by {kind}, {which}"
            figures.append(Figure(what, "ms", value, None, "<= 100 ms", value <= TARGET_MS))
    return figures


def measure(folder: Path, count: int) -> list[Figure]:
    """All figures, one store after the other, so that only one log exists at a time."""
    path = logs.settings(folder).path
    held = Held(File(path), index_path(path))
    fill(Sqlite(path), folder, count)
    rate = build(held)
    figures = [Figure("taken into the index", "records/s", rate, None, ">= 20000 records/s", rate >= INDEXED_S)]
    sizes = held.index.stat().st_size / count
    figures.append(Figure("index on disk for each record", "bytes", sizes, None, "", None))
    figures += searched("SQLite", held, count)
    path.unlink()
    with cluster(SETTINGS) as postgres:
        server = postgres.server(postgres.database())
        fill(Postgres(server, folder / "tail"), folder, count)
        figures += searched("PostgreSQL", Held(Database(server, logs.ORIGIN), held.index), count)
    return figures


def main() -> None:
    """Measure, print the table, write JSON. Exits with 0 even if a target is missed, because the table shows that."""
    parser = options()
    parser.add_argument("--records", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.records)
    report(
        figures,
        arguments.json,
        title=f"Finding {MOST} of {arguments.records} records",
        beside="",
        note=json.dumps({"tenants": TENANTS, "subjects": SUBJECTS, "rules": RULES}),
    )


if __name__ == "__main__":
    main()
