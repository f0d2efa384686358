"""Reads single records of a log, beside whoever writes it. No statement keeps a transaction open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from brightline_verify.database import CorruptError, nodes_of, reading
from brightline_verify.report import UnreadableError

Leaf: TypeAlias = tuple[int, bytes]
"""The index of a record and its bytes."""

_ANYBODY: Final = "(? IS NULL OR tenant = ?)"


class Reader(Protocol):
    """One log. origin: its name. Everything raises UnreadableError."""

    origin: str

    def size(self) -> int:
        """How many records there are."""

    def leaves(self, first: int, end: int) -> list[Leaf]:
        """The records from `first` to `end` - 1, in order."""

    def at(self, index: int) -> bytes | None:
        """One record."""

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Leaf]:
        """The records of a decision, of anybody or of one tenant, in order."""

    def since(self, first: int, tenant: str | None, most: int) -> list[Leaf]:
        """At most so many records from `first` on, of anybody or of one tenant, in order."""

    def note(self) -> bytes | None:
        """The latest checkpoint, None when there is none yet."""

    def perfect(self, level: int, n: int) -> bytes:
        """A stored node of the tree."""


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """The log in the file at `path`. Raises UnreadableError."""
    with reading(path) as db:
        yield _Database(path, db)


class _Database:
    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db
        self.origin = str(self._rows("SELECT origin FROM log")[0][0])

    def size(self) -> int:
        size = self._rows("SELECT coalesce(max(idx) + 1, 0) FROM entries")[0][0]
        return size if isinstance(size, int) else 0

    def leaves(self, first: int, end: int) -> list[Leaf]:
        return self._leaves("idx >= ? AND idx < ? ORDER BY idx", (first, end))

    def at(self, index: int) -> bytes | None:
        found = self.leaves(index, index + 1)
        return found[0][1] if found else None

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Leaf]:
        return self._leaves(f"decision_id = ? AND {_ANYBODY} ORDER BY idx", (decision_id, tenant, tenant))

    def since(self, first: int, tenant: str | None, most: int) -> list[Leaf]:
        return self._leaves(f"idx >= ? AND {_ANYBODY} ORDER BY idx LIMIT ?", (first, tenant, tenant, most))

    def note(self) -> bytes | None:
        rows = self._rows("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None

    def perfect(self, level: int, n: int) -> bytes:
        try:
            return nodes_of(self._db)(level, n)
        except (sqlite3.Error, CorruptError) as error:
            raise UnreadableError(f"{self._path}: {error}") from error

    def _leaves(self, where: str, values: Sequence[object]) -> list[Leaf]:
        found = self._rows(f"SELECT idx, leaf FROM entries WHERE {where}", values)  # noqa: S608 - of this module alone
        return [(index, leaf) for index, leaf in found if isinstance(index, int) and isinstance(leaf, bytes)]

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise UnreadableError(f"{self._path}: can't be read: {error}") from error
