"""An index of a log, in a file of its own beside the log. It is derived data: it can be rebuilt from the log.

For each term (filter.terms) and each block of 65,536 records, the index has the set of records with the term. For every
64 records, it has the earliest and latest time. It says where to look, never what a record says. Results are read from
the log, so a wrong index can hide a record from a search but can't invent one. The index proves nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from brightline_verify.merkle import leaf_hash
from brightline_verify.stored import Source
from gateway.audit import bitmap, disk
from gateway.audit.bitmap import WIDTH, Positions
from gateway.audit.filter import Filter
from gateway.audit.reader import Reader

FORMAT: Final = 2
GROUP: Final = 64
_SPANS: Final = WIDTH // GROUP
_NEVER: Final = 1 << 62
_SCHEMA: Final = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), format, origin, size INTEGER, last BLOB);
CREATE TABLE blocks (term TEXT NOT NULL, block INTEGER NOT NULL, records BLOB NOT NULL);
CREATE UNIQUE INDEX blocks_by_term ON blocks (block, term);
CREATE TABLE times (block INTEGER PRIMARY KEY, first_us INTEGER, last_us INTEGER, spans BLOB NOT NULL);
"""


def index_path(log: Path) -> Path:
    """The default path of the index of the log at `log`."""
    return Path(f"{log}.index")


@dataclass(frozen=True, slots=True)
class Held:
    """A log, and the path of its index."""

    source: Source
    index: Path


class StaleError(Exception):
    """There is no index, or it belongs to another log. It has to be rebuilt."""


class Index:
    """An index for lookups. size: how many records of the log it covers."""

    def __init__(self, db: sqlite3.Connection, reader: Reader) -> None:
        """Raises StaleError."""
        self._db = db
        try:
            state = db.execute("SELECT format, origin, size, last FROM state").fetchone()
        except sqlite3.Error as error:
            raise StaleError(str(error)) from error
        if state is None or state[:2] != (FORMAT, reader.origin):
            raise StaleError("it is of another log or format")
        self.size = int(state[2])
        leaf = reader.at(self.size - 1) if self.size else b""
        if leaf is None or (self.size and leaf_hash(leaf) != state[3]):
            raise StaleError("the log is another than when the index was made")

    def newest(self, looked_for: Filter, below: int) -> Iterator[int]:
        """The indexes of records below `below` that may match, newest first. Raises StaleError."""
        terms = looked_for.terms()
        below = min(below, self.size)
        try:
            for block in self._blocks((below - 1) // WIDTH, looked_for):
                mask = bitmap.span(0, min(below - block * WIDTH, WIDTH)) & self._in_time(block, looked_for)
                if not mask:
                    continue
                found = [self._stored(term, block) for term in terms]
                if all(found):
                    yield from (block * WIDTH + position for position in bitmap.both(found, mask))
        except (sqlite3.Error, ValueError, TypeError) as error:  # a blob that no Builder wrote
            raise StaleError(f"the index: {error}; make it again: brightline audit index --rebuild") from error

    def _blocks(self, last: int, looked_for: Filter) -> Iterable[int]:
        """The blocks up to `last` with a time within the filter's period, newest first."""
        if not looked_for.from_us and not looked_for.until_us:
            return range(last, -1, -1)
        query = "SELECT block FROM times WHERE block <= ? AND last_us >= ? AND first_us < ? ORDER BY block DESC"
        until_us = looked_for.until_us or _NEVER
        return [block for (block,) in self._db.execute(query, (last, looked_for.from_us, until_us))]

    def _stored(self, term: str, block: int) -> bytes:
        query = "SELECT records FROM blocks WHERE block = ? AND term = ?"
        row = self._db.execute(query, (block, term)).fetchone()
        return row[0] if row else b""

    def _in_time(self, block: int, looked_for: Filter) -> int:
        """A mask of the records in a block whose group has a time within the filter's period."""
        if not looked_for.from_us and not looked_for.until_us:
            return bitmap.FULL
        row = self._db.execute("SELECT spans FROM times WHERE block = ?", (block,)).fetchone()
        spans = _times(row[0]) if row else array("q")
        until_us = looked_for.until_us or _NEVER
        lows, highs = spans[:_SPANS], spans[_SPANS:]
        if lows and min(lows) >= looked_for.from_us and max(highs) < until_us:
            return bitmap.FULL
        group = bitmap.span(0, GROUP)
        fits = (n for n, low in enumerate(lows) if low < until_us and highs[n] >= looked_for.from_us)
        return sum(group << n * GROUP for n in fits)


class Builder:
    """Takes records in order and writes them into an index file. Only one process at a time can hold one."""

    def __init__(self, path: Path, reader: Reader, *, anew: bool = False) -> None:
        """Continue the index at `path`, or rebuild it if it is not one of this log. Raises OSError, sqlite3.Error.

        BlockingIOError: another process is building this index.
        """
        self._last: bytes | None = None
        with contextlib.ExitStack() as opening:
            self._lock = disk.hold(path.with_name(path.name + ".lock"))
            opening.callback(os.close, self._lock)
            self._db = _begun(path, reader) if anew else _continued(path, reader)
            opening.callback(self._db.close)
            self.size = self._db.execute("SELECT size FROM state").fetchone()[0]
            self._load(self.size // WIDTH)
            opening.pop_all()

    def add(self, index: int, leaf: bytes, words: Iterable[str], time_us: int) -> None:
        """Add the next record."""
        if index // WIDTH != self._block:
            self.flush()
            self._load(index // WIDTH)
        position = index % WIDTH
        for term in words:
            positions = self._terms.get(term)
            if positions is None:
                positions = self._terms[term] = Positions()
            positions.add(position)
            self._touched.add(term)
        group = position // GROUP
        self._spans[group] = min(self._spans[group], time_us)
        self._spans[_SPANS + group] = max(self._spans[_SPANS + group], time_us)
        self.size, self._last = index + 1, leaf

    def flush(self) -> None:
        """Write the records that were added. Raises sqlite3.Error."""
        if self._last is None:
            return
        self._db.execute("BEGIN IMMEDIATE")
        rows = [(term, self._block, self._terms[term].stored()) for term in self._touched]
        self._db.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", rows)
        spans = array("q", self._spans)
        ends = min(spans[:_SPANS]), max(spans[_SPANS:])
        self._db.execute("INSERT OR REPLACE INTO times VALUES (?, ?, ?, ?)", (self._block, *ends, _stored(spans)))
        self._db.execute("UPDATE state SET size = ?, last = ?", (self.size, leaf_hash(self._last)))
        # Crash before this commit: the index is unchanged, and the same records are added again next time.
        self._db.execute("COMMIT")
        self._touched.clear()
        self._last = None

    def close(self) -> None:
        """Close the file. Records that were not flushed are added again next time."""
        self._db.close()
        os.close(self._lock)

    def _load(self, block: int) -> None:
        """Load a block to continue it."""
        rows = self._db.execute("SELECT term, records FROM blocks WHERE block = ?", (block,))
        self._block = block
        self._terms = {str(term): Positions(records) for term, records in rows}
        self._touched: set[str] = set()
        row = self._db.execute("SELECT spans FROM times WHERE block = ?", (block,)).fetchone()
        self._spans = _times(row[0]) if row else array("q", [_NEVER] * _SPANS + [-1] * _SPANS)


@contextmanager
def opened(path: Path, reader: Reader) -> Iterator[Index]:
    """The index at `path`, of the log that `reader` reads. Raises StaleError."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StaleError(f"{path}: {error}") from error
    with contextlib.closing(db):
        yield Index(db, reader)


def _continued(path: Path, reader: Reader) -> sqlite3.Connection:
    """The index at `path`, or an empty one if that does not belong to this log."""
    try:
        with opened(path, reader):
            return _connect(path)
    except StaleError:
        return _begun(path, reader)


def _begun(path: Path, reader: Reader) -> sqlite3.Connection:
    """An empty index in place of whatever is there."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = _connect(path)
    # Crash before the last statement: a file without a state, which counts as no index, so the next start rebuilds it.
    for statement in _SCHEMA.strip().split(";\n"):
        db.execute(statement)
    db.execute("INSERT INTO state VALUES (1, ?, ?, 0, NULL)", (FORMAT, reader.origin))
    return db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # after a crash, consistent but perhaps older
    return db


def _times(stored: bytes) -> array[int]:
    found = array("q", stored)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _stored(found: array[int]) -> bytes:
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()
