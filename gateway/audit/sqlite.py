"""The log in a SQLite file: WAL mode, synchronous=FULL. A lock on a file beside it admits one writer."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from brightline_verify.blocks import WIDTH, blocks_at
from brightline_verify.database import Table, checkpoint_path
from brightline_verify.stored import FORMAT, CorruptError, Rows, completed
from gateway.audit import disk
from gateway.audit.kept import Key, Open, Place, Row, TakenError
from gateway.audit.marks import Tail, tail_path

LOCK_WAIT_S = 0.1
_FILLED: Final = 64 * WIDTH
"""Records whose blocks are filled in per transaction."""

_INDEX: Final = "CREATE INDEX IF NOT EXISTS entries_of_releases ON entries (idx) WHERE kind IN ('start', 'release')"
"""Finds the few starts and releases among all records. SQLite uses it only for queries with exactly this condition."""
_SCHEMA: Final = """
CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, origin TEXT NOT NULL);
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, hashes BLOB NOT NULL,
  decision_id TEXT NOT NULL, kind TEXT NOT NULL, time_us INTEGER NOT NULL, tenant TEXT NOT NULL, idempotency_key TEXT,
  mark BLOB, blocks BLOB
);
CREATE INDEX entries_by_decision ON entries (decision_id, kind);
CREATE UNIQUE INDEX entries_by_key ON entries (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL, open_from INTEGER);
"""
_COLUMNS: Final = 10
_ADDED: Final = (("entries", "mark", "BLOB"), ("entries", "blocks", "BLOB"), ("checkpoints", "open_from", "INTEGER"))
"""Columns that a log of an earlier version lacks."""
_HAS: Final = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"
_USED: Final = "SELECT tenant, idempotency_key FROM entries WHERE tenant = ? AND idempotency_key = ?"
_RELEASES: Final = "SELECT leaf FROM entries WHERE kind IN ('start', 'release') ORDER BY idx DESC"
_OPEN: Final = """
SELECT idx, decision_id, tenant FROM entries i
WHERE kind = 'intent' AND NOT EXISTS (
  SELECT 1 FROM entries o WHERE o.decision_id = i.decision_id AND o.kind = 'outcome'
) AND idx >= coalesce(
  (SELECT open_from FROM checkpoints ORDER BY size DESC LIMIT 1),
  (SELECT idx FROM entries WHERE kind IN ('start', 'release') AND kind = 'start' ORDER BY idx DESC LIMIT 1),
  0
) ORDER BY idx
"""

Connect: TypeAlias = Callable[[Path], sqlite3.Connection]


class SqliteError(OSError):
    """SQLite failed. It is unknown what it did."""


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection. If another process locks the database, statements fail after LOCK_WAIT_S."""
    return sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)


class Sqlite:
    """The log in the file at `path`, for its only writer. See kept.Kept."""

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path
        self._connect = connect
        self._lock: int | None = None
        self._db: sqlite3.Connection | None = None
        self.places: Sequence[Place] = (disk.Whole(checkpoint_path(path)),)
        self.tail = Tail(tail_path(path))

    def __str__(self) -> str:
        return f"audit.path: {self._path}"

    @property
    def rows(self) -> Rows:
        """The rows, for reading."""
        return Table(self._open_db)

    def open(self, origin: str) -> None:
        """Open or create the log. Raises StartError if another process writes it, OSError, CorruptError."""
        self._lock = disk.lock(self._path.with_name(self._path.name + ".lock"))
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with _told():
            self._db = self._opened()
            self._initialise(self._db, origin)

    def reopen(self) -> None:
        """Reopen after an error. First the write-ahead log is copied into the database and synced: after a failed
        fsync, the file system's cache may show data that never reached the disk. Raises OSError.
        """
        with contextlib.suppress(sqlite3.Error):
            self._open_db.close()
        with _told():
            self._db = self._opened()
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise SqliteError("the database is in use")

    def insert(self, rows: Sequence[Row]) -> None:
        """One statement, so one step: each step of SQLite releases the interpreter's lock and must reacquire it."""
        padded = 1 << (len(rows) - 1).bit_length()
        values = [*chain.from_iterable(rows), *[None] * ((padded - len(rows)) * _COLUMNS)]
        try:
            self._open_db.execute(_insert(padded), values)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise TakenError from error
            raise SqliteError(str(error)) from error
        except sqlite3.Error as error:
            raise SqliteError(str(error)) from error

    def used(self, keys: Iterable[Key]) -> set[Key]:
        """Those of the keys that an entry has. Raises OSError."""
        with _told():
            return {found for key in keys for found in self._open_db.execute(_USED, key)}

    def sign(self, size: int, note: bytes, open_from: int) -> None:
        """Write a checkpoint durably, unless there is one of this size. Raises OSError."""
        with _told():
            self._open_db.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, ?)", (size, note, open_from))

    def open_intents(self) -> list[Open]:
        """Every intent without an outcome, in order. Raises OSError."""
        with _told():
            return self._open_db.execute(_OPEN).fetchall()

    def releases(self) -> Iterator[bytes]:
        """The records of starts and of releases, the latest first. Raises OSError."""
        with _told():
            for (leaf,) in self._open_db.execute(_RELEASES):
                yield leaf

    def fill(self, progress: Callable[[int, int], None] = lambda _done, _size: None) -> int:
        """Fill in the blocks of records that an earlier version wrote. Returns how many records got some. Raises
        OSError, CorruptError.
        """
        rows, filled = self.rows, 0
        _, size = rows.ends()
        for first in range(WIDTH - 1, size, _FILLED):
            ends = range(first, min(first + _FILLED, size), WIDTH)
            kept = rows.blocks(ends)
            new = [(b"".join(blocks_at(n, partial(completed, rows))), n) for n in ends if kept.get(n) is None]
            with _told():
                # Crash before this commit: blocks up to here. The rest is proved from single nodes meanwhile.
                self._open_db.execute("BEGIN IMMEDIATE")
                self._open_db.executemany("UPDATE entries SET blocks = ? WHERE idx = ?", new)
                self._open_db.execute("COMMIT")
            filled += len(new)
            progress(ends[-1], size)
        return filled

    def release(self) -> None:
        """Close the log. Raises nothing."""
        self.tail.close()
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            raise SqliteError("the database is not open")
        return self._db

    def _opened(self) -> sqlite3.Connection:
        db = self._connect(self._path)
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            db.execute("PRAGMA synchronous = FULL")
        except BaseException:
            db.close()
            raise
        if mode != "wal":
            db.close()
            raise SqliteError(f"no write-ahead log here, but {mode}")
        return db

    @staticmethod
    def _initialise(db: sqlite3.Connection, origin: str) -> None:
        if not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            # Crash before this commit: an empty file. The next start finds nothing in it and begins again.
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement)
            db.execute("INSERT INTO log VALUES (1, ?, ?)", (FORMAT, origin))
            db.execute("COMMIT")
        written = db.execute("SELECT format, origin FROM log").fetchall()
        if written != [(FORMAT, origin)]:
            raise CorruptError(f"is not a log of format {FORMAT} and origin {origin}: {written}")
        for table, column, kind in _ADDED:
            if not db.execute(_HAS, (table, column)).fetchone():
                # A log of an earlier version. Crash before this: the next start is here again.
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        db.execute(_INDEX)  # for an earlier version's log, which is read once for it


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Convert SQLite's errors to SqliteError."""
    try:
        yield
    except sqlite3.Error as error:
        raise SqliteError(str(error)) from error


@cache
def _insert(rows: int) -> str:
    """The statement for `rows` rows, a power of two so that few are compiled. Rows of NULLs are padding."""
    row = f"({','.join('?' * _COLUMNS)})"
    return f"INSERT INTO entries SELECT * FROM (VALUES {','.join([row] * rows)}) WHERE column1 IS NOT NULL"  # noqa: S608 - no text of a caller
