"""Writes a log in PostgreSQL, in a session that holds the log's lock. See kept.Kept.

The lock belongs to the session, and every write is made in that session. So the holder of the lock knows that no other
session can still commit: neither a second gateway, nor this gateway's own broken connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import psycopg
from psycopg import errors

from brightline_verify.stored import FORMAT, CorruptError, Rows
from gateway.audit.kept import Key, Open, Place, Row, TakenError
from gateway.audit.marks import Tail
from gateway.audit.postgres.connection import Bounded, PostgresError, Server, check_durable, close, confirmed, told
from gateway.audit.postgres.copying import COPY, INSERT, packed, values
from gateway.audit.postgres.reading import Table, log_id
from gateway.errors import StartError

REVISION: Final = "0005"
"""The schema revision that this gateway works with: the last migration."""
_LOCKS: Final = 0x0B12
"""Separates the gateway's advisory locks from others in the database."""
_USED: Final = b"""
SELECT tenant, idempotency_key FROM brightline.entries
WHERE idempotency_key IS NOT NULL AND (tenant, idempotency_key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_END: Final = b"""
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s AND classid = %s AND objid = %s
"""
_SIGN: Final = b"""
INSERT INTO brightline.checkpoints (log, size, note, open_from) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_OPEN: Final = b"""
WITH since AS (SELECT coalesce(
  (SELECT open_from FROM brightline.checkpoints WHERE log = %(log)s ORDER BY size DESC LIMIT 1),
  (
    SELECT idx FROM brightline.entries
    WHERE log = %(log)s AND kind IN ('start', 'release') AND kind = 'start' ORDER BY idx DESC LIMIT 1
  ),
  0
) AS idx)
SELECT i.idx, decision_id, tenant FROM brightline.entries i, since
WHERE log = %(log)s AND i.idx >= since.idx AND kind = 'intent' AND NOT EXISTS (
  SELECT 1 FROM brightline.entries o WHERE o.decision_id = i.decision_id AND o.kind = 'outcome' AND o.log = i.log
) ORDER BY i.idx
"""
_RELEASES: Final = b"""
SELECT idx, leaf FROM brightline.entries
WHERE log = %s AND kind IN ('start', 'release') AND idx < %s ORDER BY idx DESC LIMIT 1
"""


class Postgres:
    """The log of one gateway. tail: the file on this host for its last mark. The file may be missing, because another
    host may have written the log before. Only a lock store can provide a checkpoint that must exist at every start.
    """

    places: Sequence[Place] = ()

    def __init__(self, server: Server, tail: Path) -> None:
        self.tail = Tail(tail)
        self._server = server
        self._origin = ""
        self._db: Bounded | None = None
        self._session = 0
        self._log = 0

    def __str__(self) -> str:
        return f"audit.dsn: {self._server}"

    @property
    def rows(self) -> Rows:
        """The rows, for reading."""
        return Table(self._open_db, self._log)

    def open(self, origin: str) -> None:
        """Open or create the log. Raises StartError if another process writes it, PostgresError, CorruptError."""
        self._origin = origin
        self._db = self._server.connect()
        try:
            self._begin(self._db)
        except StartError as error:
            self.release()
            raise StartError(f"{self}: {error}") from error

    def reopen(self) -> None:
        """After an error, open another session that holds the lock: the former session is then gone, with its writes.

        Then commit something small. Once that is confirmed, everything before it is durable, also on the standbys that
        the server waits for. Raises PostgresError while that does not work, CorruptError.
        """
        if self._db is not None:
            close(self._db)
        try:
            self._db = self._server.connect()
            self._begin(self._db)
        except StartError as error:
            raise PostgresError(str(error)) from error
        with confirmed(self._db):
            self._db.execute("SELECT pg_logical_emit_message(true, 'brightline', '')")

    def insert(self, rows: Sequence[Row]) -> None:
        """One statement with its commit. Keys are in order, so that two gateways can't deadlock."""
        ordered = sorted(rows, key=lambda row: ("", "") if row[7] is None else (row[6], row[7]))
        try:
            with confirmed(self._open_db), self._open_db.cursor() as cursor:
                if len(rows) == 1:
                    cursor.execute(INSERT, values(self._log, rows[0]), prepare=True)
                    return
                with cursor.copy(COPY) as copy:
                    copy.write(packed(self._log, ordered))
        except PostgresError as error:
            cause = error.__cause__
            if isinstance(cause, errors.UniqueViolation) and cause.diag.constraint_name == "entries_by_key":
                raise TakenError from error
            raise

    def used(self, keys: Iterable[Key]) -> set[Key]:
        """Those of the keys that an entry of any log in the database has. Raises PostgresError."""
        tenants, names = map(list, zip(*keys, strict=True))
        with told():
            return set(self._open_db.execute(_USED, (tenants, names)).fetchall())

    def sign(self, size: int, note: bytes, open_from: int) -> None:
        """Write a checkpoint durably, unless there is one of this size. Raises PostgresError."""
        with told():
            self._open_db.execute(_SIGN, (self._log, size, note, open_from), prepare=True)

    def open_intents(self) -> list[Open]:
        """Every intent without an outcome, in order. Raises PostgresError."""
        with told():
            return self._open_db.execute(_OPEN, {"log": self._log}).fetchall()

    def releases(self) -> Iterator[bytes]:
        """The records of starts and of releases, the latest first. Raises PostgresError."""
        before = 1 << 62
        while True:  # one at a time: the latest is near the end, and usually enough
            with told():
                found = self._open_db.execute(_RELEASES, (self._log, before)).fetchone()
            if found is None:
                return
            before, leaf = found
            yield leaf

    def release(self) -> None:
        """Close the log. Raises nothing."""
        self.tail.close()
        with contextlib.suppress(psycopg.Error, OSError):
            close(self._db)

    @property
    def _open_db(self) -> Bounded:
        if self._db is None or self._db.closed:
            raise PostgresError("the connection is closed")
        return self._db

    def _begin(self, db: Bounded) -> None:
        """1 check that commits are durable  2 check the schema  3 find or make the log's row  4 take its lock."""
        check_durable(db)  # 1
        check_schema(db)  # 2
        query = b"INSERT INTO brightline.logs (format, origin) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        with told():
            # Crash before this: no log. Crash after it: an empty log, which the next start continues.
            if log_id(db, self._origin) is None:
                db.execute(query, (FORMAT, self._origin))  # 3
        self._log = log_id(db, self._origin) or 0
        written = Table(db, self._log).written()
        if written != [(FORMAT, self._origin)]:
            raise CorruptError(f"is not a log of format {FORMAT} and origin {self._origin}: {written}")
        self._lock(db)  # 4

    def _lock(self, db: Bounded) -> None:
        """Raises StartError if another session has the lock. A former session of this gateway is told to end."""
        with told():
            row = db.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, self._log)).fetchone()
            if row == (True,):
                self._session = db.info.backend_pid
                return
            db.execute(_END, (self._session, _LOCKS, self._log))
        raise StartError(f"another process writes the log {self._origin}")


def check_schema(db: Bounded) -> None:
    """Raises StartError unless the tables have the revision that this gateway knows."""
    try:
        with told():
            found = db.execute("SELECT version_num FROM brightline.alembic_version").fetchall()
    except PostgresError as error:
        if not isinstance(error.__cause__, errors.UndefinedTable | errors.InvalidSchemaName):
            raise
        found = []
    if found != [(REVISION,)]:
        has = f"revision {found[0][0]}" if found else "no tables of ours"
        raise StartError(f"the database has {has}, revision {REVISION} is needed; run: brightline audit migrate")
