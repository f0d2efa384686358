"""Reads a log in PostgreSQL. brightline_verify.stored documents the methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from brightline_verify.report import UnreadableError
from brightline_verify.stored import Row
from gateway.audit.kept import Place
from gateway.audit.postgres.connection import Bounded, PostgresError, Server, told
from gateway.errors import StartError

_COLUMNS: Final = "idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key"
_ROW: Final = f"SELECT {_COLUMNS} FROM brightline.entries"  # noqa: S608 - only our own column names
_AT_ONCE: Final = 1000
_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Database:
    """The log `origin` in a database that may hold other logs. kept: its lock store."""

    server: Server
    origin: str
    kept: Place | None = None
    at_once: ClassVar[int] = 8192

    @contextmanager
    def reading(self) -> Iterator[Table]:
        """Open the log. Raises UnreadableError if there is none."""
        with _reached(self.server) as db:
            log = log_id(db, self.origin)
            if log is None:
                raise UnreadableError(f"{self}: there is no log of this name in the database")
            yield Table(db, log)

    def begun(self) -> bool:
        """Whether there is a log. Raises UnreadableError."""
        with _reached(self.server) as db:
            return log_id(db, self.origin) is not None

    def published(self) -> bytes | None:
        """The lock store's checkpoint; None if there is none. Raises OSError."""
        return self.kept.read() if self.kept else None

    @property
    def beside(self) -> str:
        """The lock store."""
        return str(self.kept) if self.kept else ""

    def __str__(self) -> str:
        return f"{self.origin} in {self.server}"


def origins(server: Server) -> list[str]:
    """The names of all logs in the database. Raises UnreadableError."""
    with _reached(server) as db:
        return [row[0] for row in _all(db, "SELECT origin FROM brightline.logs ORDER BY id")]


def union(server: Server, since_us: int, before_us: int) -> Iterator[tuple[str, int, bytes]]:
    """Origin, index and leaf of every log's records in that period, in the order of time. Raises UnreadableError."""
    query = """
        SELECT e.time_us, e.log, e.idx, l.origin, e.leaf
        FROM brightline.entries e JOIN brightline.logs l ON l.id = e.log
        WHERE (e.time_us, e.log, e.idx) > (%s, %s, %s) AND e.time_us < %s ORDER BY e.time_us, e.log, e.idx LIMIT %s
    """
    after = (since_us - 1, _LARGEST, _LARGEST)
    with _reached(server) as db:
        while rows := _all(db, query, *after, before_us, _AT_ONCE):
            yield from ((origin, index, leaf) for _, _, index, origin, leaf in rows)
            after = rows[-1][:3]


def log_id(db: Bounded, origin: str) -> int | None:
    """The number of a log in the database; None if the database does not have it. Raises UnreadableError."""
    found = _all(db, "SELECT id FROM brightline.logs WHERE origin = %s", origin)
    return found[0][0] if found else None


class Table:
    """The rows of a log, over one connection. Every method raises UnreadableError."""

    def __init__(self, db: Bounded, log: int) -> None:
        self._db = db
        self._log = log

    def written(self) -> list[tuple[object, object]]:
        return _all(self._db, "SELECT format, origin FROM brightline.logs WHERE id = %s", self._log)

    def ends(self) -> tuple[int, int]:
        query = "SELECT coalesce(min(idx), 0), coalesce(max(idx) + 1, 0) FROM brightline.entries WHERE log = %s"
        first, end = _all(self._db, query, self._log)[0]
        return first, end

    def sizes(self) -> tuple[int, int]:
        query = "SELECT coalesce(min(size), 1), coalesce(max(size), 0) FROM brightline.checkpoints WHERE log = %s"
        shortest, longest = _all(self._db, query, self._log)[0]
        return shortest, longest

    def rows(self, first: int, end: int) -> Iterator[Row]:
        query = f"{_ROW} WHERE log = %s AND idx >= %s AND idx < %s ORDER BY idx LIMIT {_AT_ONCE}"
        while first < end and (rows := _all(self._db, query, self._log, first, end)):
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            first = rows[-1][0] + 1

    def next_index(self, index: int) -> int | None:
        query = "SELECT min(idx) FROM brightline.entries WHERE log = %s AND idx >= %s"
        found: int | None = _all(self._db, query, self._log, index)[0][0]
        return found

    def of_decision(self, decision_id: str) -> list[Row]:
        # Separate queries, because a planner without statistics would scan the whole log in order.
        query = f"""
            WITH found AS MATERIALIZED (SELECT log, {_COLUMNS} FROM brightline.entries WHERE decision_id = %s)
            SELECT {_COLUMNS} FROM found WHERE log = %s ORDER BY idx
        """  # noqa: S608 - only our own column names
        return _all(self._db, query, decision_id, self._log)

    def hashes(self, indexes: Sequence[int]) -> dict[int, object]:
        query = "SELECT idx, hashes FROM brightline.entries WHERE log = %s AND idx = ANY(%s::int8[])"
        return dict(_all(self._db, query, self._log, list(indexes)))

    def blocks(self, indexes: Sequence[int]) -> dict[int, object]:
        query = "SELECT idx, blocks FROM brightline.entries WHERE log = %s AND idx = ANY(%s::int8[])"
        return dict(_all(self._db, query, self._log, list(indexes)))

    def marks(self, first: int, end: int) -> dict[int, object]:
        query = (
            "SELECT idx, mark FROM brightline.entries WHERE log = %s AND idx >= %s AND idx < %s AND mark IS NOT NULL"
        )
        return dict(_all(self._db, query, self._log, first, end))

    def notes(self, above: int, upto: int) -> list[tuple[int, object]]:
        query = (
            "SELECT size, note FROM brightline.checkpoints WHERE log = %s AND size > %s AND size <= %s ORDER BY size"
        )
        return _all(self._db, query, self._log, above, upto)

    def last_note(self, upto: int | None = None) -> tuple[int, object] | None:
        query = """
            SELECT size, note FROM brightline.checkpoints WHERE log = %s AND size <= %s ORDER BY size DESC LIMIT 1
        """
        found = _all(self._db, query, self._log, _LARGEST if upto is None else upto)
        return found[0] if found else None

    def last_time_us(self) -> int:
        query = "SELECT time_us FROM brightline.entries WHERE log = %s ORDER BY idx DESC LIMIT 1"
        found = _all(self._db, query, self._log)
        return int(found[0][0]) if found else 0

    def damage(self) -> str:
        """Empty: PostgreSQL checks pages as it reads them, and a failing page can't be read."""
        return ""


@contextmanager
def _reached(server: Server) -> Iterator[Bounded]:
    try:
        db = server.connect()
    except (PostgresError, StartError) as error:
        raise UnreadableError(f"{server}: can't be reached: {error}") from error
    with closing(db):
        yield db


def _all(db: Bounded, query: str, *values: object) -> list[Any]:
    """Every row. Binary format, because leaves are bytes."""
    try:
        with told(), db.cursor(binary=True) as cursor:
            return cursor.execute(query.encode(), values).fetchall()
    except PostgresError as error:
        raise UnreadableError(f"can't be read: {error}") from error
