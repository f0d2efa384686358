"""Makes mutations of a log in both stores, and looks whether the verifier finds each.

The latest checkpoint is kept outside of the database, beside the file or in a lock store. Each mutation is made in a
transaction, verified there, and rolled back. `python -m tests.faults.mutated --mutations 5000` tries as many on each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar, Final, Protocol

import psycopg
from hypothesis import HealthCheck, Phase, given, seed, settings

from brightline_verify import database
from brightline_verify.blocks import WIDTH
from brightline_verify.note import Verifier
from brightline_verify.record import Kind
from brightline_verify.report import Report
from brightline_verify.stored import Rows, Source, verify
from brightline_verify.whole import Trust
from gateway.audit.kept import Kept, Place
from gateway.audit.lock_store import Folder
from gateway.audit.postgres import reading as postgres
from gateway.audit.postgres.connection import Bounded, Server
from gateway.audit.postgres.writing import Postgres
from gateway.audit.record import Entry, entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from tests.faults.mutations import EVERY, FORKED, MUTATIONS, SIZE, Content, Made, Mutation, as_bytes
from tests.support import logs
from tests.support.postgres import Cluster, cluster

VACUUM_AFTER: Final = 500
LONG: Final = 600
"""Records of a log with blocks of nodes: two are complete."""
_ENTRY: Final = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
_ENTRY_THERE: Final = b"INSERT INTO brightline.entries VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL)"
_NOTE_THERE: Final = b"INSERT INTO brightline.checkpoints VALUES (%s, %s, %s, NULL)"


@dataclass(frozen=True)
class InHand:
    """A log as one connection sees it, with what that changed and did not commit. published: the latest checkpoint."""

    rows: Rows
    note: bytes
    at_once: ClassVar[int] = 1000
    beside: ClassVar[str] = "the checkpoint outside"

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        yield self.rows

    def begun(self) -> bool:
        return True

    def published(self) -> bytes:
        return self.note


class Held(Protocol):
    """A store with the log in it."""

    name: str

    def content(self) -> Content:
        """What is stored."""

    def changed(self, now: Content, before: Content) -> bool:
        """Begin to make the one of the other. Returns whether the database takes it."""

    def spoil(self, index: int, blocks: bytes) -> None:
        """Begin to keep other blocks beside a record."""

    def source(self) -> Source:
        """The log as it is changed."""

    def undo(self) -> None:
        """All as it was."""


@dataclass
class InSqlite:
    """The log in a file."""

    db: sqlite3.Connection
    note: bytes
    name: str = "sqlite"

    def content(self) -> Content:
        return _content(database.Table(self.db))

    def changed(self, now: Content, before: Content) -> bool:
        gone, new = _difference(now, before)
        self.db.execute("BEGIN")
        try:
            self.db.executemany("DELETE FROM entries WHERE idx = ?", [(row[0],) for row in gone.rows])
            self.db.executemany("DELETE FROM checkpoints WHERE size = ?", [(size,) for size, _ in gone.notes])
            self.db.executemany(_ENTRY, new.rows)
            self.db.executemany("INSERT INTO checkpoints VALUES (?, ?, NULL)", new.notes)
        except sqlite3.IntegrityError:
            return False
        return True

    def spoil(self, index: int, blocks: bytes) -> None:
        self.db.execute("BEGIN")
        self.db.execute("UPDATE entries SET blocks = ? WHERE idx = ?", (blocks, index))

    def source(self) -> Source:
        return InHand(database.Table(self.db), self.note)

    def undo(self) -> None:
        self.db.execute("ROLLBACK")


@dataclass
class InPostgres:
    """The log in a database, changed by who may do everything there."""

    db: Bounded
    log: int
    note: bytes
    name: str = "postgresql"
    undone: int = 0

    def content(self) -> Content:
        return _content(postgres.Table(self.db, self.log))

    def changed(self, now: Content, before: Content) -> bool:
        gone, new = _difference(now, before)
        entries, notes = [[row[0] for row in gone.rows]], [[size for size, _ in gone.notes]]
        self.db.execute("BEGIN")
        try:
            self.db.execute("DELETE FROM brightline.entries WHERE idx = ANY(%s::int8[])", entries)
            self.db.execute("DELETE FROM brightline.checkpoints WHERE size = ANY(%s::int8[])", notes)
            for row in new.rows:
                self.db.execute(_ENTRY_THERE, (self.log, *row), prepare=True)
            for note in new.notes:
                self.db.execute(_NOTE_THERE, (self.log, *note), prepare=True)
        except psycopg.IntegrityError:
            return False
        return True

    def spoil(self, index: int, blocks: bytes) -> None:
        self.db.execute("BEGIN")
        query = b"UPDATE brightline.entries SET blocks = %b WHERE log = %s AND idx = %s"
        self.db.execute(query, (blocks, self.log, index))

    def source(self) -> Source:
        return InHand(postgres.Table(self.db, self.log), self.note)

    def undo(self) -> None:
        self.db.execute("ROLLBACK")
        self.undone += 1
        if self.undone % VACUUM_AFTER == 0:
            self.db.execute("VACUUM brightline.entries")


# --- the sweep --------------------------------------------------------------------------------------------------------


class MissedError(AssertionError):
    """A mutation was not found, or something else than what was changed is named."""


@dataclass
class Sweep:
    """Tries mutations on every store. found: how many on each, by what was done first; refused: that the database does
    not take; added: that only put sound records after the last checkpoint, which the report tells as under none.
    """

    made: Made
    stores: list[Held]
    trust: Trust
    found: dict[str, Counter[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    added: int = 0

    def look(self, mutation: Mutation) -> None:
        """Make the mutation on each store, verify, and undo it. Raises MissedError."""
        now = mutation.of(self.made)
        for store in self.stores:
            taken = store.changed(now, self.made.log)
            try:
                if not taken:
                    self.refused[store.name] += 1
                    continue
                report = verify(store.source(), self.trust)
            finally:
                store.undo()
            self._judge(store.name, mutation, now, report)

    def _judge(self, name: str, mutation: Mutation, now: Content, report: Report) -> None:
        log, problem = self.made.log, report.problem
        added = (now.rows[:SIZE], now.notes) == (log.rows, log.notes)
        if problem is None and added and report.covered == SIZE:
            self.added += len(now.rows) > SIZE  # a sound record after the last checkpoint: told as under none
            return
        if problem is None or now == log:
            raise MissedError(f"{name}: {mutation}: {problem or 'nothing is found'}")
        shorter = min(len(now.rows), SIZE)
        same = next((n for n in range(shorter) if now.rows[n] != log.rows[n]), shorter)
        if now.notes == log.notes and problem.index is not None and problem.index < same:
            raise MissedError(f"{name}: {mutation}: record {same} was changed, and {problem} is named")
        how = mutation.changes[0].__name__ + (", mended" if mutation.mend else "")
        self.found.setdefault(name, Counter())[how] += 1

    def look_at_blocks(self, dice: Random, times: int) -> None:
        """Keep another block beside a record of each store, so many times: the verifier names it. Raises MissedError.

        The stores have a log of LONG records for this.
        """
        for _ in range(times):
            index = dice.choice(range(WIDTH - 1, LONG, WIDTH))
            for store in self.stores:
                with store.source().reading() as rows:
                    block = as_bytes(rows.blocks([index])[index])
                at = dice.randrange(1, len(block))
                cut, flipped = block[:at], block[:at] + bytes([block[at] ^ dice.randrange(1, 256)]) + block[at + 1 :]
                store.spoil(index, dice.choice((cut, flipped, flipped, block + cut)))
                try:
                    problem = verify(store.source(), self.trust).problem
                finally:
                    store.undo()
                if problem is None or problem.index != index:
                    raise MissedError(f"{store.name}: the block beside record {index}: {problem or 'nothing is found'}")
                self.found.setdefault(store.name, Counter())["blocks"] += 1


@contextmanager
def long(folder: Path, running: Cluster) -> Iterator[Sweep]:
    """A log with blocks in both stores."""
    records, locks = logs.entries(LONG), folder / "locks"
    verifier, note, log = _filled(folder / "log", records, every=LONG // 4)
    server = running.server(running.database())
    locks.mkdir()
    _write(Postgres(server, folder / "tail"), folder / "log", records, Folder(locks, logs.ORIGIN), every=LONG // 4)
    with _held(folder / "log", server, note) as stores:
        yield Sweep(Made(log, log, log), stores, Trust(verifier))


@contextmanager
def swept(folder: Path, running: Cluster) -> Iterator[Sweep]:
    """The log in both stores."""
    verifier, note, log = _filled(folder / "log", _records(0))
    fork = _continued(folder / "log", folder / "fork")
    _, _, stranger = _filled(folder / "stranger", _records(500), "log.example/stranger")
    server = running.server(running.database())
    locks = folder / "locks"
    locks.mkdir()
    _write(Postgres(server, folder / "tail"), folder / "log", _records(0), Folder(locks, logs.ORIGIN))
    with _held(folder / "log", server, note) as stores:
        assert Folder(locks, logs.ORIGIN).read() == note
        assert [store.content() for store in stores] == [log, log]
        yield Sweep(Made(log, fork, stranger), stores, Trust(verifier))


@contextmanager
def _held(folder: Path, server: Server, note: bytes) -> Iterator[list[Held]]:
    with (
        closing(sqlite3.connect(folder / "audit.db", isolation_level=None)) as file,
        closing(server.connect()) as db,
    ):
        db.execute("SET session_replication_role = replica")  # triggers don't fire
        yield [InSqlite(file, note), InPostgres(db, postgres.log_id(db, logs.ORIGIN) or 0, note)]


def _records(first: int) -> list[Entry]:
    """The records of a gateway: a start, calls with an intent and an outcome, refusals."""
    made = [entry(logs.record(Kind.START, first))]
    for n in range(first + 1, first + SIZE, 3):
        made += [
            entry(logs.record(Kind.INTENT, n, idempotency_key=f"key-{n}")),
            entry(logs.record(Kind.OUTCOME, n, after_us=1)),
            entry(logs.record(Kind.REFUSAL, n + 2)),
        ]
    return made[:SIZE]


def _filled(
    folder: Path, records: list[Entry], origin: str = logs.ORIGIN, *, every: int = EVERY
) -> tuple[Verifier, bytes, Content]:
    """A closed log in a file: its key, its latest checkpoint, and what it says."""
    folder.mkdir()
    _write(Sqlite(folder / "audit.db"), folder, records, origin=origin, every=every)
    with closing(sqlite3.connect(folder / "audit.db")) as db:
        content = _content(database.Table(db))
    note = database.checkpoint_path(folder / "audit.db").read_bytes()
    return Verifier.parse((folder / "log.key.pub").read_text()), note, content


def _continued(log: Path, folder: Path) -> Content:
    """The log as its own key would have written it from FORKED records on."""
    folder.mkdir()
    for key in log.glob("*.key*"):
        shutil.copy(key, folder)
    _write(Sqlite(folder / "audit.db"), folder, _records(0)[:FORKED] + _records(900)[FORKED:])
    with closing(sqlite3.connect(folder / "audit.db")) as db:
        return _content(database.Table(db))


def _write(
    kept: Kept,
    folder: Path,
    records: list[Entry],
    lock_store: Place | None = None,
    *,
    origin: str = logs.ORIGIN,
    every: int = EVERY,
) -> None:
    signer = logs.load_signer(logs.settings(folder, origin=origin).signing_key, origin)
    with closing(Store(kept, signer, lock_store=lock_store)) as store:
        for start in range(0, len(records), every):
            store.append(records[start : start + every])
            store.checkpoint()


def _content(rows: Rows) -> Content:
    return Content(tuple(rows.rows(0, 1000)), tuple((size, as_bytes(note)) for size, note in rows.notes(0, 1000)))


def _difference(now: Content, before: Content) -> tuple[Content, Content]:
    """What has to go, and what has to come."""
    gone = Content(
        tuple(row for row in before.rows if row not in now.rows),
        tuple(note for note in before.notes if note not in now.notes),
    )
    new = Content(
        tuple(row for row in now.rows if row not in before.rows),
        tuple(note for note in now.notes if note not in before.notes),
    )
    return gone, new


def main() -> None:
    """Sweep, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=5000, help="on each store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    began = time.monotonic()
    unhurried = partial(settings, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
    with tempfile.TemporaryDirectory() as folder, cluster() as running, swept(Path(folder), running) as sweep:
        look = unhurried(max_examples=100, suppress_health_check=list(HealthCheck))(given(MUTATIONS)(sweep.look))
        number = asked.seed
        while min(sweep.found.get(store.name, Counter()).total() for store in sweep.stores) < asked.mutations:
            try:
                seed(number)(look)()
            except MissedError as error:
                sys.stdout.write(f"MISSED {error}\n")
                sys.exit(1)
            number += 1
            sys.stderr.write(f"{min(c.total() for c in sweep.found.values())} of {asked.mutations} mutations found\n")
        (Path(folder) / "long").mkdir()
        with long(Path(folder) / "long", running) as blocks:
            try:
                blocks.look_at_blocks(Random(asked.seed), -(-asked.mutations // 50))  # noqa: S311 - repeatable
            except MissedError as error:
                sys.stdout.write(f"MISSED {error}\n")
                sys.exit(1)
        for name, found in blocks.found.items():
            sweep.found[name].update(found)
    figures = {
        "found": {name: dict(sorted(found.items())) for name, found in sweep.found.items()},
        "in_all": {name: found.total() for name, found in sweep.found.items()},
        "refused_by_the_database": dict(sweep.refused),
        "only_added_after_the_last_checkpoint": sweep.added,
        "missed": 0,
        "seconds": round(time.monotonic() - began, 1),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + os.linesep)


if __name__ == "__main__":
    main()
