"""`make bench-audit`: what the log costs on either store as it grows.

Records are refusals of 1.5 kB, as a gateway writes them. A rate counts durable records. It includes the time in the
store, tree and checkpoints, but not the time to make the records. At each size it is the rate of the next 10,240
records, so that work that a database defers is included. PostgreSQL runs on the same machine, reached by a socket. Ten
million records take a quarter of an hour and at most 35 GB in the temporary folder (TMPDIR, with a short path), which
is emptied at the end.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from benchmarks.figures import Figure, options, progress, report
from brightline_verify import export as exports
from brightline_verify.database import File
from brightline_verify.merkle import inclusion_proof
from brightline_verify.note import Verifier
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from brightline_verify.stored import Source, gathered
from brightline_verify.whole import Trust
from gateway.audit import export
from gateway.audit.kept import Kept
from gateway.audit.postgres.reading import Database
from gateway.audit.postgres.writing import Postgres
from gateway.audit.record import Entry, entry
from gateway.audit.show import show
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import MAX_BATCH, Store
from gateway.audit.writer import Writer
from tests.support import logs
from tests.support.postgres import Cluster, cluster

LEAST = 1000
PROOFS, AGAIN, SINGLE, ROUND = 200, 3, 400, 5 * MAX_BATCH
WINDOW = 8 * ROUND
"""The number of records over which a cost is measured: several times what SQLite's write-ahead log holds."""
CHECKPOINT = 10_000
EXPORTED = 1_000_000
"""The most records that are exported and verified: the last ones."""
SETTINGS = ("shared_buffers=256MB", "max_wal_size=4GB", "max_connections=40")


@dataclass
class Place:
    """A store under measurement. size: the bytes that it occupies now."""

    name: str
    folder: Path
    kept: Kept
    source: Source
    size: Callable[[], int]


@dataclass
class Cost:
    """Costs at one size of the log, in seconds.

    record_s: for a record. processor_s: this process's processor time in record_s. proof_s: for the proof of a decision
    that was looked up before. first_proof_s: for the proof of one that was not.
    """

    size: int
    record_s: float
    processor_s: float
    proof_s: float
    first_proof_s: float


def main() -> None:
    """Measure, print the table, write JSON. Exits with 0 even if a target is missed, because the table shows that."""
    parser = options()
    parser.add_argument("--records", type=int, default=1_000_000, help="how far each log grows")
    given = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, cluster(SETTINGS) as postgres:
        for place in (on_sqlite(Path(folder) / "sqlite"), on_postgres(Path(folder) / "postgresql", postgres)):
            figures += measure(place, given.records)
            shutil.rmtree(place.folder)
    report(
        figures,
        given.json,
        title=f"What the log costs, from {LEAST:,} to {given.records:,} records of {len(next(records(0)).leaf)} bytes",
        beside=f"at {LEAST}",
        note="both stores on the disk of this machine",
    )


def on_sqlite(folder: Path) -> Place:
    """A file in `folder`."""
    folder.mkdir()
    path = logs.settings(folder).path
    return Place("SQLite", folder, Sqlite(path), File(path), lambda: sum(p.stat().st_size for p in folder.iterdir()))


def on_postgres(folder: Path, server: Cluster) -> Place:
    """A new database, with the keys in `folder`."""
    folder.mkdir()
    name = server.database()

    def size() -> int:
        with server.admin(name) as db:
            row = db.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    kept = Postgres(server.server(name), folder / "tail")
    return Place("PostgreSQL", folder, kept, Database(server.server(name), logs.ORIGIN), size)


def measure(place: Place, most: int) -> list[Figure]:
    """All figures of a store."""
    progress(place.name, 0, most)
    empty = place.size()
    with closing(Store(place.kept, logs.signer(place.folder))) as store:
        costs = list(grown(store, place, most))
    single = asyncio.run(alone(place, most))
    largest, leaves = checked(place)
    first, last = costs[0], costs[-1]
    rate = 1 / statistics.median(c.record_s for c in costs)
    proof = last.proof_s * 1e3, first.proof_s * 1e3
    cold = last.first_proof_s * 1e3, first.first_proof_s * 1e3
    processor = last.processor_s * 1e6, first.processor_s * 1e6
    bytes_each = (place.size() - empty) / (last.size + WINDOW + SINGLE)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    slower = last.record_s / first.record_s
    at = f"at {last.size:,}"
    return [
        _figure(place, "durable records", "/s", rate, 1 / first.record_s, ">= 20000 /s", met=rate >= 20_000),
        _figure(place, f"cost of a record {at}", "x", slower, 1, "<= 1.2 x", met=slower <= 1.2),
        _figure(place, "processor time of it, here", "us", *processor, "", met=None),
        _figure(place, "one record alone, p50", "ms", single, None, "<= 0.6 ms", met=single <= 0.6),
        _figure(place, f"a decision proved {at}", "ms", *proof, "<= 1.2 x", met=proof[0] <= 1.2 * proof[1]),
        _figure(place, "the same, for the first time", "ms", *cold, "<= 1.2 x", met=cold[0] <= 1.2 * cold[1]),
        _figure(place, "size of a proof", "bytes", largest, None, "<= 2048 bytes", met=largest <= 2048),
        _figure(place, "export verified", "/s", leaves, None, ">= 200000 /s", met=leaves >= 200_000),
        _figure(place, "on disk for a record", "bytes", bytes_each, None, "", met=None),
        _figure(place, "resident memory, at most", "MiB", memory, None, "", met=None),
    ]


def _figure(  # noqa: PLR0917 - the columns of a line
    place: Place, name: str, unit: str, value: float, direct: float | None, target: str, *, met: bool | None
) -> Figure:
    return Figure(f"{place.name}: {name}", unit, value, direct, target, met)


def grown(store: Store, place: Place, most: int) -> Iterator[Cost]:
    """Grow the log, and yield at each decade the cost of the next WINDOW records."""
    made, target = records(0), LEAST
    while True:
        grow(store, made, target)
        wall, processor = grow(store, made, store.frontier.size + WINDOW)
        store.checkpoint()
        yield Cost(target, wall / WINDOW, processor / WINDOW, *proved(place, store.frontier.size))
        if target >= most:
            return
        target = min(target * 10, most)


def grow(store: Store, made: Iterator[Entry], size: int) -> tuple[float, float]:
    """Append up to that many records. Returns the seconds in the store, and this process's share of processor time."""
    wall = processor = 0.0
    while store.frontier.size < size:
        batches = [[next(made) for _ in range(MAX_BATCH)] for _ in range(ROUND // MAX_BATCH)]
        progress("records", store.frontier.size, size)
        began, used = time.perf_counter(), time.process_time()
        for batch in batches:
            store.append(batch)
            if store.unsigned >= CHECKPOINT:
                store.checkpoint()
        wall += time.perf_counter() - began
        processor += time.process_time() - used
    return wall, processor


def proved(place: Place, size: int) -> tuple[float, float]:
    """The median seconds to find a decision by its id, make its proof and verify it: repeated, and for the first time.

    For the first time, pages come from the disk unless the database or the system has cached them. Repeated, they are
    in memory, and the figure is the cost of the proof itself.
    """
    chosen, verifier = random.Random(size), logs.verifier(place.folder)  # noqa: S311 - repeatable
    with place.source.reading() as rows:
        indexes = [chosen.randrange(size) for _ in range(PROOFS)]
        ids = [next(iter(rows.rows(index, index + 1)))[3] for index in indexes]
    first, *again = ([_timed(place, verifier, decision_id) for decision_id in ids] for _ in range(1 + AGAIN))
    return statistics.median(chain.from_iterable(again)), statistics.median(first)


def _timed(place: Place, verifier: Verifier, decision_id: str) -> float:
    began = time.perf_counter()
    show(place.source, verifier, decision_id)
    return time.perf_counter() - began


async def alone(place: Place, first: int) -> float:
    """Median milliseconds from submitting one record to knowing that it is durable."""
    writer = Writer(Store(place.kept, logs.signer(place.folder)), 10_000)
    took = []
    made = records(first + 2 * WINDOW)
    for _ in range(SINGLE):
        one = next(made)
        began = time.perf_counter()
        await writer.append(one)
        took.append(time.perf_counter() - began)
    await writer.close()
    return statistics.median(took) * 1e3


def checked(place: Place) -> tuple[int, float]:
    """The longest of some proofs in bytes, and the leaves per second when all cores verify an export."""
    path = place.folder / "export.jsonl"
    with place.source.reading() as rows:
        first = max(0, rows.ends()[1] - EXPORTED)
    with path.open("wb") as out:
        size = export.write(place.source, logs.verifier(place.folder), out, first=first)
    os.sync()  # excludes writes that the log has deferred
    began = time.perf_counter()
    found = exports.verify(path, Trust(logs.verifier(place.folder)), processes=2)
    rate = (size - first) / (time.perf_counter() - began)
    assert found.problem is None, found.problem
    path.unlink()
    with place.source.reading() as rows:
        last = rows.last_note()
        assert last is not None
        assert isinstance(last[1], bytes)
        indexes = (0, size // 2, size - 1)
        proofs = [Proof(i, tuple(gathered(rows, partial(inclusion_proof, i, size))), last[1]) for i in indexes]
    return max(len(proof.text()) for proof in proofs), rate


def records(first: int, since_us: int = logs.START_US) -> Iterator[Entry]:
    """Records as a gateway writes them, each with its own decision and time."""
    sample = entry(logs.record(Kind.REFUSAL, 0))
    head, middle, tail = _cut(sample.leaf, sample.decision_id.encode(), str(sample.time_us).encode())
    number = first
    while True:
        decision_id, time_us = f"{number:012x}{random.getrandbits(80):020x}", since_us + number
        leaf = b"%b%b%b%d%b" % (head, decision_id.encode(), middle, time_us, tail)
        yield Entry(leaf, decision_id, sample.kind, time_us, sample.tenant, None)
        number += 1


def _cut(leaf: bytes, first: bytes, second: bytes) -> tuple[bytes, bytes, bytes]:
    head, _, rest = leaf.partition(first)
    middle, _, tail = rest.partition(second)
    return head, middle, tail


if __name__ == "__main__":
    main()
