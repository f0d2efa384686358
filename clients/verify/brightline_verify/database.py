"""Reads a log in a SQLite file, with the checkpoint file beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from brightline_verify import stored
from brightline_verify.report import Report, UnreadableError, printable
from brightline_verify.stored import Progress, Row
from brightline_verify.whole import Trust

_ROW: Final = "SELECT idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key FROM entries"
_ENDS: Final = """
SELECT coalesce((SELECT min(idx) FROM entries), 0), coalesce((SELECT max(idx) FROM entries) + 1, 0)
"""
"""Two queries: SQLite looks up either end by itself, but scans the table for both together."""
_TABLES: Final = {"log", "entries", "checkpoints"}
_KEPT: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
"""Tables with rows of their own. A view or a virtual table could return other rows each time."""
_AT_ONCE: Final = 1024
_NO_BLOCKS: Final = "no such column: blocks"
_LARGEST: Final = (1 << 63) - 1


def checkpoint_path(path: Path) -> Path:
    """The path of the latest checkpoint of the log at `path`, outside the database."""
    return path.with_name(path.name + ".checkpoint")


def verify(path: Path, trust: Trust, *, processes: int = 1, progress: Progress = lambda _done, _size: None) -> Report:
    """Check the whole log at `path`. Raises UnreadableError; all other faults are in the report."""
    return stored.verify(File(path), trust, processes=processes, progress=progress)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to the log at `path`. Raises UnreadableError if there is none."""
    if not path.is_file():
        raise UnreadableError(f"{path}: there is no log here")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise UnreadableError(f"{path}: can't be opened: {printable(str(error))}") from error
    with closing(db):
        try:
            db.execute("SELECT format, origin FROM log").fetchall()
            kept = {name for (name,) in db.execute(_KEPT)}
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: is not a log that can be read: {printable(str(error))}") from error
        if not kept >= _TABLES:
            raise UnreadableError(
                f"{path}: is not a log that can be read: no table {', '.join(sorted(_TABLES - kept))}"
            )
        yield db


@dataclass(frozen=True, slots=True)
class File:
    """The log in the file at `path`."""

    path: Path
    at_once: ClassVar[int] = _AT_ONCE

    @contextmanager
    def reading(self) -> Iterator[Table]:
        """Open the log. Raises UnreadableError if there is none."""
        with reading(self.path) as db:
            yield Table(db)

    def begun(self) -> bool:
        """Whether the file exists."""
        return self.path.exists()

    def published(self) -> bytes | None:
        """The content of the checkpoint file, or None if there is none. Raises OSError."""
        try:
            return checkpoint_path(self.path).read_bytes()
        except FileNotFoundError:
            return None

    @property
    def beside(self) -> str:
        """The place of the checkpoint file."""
        return str(checkpoint_path(self.path))

    def __str__(self) -> str:
        return str(self.path)


class Table:
    """The rows of a log, through one connection. Every method raises UnreadableError."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def written(self) -> list[tuple[object, object]]:
        """Format and origin, as the database states them."""
        return self._all("SELECT format, origin FROM log")

    def ends(self) -> tuple[int, int]:
        """The smallest index, and the largest plus one; 0 and 0 if there is no record."""
        first, end = _numbers(self._all(_ENDS)[0])
        return first, end

    def sizes(self) -> tuple[int, int]:
        """The sizes of the shortest and the longest checkpoint; 1 and 0 if there is none."""
        query = "SELECT coalesce(min(size), 1), coalesce(max(size), 0) FROM checkpoints"
        shortest, longest = _numbers(self._all(query)[0])
        return shortest, longest

    def rows(self, first: int, end: int) -> Iterator[Row]:
        """The records from `first` to `end` - 1, in order.

        Fetched in batches. While a reader is within a query, the gateway's write-ahead log grows and can't be copied
        into the database, which the gateway has to do before it continues after an error.
        """
        at: int | None = first
        while at is not None and at < end:
            upto = min(at + _AT_ONCE, end)
            found = self._all(f"{_ROW} WHERE idx >= ? AND idx < ? ORDER BY idx", at, upto)
            yield from found
            at = upto if found else self.next_index(upto)

    def next_index(self, index: int) -> int | None:
        """The smallest index from `index` on, or None."""
        found: int | None = self._all("SELECT min(idx) FROM entries WHERE idx >= ?", index)[0][0]
        _numbers([] if found is None else [found])
        return found

    def of_decision(self, decision_id: str) -> list[Row]:
        """The records of a decision, in order."""
        return self._all(f"{_ROW} WHERE decision_id = ? ORDER BY idx", decision_id)

    def hashes(self, indexes: Sequence[int]) -> dict[int, object]:
        """The hashes that these records completed, for the records that exist."""
        query = f"SELECT idx, hashes FROM entries WHERE idx IN ({_marks(indexes)})"  # noqa: S608 - question marks
        return dict(self._all(query, *indexes))

    def blocks(self, indexes: Sequence[int]) -> dict[int, object]:
        """The blocks of nodes stored beside these records, for the records that exist."""
        query = f"SELECT idx, blocks FROM entries WHERE idx IN ({_marks(indexes)})"  # noqa: S608 - question marks
        try:
            return dict(self._db.execute(query, indexes).fetchall())
        except sqlite3.Error as error:
            if _NO_BLOCKS in str(error):  # a log of an earlier version, which no gateway has opened since
                return {}
            raise UnreadableError(f"can't be read: {printable(str(error))}") from error

    def marks(self, first: int, end: int) -> dict[int, object]:
        """The marks stored beside the records from `first` to `end` - 1."""
        return dict(self._all("SELECT idx, mark FROM entries WHERE idx >= ? AND idx < ? AND mark NOT NULL", first, end))

    def notes(self, above: int, upto: int) -> list[tuple[int, object]]:
        """The checkpoints of more than `above` and at most `upto` records, in order."""
        query = "SELECT size, note FROM checkpoints WHERE size > ? AND size <= ? ORDER BY size"
        found = self._all(query, above, upto)
        _numbers([size for size, _ in found])
        return found

    def last_note(self, upto: int | None = None) -> tuple[int, object] | None:
        """Size and note of the last checkpoint, of at most `upto` records."""
        query = "SELECT size, note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1"
        found = self._all(query, _LARGEST if upto is None else upto)
        _numbers([size for size, _ in found])
        return found[0] if found else None

    def last_time_us(self) -> int:
        """The time of the last record; 0 if there is none."""
        found = self._all("SELECT time_us FROM entries ORDER BY idx DESC LIMIT 1")
        return int(found[0][0]) if found else 0

    def damage(self) -> str:
        """What SQLite finds wrong with the file; empty if nothing."""
        found = str(self._all("PRAGMA integrity_check(1)")[0][0])
        return "" if found == "ok" else found

    def _all(self, query: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise UnreadableError(f"can't be read: {printable(str(error))}") from error


def _numbers(values: Sequence[Any]) -> Sequence[int]:
    """Check indexes or sizes. Raises UnreadableError: a foreign table may hold anything."""
    if not all(type(value) is int for value in values):
        raise UnreadableError("can't be read: an index or a size is not a number that a log has")
    return values


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
