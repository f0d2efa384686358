"""Connections to PostgreSQL: bounded in time, and with errors that say what is wrong and tell no secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic

from gateway.config import read_private
from gateway.errors import StartError

CONNECT_S: Final = 2
"""The least that PostgreSQL's library takes."""
PREPARE_AFTER: Final = 3
"""How often a connection sends a statement before it has it prepared, which costs one more way to the server."""
_SET: Final[dict[str, Any]] = {
    "client_encoding": "utf8",
    "fallback_application_name": "brightline",
    "options": "-c search_path=pg_catalog -c client_min_messages=warning",
}
"""Functions are PostgreSQL's own: another schema may have one of the same name that fits what is sent better. And it
says what `confirmed` has to hear, whatever its configuration keeps to itself."""
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
T = TypeVar("T")


class PostgresError(OSError):
    """PostgreSQL failed or was not reached, and nobody knows what it did."""


class Bounded(Connection[tuple[Any, ...]]):
    """A connection on which no statement takes longer than `limit_s`: beyond it the connection is given up.

    unconfirmed: whether PostgreSQL committed something and gave up waiting for its standbys.
    """

    limit_s = 60.0
    unconfirmed = False

    def heard(self, notice: Diagnostic) -> None:
        """Take note of what PostgreSQL says beside its answers."""
        if notice.source_function == "SyncRepWaitForLSN":  # its words are in the server's language
            self.unconfirmed = True

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the server, a bounded time. Raises psycopg.Error."""
        return super().wait(gen, interval, self.limit_s if timeout is None else timeout)


@dataclass(frozen=True, slots=True)
class Server:
    """A database and how to log in. dsn: without a password, which is in a file of its own.

    limit_s: how long a statement may take.
    """

    dsn: str = field(repr=False)
    password_file: Path | None = None
    key: str = "audit.dsn"
    limit_s: float = 60.0

    def connect(self, *, autocommit: bool = True) -> Bounded:
        """A connection; each statement is committed. Raises PostgresError, StartError for the password file."""
        given = _KEEPALIVE | _SET
        if self.password_file is not None:
            password = read_private(self.password_file, self.key.replace("dsn", "password_file"))
            given["password"] = password.decode("utf-8", "surrogateescape").rstrip("\n")
        with told():
            db = Bounded.connect(
                self.dsn, autocommit=autocommit, prepare_threshold=PREPARE_AFTER, connect_timeout=CONNECT_S, **given
            )
        db.limit_s = self.limit_s
        db.add_notice_handler(db.heard)
        return db

    def __str__(self) -> str:
        known = conninfo_to_dict(self.dsn)
        return f"{known.get('dbname', '')} at {known.get('host', known.get('hostaddr', 'localhost'))}"


@contextmanager
def told() -> Iterator[None]:
    """What PostgreSQL says, as PostgresError: the first line alone, because the others may repeat what was written."""
    try:
        yield
    except psycopg.Error as error:
        lines = (error.diag.message_primary or str(error)).strip().splitlines()
        raise PostgresError(lines[0] if lines else type(error).__name__) from error


@contextmanager
def confirmed(db: Bounded) -> Iterator[None]:
    """The same for what is committed meanwhile, which is with the standbys, too, that the server waits for.

    When somebody cancels that wait (pg_cancel_backend) PostgreSQL says that it committed, and warns.
    """
    db.unconfirmed = False
    with told():
        yield
    if db.unconfirmed:
        raise PostgresError("the wait for a standby was cancelled, which may not have what was committed")


def close(db: Bounded | None) -> None:
    """Close the connection, whatever state it is in, without waiting for a server that hangs."""
    if db is not None:
        db.close()


def check_durable(db: Bounded) -> None:
    """Make sure that what is committed here is on the disk. Raises StartError, PostgresError.

    1 this connection waits for the disk, and for the standbys that the server waits for  2 the server syncs at all
    3 nothing stands between that gives each transaction another session, which would lose the lock of the writer
    """
    with told():
        # 1: said here, so that a configuration that is read again changes nothing
        wanted = "remote_apply" if _show(db, "synchronous_commit") == "remote_apply" else "on"
        if _one(db, "SELECT set_config('synchronous_commit', %s, false)", wanted) != wanted:
            raise StartError(f"PostgreSQL does not accept synchronous_commit = {wanted}")
        for name in ("fsync", "full_page_writes"):
            if _show(db, name) != "on":  # 2
                raise StartError(f"PostgreSQL runs with {name} = off and can lose what it confirmed; turn it on")
        if _one(db, "SELECT pg_backend_pid()") != db.info.backend_pid:  # 3
            raise StartError("a connection pooler stands before PostgreSQL; name the server itself in audit.dsn")


def _show(db: Bounded, name: str) -> str:
    return str(_one(db, "SELECT current_setting(%s)", name))


def _one(db: Bounded, query: str, *values: object) -> object:
    row = db.execute(query.encode(), values).fetchone()
    return row[0] if row else None
