"""Seeded faults on the store of a log, in process: every durable write fails in every way, then all is verified again.

A run takes random steps on a real store: batches with keys that were used before and outcomes that close, checkpoints,
crashes. Any step may meet a fault. What the store then says is compared with a plain model of what it acknowledged.
`python -m tests.faults.seeded --faults 10000` does many, on SQLite and PostgreSQL in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Protocol

import psycopg

from brightline_verify.database import File
from brightline_verify.note import Signer
from brightline_verify.record import Kind
from brightline_verify.stored import CorruptError, Source, verify
from brightline_verify.whole import Trust
from gateway.audit.kept import Kept
from gateway.audit.keys import load_signer
from gateway.audit.postgres.connection import Bounded, Server
from gateway.audit.postgres.reading import Database
from gateway.audit.postgres.writing import Postgres
from gateway.audit.record import Entry, entry
from gateway.audit.sqlite import LOCK_WAIT_S, Sqlite
from gateway.audit.store import Rejection, Result, Store
from gateway.errors import StartError
from tests.support import logs
from tests.support.postgres import Cluster, cluster

STEPS = 24
FAULTED = 0.45
"""How likely a step meets a fault."""
_tenants = ("a", "b")


class Fault(Enum):
    """How a statement fails."""

    LOST = "before it is done"
    LIED = "after it is done"
    TORN = "somewhere between: it was sent, and nobody waited for the answer"


class Faults:
    """Which statement fails next, counted from now."""

    def __init__(self) -> None:
        self._after = 0
        self._fault: Fault | None = None
        self.met: Counter[str] = Counter()

    def plan(self, after: int, fault: Fault) -> None:
        """Let so many statements go well, and the next fail."""
        self._after, self._fault = after, fault

    def next(self) -> Fault | None:
        """What happens to a statement that is about to be done."""
        if self._fault is None:
            return None
        if self._after:
            self._after -= 1
            return None
        fault, self._fault = self._fault, None
        self.met[fault.name] += 1
        return fault


class World(Protocol):
    """A sort of store, with faults."""

    name: str
    faults: Faults

    def kept(self, run: int) -> Kept:
        """The database of the log of a run."""

    def source(self, run: int) -> Source:
        """The same, to be read."""

    def origin(self, run: int) -> str:
        """The name of that log."""


@dataclass
class OnSqlite:
    """Each run has a file of its own."""

    folder: Path
    faults: Faults = field(default_factory=Faults)
    name: str = "sqlite"

    def origin(self, run: int) -> str:
        return f"seeded.example/{run}"

    def source(self, run: int) -> Source:
        return File(self.folder / f"{run}.db")

    def kept(self, run: int) -> Kept:
        faults = self.faults

        class Faulty(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                fault = faults.next()
                if fault is Fault.LOST:
                    raise sqlite3.OperationalError("disk I/O error")
                cursor = super().execute(sql, parameters)
                if fault is not None:
                    cursor.close()
                    raise sqlite3.OperationalError("disk I/O error")
                return cursor

        def connect(path: Path) -> sqlite3.Connection:
            return sqlite3.connect(
                path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False, factory=Faulty
            )

        return Sqlite(self.folder / f"{run}.db", connect)


@dataclass
class OnPostgres:
    """All runs share a database, each with a log of its own."""

    cluster: Cluster
    database: str
    faults: Faults = field(default_factory=Faults)
    name: str = "postgresql"

    def origin(self, run: int) -> str:
        return f"seeded.example/{run}"

    def source(self, run: int) -> Source:
        return Database(self.cluster.server(self.database), self.origin(run))

    def kept(self, run: int) -> Kept:
        faults = self.faults

        class Faulty(Bounded):
            def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
                fault = faults.next()
                if fault is Fault.LIED:
                    super().wait(gen, interval, timeout)
                if fault is Fault.TORN:
                    with suppress(StopIteration):
                        gen.send(next(gen))  # writes what the socket takes
                if fault is not None:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("server closed the connection unexpectedly")
                return super().wait(gen, interval, timeout)

        class FaultyServer(Server):
            __slots__ = ()

            def connect(self, *, autocommit: bool = True) -> Bounded:
                db = Server.connect(self, autocommit=autocommit)
                db.__class__ = Faulty
                return db

        server = FaultyServer(f"host={self.cluster.folder} user=postgres dbname={self.database}")
        return Postgres(server, self.cluster.folder / f"{self.database}-{run}.tail")


class ViolationError(AssertionError):
    """Something does not hold."""


@dataclass
class Run:
    """One log, and the model of what has to be in it."""

    world: World
    number: int
    signer: Signer
    seed: str
    written: list[bytes] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)
    open: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - not a secret, but repeatable
        self.store: Store | None = None

    def go(self) -> None:
        """Take the steps and verify. Raises ViolationError."""
        try:
            self._go()
        finally:
            if self.store is not None:
                self.store._kept.release()

    def _go(self) -> None:
        self._start()
        for _ in range(STEPS):
            if self.random.random() < FAULTED:
                self.world.faults.plan(self.random.randrange(6), self.random.choice(list(Fault)))
            self.random.choice((self._append, self._append, self._append, self._checkpoint, self._crash))()
        self.world.faults._fault = None
        self._opened().close()
        report = verify(self.world.source(self.number), Trust(self.signer.verifier))
        if report.problem or (report.size, report.covered) != (len(self.written), len(self.written)):
            raise ViolationError(f"{report} but {len(self.written)} were acknowledged")
        with self.world.source(self.number).reading() as rows:
            if [row[1] for row in rows.rows(0, report.size)] != self.written:
                raise ViolationError("other records than those that were acknowledged")

    def _opened(self) -> Store:
        assert self.store is not None
        return self.store

    def _start(self) -> None:
        """Start until it works; a fault may hit it. A start that is refused for ever is a violation."""
        for _ in range(200):
            with suppress(StartError):
                self.store = Store(self.world.kept(self.number), self.signer)
                return
            time.sleep(0.01)  # the server ends the session of a client that is gone when it notices
        raise ViolationError("no start works any more")

    def _append(self) -> None:
        batch = [self._entry() for _ in range(self.random.choice((1, 1, 2, 5, 30)))]
        try:
            results: list[Result] | None = self._opened().append(batch)
        except OSError:
            results = self._recovered()
        if results is not None:
            self._compare(batch, results)

    def _checkpoint(self) -> None:
        try:
            self._opened().checkpoint()
        except OSError as error:
            if self._recovered() is not None:
                raise ViolationError("a checkpoint made entries durable") from error

    def _crash(self) -> None:
        """The process ends without closing anything in order; another starts."""
        self._opened()._kept.release()
        self._start()

    def _recovered(self) -> list[Result] | None:
        for _ in range(200):
            try:
                return self._opened().recover()
            except OSError:
                time.sleep(0.01)
            except CorruptError as error:
                raise ViolationError(f"recovery says: {error}") from error
        raise ViolationError("it does not recover")

    def _entry(self) -> Entry:
        number = next(self.numbers)
        if self.open and self.random.random() < 0.3:
            decision_id = self.random.choice(self.open)
            return entry(logs.record(Kind.OUTCOME, int(decision_id, 16), after_us=10_000), closes=True)
        if self.random.random() < 0.5:
            key, tenant = f"{self.number}-{self.random.randrange(40)}", self.random.choice(_tenants)
            return entry(logs.record(Kind.INTENT, number, tenant, idempotency_key=key))
        return entry(logs.record(Kind.REFUSAL, number))

    def _compare(self, batch: list[Entry], results: list[Result]) -> None:
        """Every result is what the model expects, in order; then the model has it too."""
        durable = set(self.open)
        for e, result in zip(batch, results, strict=True):
            key = (e.tenant, e.idempotency_key or "")
            expected: Result = len(self.written)
            if e.closes and e.decision_id not in durable:
                expected = Rejection.NOTHING_TO_CLOSE
            elif not e.closes and e.idempotency_key and key in self.used:
                expected = Rejection.DUPLICATE_KEY
            if result != expected:
                raise ViolationError(f"{e.kind} {e.decision_id}: {result}, not {expected}")
            if isinstance(result, Rejection):
                continue
            self.written.append(e.leaf)
            if e.closes:
                self.open.remove(e.decision_id)
                durable.discard(e.decision_id)
            elif e.kind == Kind.INTENT:
                self.used.add(key)
                self.open.append(e.decision_id)


@contextmanager
def worlds(made: Cluster | None = None) -> Iterator[list[World]]:
    """Both stores; made: a PostgreSQL that runs already."""
    with tempfile.TemporaryDirectory() as folder:
        if made is not None:
            yield [OnSqlite(Path(folder)), OnPostgres(made, made.database())]
            return
        with cluster() as fresh:
            yield [OnSqlite(Path(folder)), OnPostgres(fresh, fresh.database())]


def sweep(each: list[World], faults: int, seed: int, tell: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Runs until so many faults were met. Returns figures; raises ViolationError, which says how to repeat it."""
    began, runs = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        logs.signer(Path(folder))
        keys = Path(folder) / "log.key"
        while sum(world.faults.met.total() for world in each) < faults:
            world = each[runs % len(each)]
            run = Run(world, runs, load_signer(keys, world.origin(runs)), f"{seed}/{runs}/{world.name}")
            try:
                run.go()
            except ViolationError as error:
                raise ViolationError(f"{world.name}, seed {seed}, run {runs}: {error}") from error
            runs += 1
            if runs % 100 == 0:
                tell(f"{runs} runs, {sum(w.faults.met.total() for w in each)} faults")
    return {
        "runs": runs,
        "faults": {world.name: dict(world.faults.met) for world in each},
        "violations": 0,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Sweep, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with worlds() as each:
        try:
            figures = sweep(each, given.faults, given.seed, lambda text: sys.stderr.write(f"{text}\n"))
        except ViolationError as error:
            sys.stdout.write(f"VIOLATION {error}\n")
            sys.exit(1)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + os.linesep)


if __name__ == "__main__":
    main()
