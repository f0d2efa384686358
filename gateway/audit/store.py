"""The log on disk: SQLite in WAL mode with synchronous=FULL. Synchronous code, used by one thread at a time.

A batch is one INSERT statement, so one transaction and one fsync. An entry carries the hashes that it completed in the
tree, so the tree can never be ahead of or behind its entries. Only this module writes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from brightline_verify.database import FORMAT, CorruptError, checkpoint_path, nodes_of
from brightline_verify.merkle import Frontier, frontier_at
from brightline_verify.note import Checkpoint, NoteError, Signer, open_checkpoint
from brightline_verify.record import Kind
from gateway.audit import disk
from gateway.audit.record import Entry
from gateway.errors import StartError

MAX_BATCH = 256
LOCK_WAIT_S = 0.1

_SCHEMA: Final = """
CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, origin TEXT NOT NULL);
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL,
  decision_id TEXT NOT NULL, kind TEXT NOT NULL, time_us INTEGER NOT NULL, tenant TEXT NOT NULL, idempotency_key TEXT
);
CREATE INDEX entries_by_decision ON entries (decision_id, kind);
CREATE UNIQUE INDEX entries_by_key ON entries (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
"""
_COLUMNS: Final = 8

Connect: TypeAlias = Callable[[Path], sqlite3.Connection]


class Rejection(Enum):
    """Why an entry was not written although the store works."""

    DUPLICATE_KEY = "the tenant used this idempotency key before"
    NOTHING_TO_CLOSE = "no open intent of this decision id"


class Place(Protocol):
    """A place that keeps the latest checkpoint: the file beside the log, or a lock store."""

    def read(self) -> bytes | None:
        """The note, None when there never was one. Raises OSError."""

    def write(self, note: bytes) -> None:
        """Put the note there, durably, in the place of an older one. Raises OSError."""


Result: TypeAlias = int | Rejection
"""The index of an entry in the log, or why it has none."""


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection. A database that somebody else locks fails instead of stalling."""
    return sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)


class Store:
    """The one writer of a log. `frontier` is the tree of everything that is known to be durable."""

    def __init__(
        self, path: Path, signer: Signer, connect: Connect = connect, *, lock_store: Place | None = None
    ) -> None:
        """Open the log and check its tail, or create it. Raises StartError.

        1 nobody else writes it  2 it is a log of this format and origin  3 its last checkpoint is signed by this key
        and fits the entries below  4 every entry above hashes to what is stored  5 it is not behind the checkpoint file
        6 nor behind the lock store
        """
        self._path = path
        self._signer = signer
        self._connect = connect
        self._lock_store = lock_store
        self._places = [disk.Whole(checkpoint_path(path)), *([lock_store] if lock_store else [])]
        self._in_doubt: tuple[Frontier, list[Result]] | None = None
        self._lock = disk.lock(path.with_name(path.name + ".lock"))  # 1
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            os.close(self._lock)
            raise StartError(f"audit.path: {path}: cannot be opened: {error}") from error
        try:
            self._initialise()  # 2
            self.frontier = self._tail()  # 3, 4
            self._compare()  # 5, 6
        except (OSError, sqlite3.Error, CorruptError, NoteError) as error:
            self._release()
            raise StartError(f"audit.path: {path}: {error}") from error

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write at most MAX_BATCH entries, all or none. Any exception means that the result is unknown: see recover."""
        after = self.frontier.copy()
        keys: set[tuple[str, str]] = set()
        results: list[Result] = []
        values: list[object] = []
        for e in entries:
            rejection = self._rejection(e, keys)
            results.append(rejection or after.size)
            if rejection is None:
                row = (e.decision_id, e.kind, e.time_us, e.tenant, e.idempotency_key)
                values += (after.size, e.leaf, after.append(e.leaf), *row)
        if values:
            self._in_doubt = after, results
            # Crash before this commit: none of these records, and nothing was forwarded or answered for them. Crash
            # after it: intents without an outcome, which the next start marks outcome_unknown.
            self._insert(values)
            self.frontier, self._in_doubt = after, None
        return results

    def recover(self) -> list[Result] | None:
        """After an error: reopen and read back. Returns the results of the batch in doubt, None when it is not durable.

        The write-ahead log is copied into the database and synced first: after a failed fsync the file system's cache
        may show what the disk never got. Raises sqlite3.Error or OSError while the trouble lasts, and CorruptError.
        """
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._db = self._open()
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise sqlite3.OperationalError("the database is in use")
        if frontier_at(self.frontier.size, nodes_of(self._db)) != self.frontier:
            raise CorruptError("entries that were durable have changed")
        durable = self._replay(self.frontier)
        results = None
        if durable != self.frontier:
            if self._in_doubt is None or durable != self._in_doubt[0]:
                raise CorruptError("the log holds entries that nobody wrote")
            results = self._in_doubt[1]
        self.frontier, self._in_doubt = durable, None
        return results

    @property
    def unsigned(self) -> int:
        """How many entries no checkpoint covers yet."""
        return self.frontier.size - self._signed_size

    def checkpoint(self) -> None:
        """Sign the tree as it is, unless that was done. Raises sqlite3.Error, OSError, CorruptError."""
        if not self.unsigned:
            return
        note = self._sign()
        if self._lock_store is not None:
            kept = self._lock_store.read()
            if kept is None:
                raise FileNotFoundError(errno.ENOENT, f"{self._lock_store} has lost its checkpoint")
            self._fits(kept, self._lock_store)  # no other log of this origin wrote there
        # Crash before this commit: the entries are durable, and the next start checks them without a checkpoint.
        self._db.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?)", (self.frontier.size, note))
        for place in self._places:
            # Crash before it is there: this place is behind the log, which is no sign of a rollback.
            place.write(note)
        self._signed_size = self.frontier.size

    def close(self) -> None:
        """Sign what is there and release the log. Raises as checkpoint does; the log is released all the same."""
        try:
            if self._in_doubt is None:
                self.checkpoint()
        finally:
            self._release()

    def last_time_us(self) -> int:
        """The time of the last record, 0 when there is none."""
        row = self._db.execute("SELECT time_us FROM entries ORDER BY idx DESC LIMIT 1").fetchone()
        return int(row[0]) if row else 0

    def orphans(self) -> list[tuple[str, str]]:
        """Decision id and tenant of every intent without an outcome; each start sees to those before it."""
        since = "(SELECT coalesce(max(idx), 0) FROM entries WHERE kind = ?)"
        closed = "SELECT 1 FROM entries o WHERE o.decision_id = i.decision_id AND o.kind = ?"
        query = f"SELECT decision_id, tenant FROM entries i WHERE idx >= {since} AND kind = ? AND NOT EXISTS ({closed})"  # noqa: S608 - constants
        return self._db.execute(query, (Kind.START, Kind.INTENT, Kind.OUTCOME)).fetchall()

    def _open(self) -> sqlite3.Connection:
        db = self._connect(self._path)
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            db.execute("PRAGMA synchronous = FULL")
        except BaseException:
            db.close()
            raise
        if mode != "wal":
            db.close()
            raise sqlite3.OperationalError(f"no write-ahead log here, but {mode}")
        return db

    def _initialise(self) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            # Crash before this commit: an empty file, in which the next start finds nothing and begins again.
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.strip().split(";\n"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO log VALUES (1, ?, ?)", (FORMAT, self._signer.verifier.name))
            self._db.execute("COMMIT")
        written = self._db.execute("SELECT format, origin FROM log").fetchall()
        if written != [(FORMAT, self._signer.verifier.name)]:
            raise CorruptError(f"is not a log of format {FORMAT} and origin {self._signer.verifier.name}: {written}")

    def _tail(self) -> Frontier:
        last = self._db.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        self._signed_size = last[0] if last else 0
        frontier = frontier_at(self._signed_size, nodes_of(self._db))
        if last:
            signed = open_checkpoint(last[1], self._signer.verifier)
            if (signed.size, signed.root) != (frontier.size, frontier.root()):
                raise CorruptError(f"the entries do not have the root of the checkpoint of size {last[0]}")
        return self._replay(frontier)

    def _replay(self, frontier: Frontier) -> Frontier:
        """The tree with every entry above `frontier`. Raises CorruptError where leaf, hashes or order do not fit."""
        frontier = frontier.copy()
        rows = self._db.execute("SELECT idx, leaf, hashes FROM entries WHERE idx >= ? ORDER BY idx", (frontier.size,))
        for index, leaf, hashes in rows:
            if index != frontier.size or not isinstance(leaf, bytes) or frontier.append(leaf) != hashes:
                raise CorruptError(f"entry {index} is not what was written; run: brightline audit verify")
        return frontier

    def _compare(self) -> None:
        for place in self._places:
            note = place.read()
            if note is None and self.frontier.size:
                hint = "; run: brightline audit lock" if place is self._lock_store else ""
                raise CorruptError(f"{place} is missing: without it a log that lost its tail looks whole{hint}")
            if note is None:
                note = self._sign()  # crash before it is there: an empty log, and the next start is here again
            else:
                self._fits(note, place)
            place.write(note)  # maybe the same again: whoever can't write it is told now, before anybody is served

    def _fits(self, note: bytes, place: Place) -> None:
        """Raises CorruptError unless the log goes on from this checkpoint of it."""
        try:
            signed = open_checkpoint(note, self._signer.verifier)
        except NoteError as error:
            raise CorruptError(f"{place}: {error}") from error
        if signed.size > self.frontier.size:
            raise CorruptError(f"the log has {self.frontier.size} entries, but {place} was signed over {signed.size}")
        if frontier_at(signed.size, nodes_of(self._db)).root() != signed.root:
            raise CorruptError(f"the entries do not have the root of {place}")

    def _rejection(self, e: Entry, keys: set[tuple[str, str]]) -> Rejection | None:
        if e.closes:
            query = "SELECT kind FROM entries WHERE decision_id = ? AND kind IN (?, ?)"
            found = self._db.execute(query, (e.decision_id, Kind.INTENT, Kind.OUTCOME)).fetchall()
            return None if found == [(Kind.INTENT,)] else Rejection.NOTHING_TO_CLOSE
        if e.idempotency_key is not None:
            key = (e.tenant, e.idempotency_key)
            query = "SELECT 1 FROM entries WHERE tenant = ? AND idempotency_key = ?"
            if key in keys or self._db.execute(query, key).fetchone():
                return Rejection.DUPLICATE_KEY
            keys.add(key)
        return None

    def _insert(self, values: list[object]) -> None:
        """One statement, so one step: each step of SQLite gives up the interpreter's lock and has to win it back."""
        rows = len(values) // _COLUMNS
        padded = 1 << (rows - 1).bit_length()
        self._db.execute(_insert(padded), values + [None] * ((padded - rows) * _COLUMNS))

    def _sign(self) -> bytes:
        origin = self._signer.verifier.name
        return self._signer.sign(Checkpoint(origin, self.frontier.size, self.frontier.root()).text())

    def _release(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)


@cache
def _insert(rows: int) -> str:
    """The statement for `rows` rows, a power of two so that few are compiled; a row of NULLs is padding."""
    row = f"({','.join('?' * _COLUMNS)})"
    return f"INSERT INTO entries SELECT * FROM (VALUES {','.join([row] * rows)}) WHERE column1 IS NOT NULL"  # noqa: S608 - no text of a caller
