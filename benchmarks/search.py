"""`make bench-search`: what it takes to find records in a log, with its index, by everything that can be asked for.

The log is real, of whole records: a hundred tenants, ten thousand subjects, thirty-two rules, a third of it refusals.
Each kind of search is made many times with other words, each time as a gateway does: log and index are opened, the
records are found, read from the log and compared with the filter. A log that is there is used again. Ten million
records take a quarter of an hour and 25 GB, in the temporary folder (TMPDIR) or in --folder.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, progress, report
from brightline_verify.record import Kind
from gateway.audit import index, indexing, reader, search
from gateway.audit.filter import Filter
from gateway.audit.index import Builder, index_path
from gateway.audit.record import Entry
from gateway.audit.search import Place, Position
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import MAX_BATCH, Store
from gateway.canonical import canonical
from tests.support import logs

TENANTS, SUBJECTS, RULES, SHAPES = 100, 10_000, 32, 2000
STEP_US = 3000
TARGET_MS, INDEXED_S = 100.0, 20_000
MOST = 50
TIMES = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """A record without what every one has of its own."""

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
    """Records number `first` to `count` - 1, the same each time."""
    made = shapes(random.Random(1))  # noqa: S311 - the same each time
    for number in range(first, count):
        chance = random.Random(number)  # noqa: S311 - as above
        shape = made[chance.randrange(SHAPES)]
        subject = f"subject-{int(SUBJECTS * chance.random() ** 2):05}"
        decision_id, time_us = f"{number:032x}", logs.START_US + number * STEP_US
        leaf = shape.leaf.replace(b"@id", decision_id.encode()).replace(b"@subject", subject.encode())
        leaf = leaf.replace(b"1234567891234567", str(time_us).encode())
        yield Entry(leaf, decision_id, shape.kind, time_us, shape.tenant, None)


def fill(folder: Path, count: int) -> Path:
    """The log, with as many records."""
    settings = logs.settings(folder)
    store = Store(Sqlite(settings.path), logs.signer(folder))
    batch: list[Entry] = []
    for entry in entries(count, store.frontier.size):
        batch.append(entry)
        if len(batch) == MAX_BATCH:
            store.append(batch)
            batch.clear()
            if store.frontier.size % (MAX_BATCH * 64) == 0:
                store.checkpoint()
                progress("in the log", store.frontier.size, count)
    if batch:
        store.append(batch)
    store.close()
    return settings.path


def build(path: Path) -> float:
    """Bring the index up to date; records a second."""
    with reader.opened(path) as log, closing(Builder(index_path(path), log)) as builder:
        before, start = builder.size, time.perf_counter()
        indexing.catch_up(log, builder, partial(progress, "in the index"))
        return (builder.size - before) / (time.perf_counter() - start)


def once(path: Path, looked_for: Filter, start: Position | None = None) -> tuple[float, int]:
    """Milliseconds of a search, and how many records it found."""
    began = time.perf_counter()
    with reader.opened(path) as log, index.opened(index_path(path), log) as found:
        page = search.page([Place(log, found, unindexed=0)], looked_for, start, MOST)
    return (time.perf_counter() - began) * 1000, len(page.found)


def searches(size: int, chance: random.Random) -> dict[str, Callable[[], tuple[Filter, Position | None]]]:
    """The kinds of search, each with words of its own every time."""

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


def main() -> None:
    """Measure, print the table, write JSON; exits with 0 also when a target is missed, since the table says so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the log is kept for the next time")
    arguments = parser.parse_args()
    with nullcontext(arguments.folder) if arguments.folder else tempfile.TemporaryDirectory() as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = fill(Path(folder), arguments.records)
        rate = build(path)
        figures = [Figure("taken into the index", "records/s", rate, None, ">= 20000 records/s", rate >= INDEXED_S)]
        figures = figures if rate else []  # the index was there
        chance = random.Random(2)  # noqa: S311 - as above
        for name, drawn in searches(arguments.records, chance).items():
            times = sorted(once(path, *drawn())[0] for _ in range(TIMES))
            worst, middle = times[int(TIMES * 0.99)], statistics.median(times)
            figures.append(Figure(f"search by {name}, p50", "ms", middle, None, "<= 100 ms", middle <= TARGET_MS))
            figures.append(Figure(f"search by {name}, p99", "ms", worst, None, "<= 100 ms", worst <= TARGET_MS))
        sizes = sum(p.stat().st_size for p in path.parent.glob("audit.db.index*")) / arguments.records
        figures.append(Figure("index on disk for each record", "bytes", sizes, None, "", None))
    report(
        figures,
        arguments.json,
        title=f"Finding {MOST} of {arguments.records} records",
        beside="",
        note=json.dumps({"tenants": TENANTS, "subjects": SUBJECTS, "rules": RULES}),
    )


if __name__ == "__main__":
    main()
