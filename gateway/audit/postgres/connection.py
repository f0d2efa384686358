"""Connections to PostgreSQL, bounded in time. Errors say what is wrong and contain no secret."""

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
"""Seconds: the minimum that PostgreSQL's client library accepts."""
PREPARE_AFTER: Final = 3
"""How often a connection sends a statement before preparing it, which costs one more round trip."""
_SET: Final[dict[str, Any]] = {
    "client_encoding": "utf8",
    "fallback_application_name": "brightline",
    "options": "-c search_path=pg_catalog -c client_min_messages=warning",
}
"""Only PostgreSQL's own functions: another schema could define one of the same name that matches the arguments better.
And messages at the level that `confirmed` needs, whatever the server's configuration suppresses."""
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
T = TypeVar("T")


class PostgresError(OSError):
    """PostgreSQL failed or could not be reached. It is unknown what it did."""


class Bounded(Connection[tuple[Any, ...]]):
    """A connection whose statements take at most `limit_s`; after that the connection is given up.

    unconfirmed: whether PostgreSQL committed something and stopped waiting for its standbys.
    """

    limit_s = 60.0
    unconfirmed = False

    def heard(self, notice: Diagnostic) -> None:
        """Note a message that PostgreSQL sends besides its answers."""
        if notice.source_function == "SyncRepWaitForLSN":  # not by its text, which is in the server's language
            self.unconfirmed = True

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the server, with a time limit. Raises psycopg.Error."""
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
        """A new connection, by default with autocommit. Raises PostgresError, StartError for the password file."""
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
    """Convert psycopg's errors to PostgresError with the first line only; other lines may quote what was written."""
    try:
        yield
    except psycopg.Error as error:
        lines = (error.diag.message_primary or str(error)).strip().splitlines()
        raise PostgresError(lines[0] if lines else type(error).__name__) from error


@contextmanager
def confirmed(db: Bounded) -> Iterator[None]:
    """As `told`, for commits. A commit is confirmed only if it is also on the standbys that the server waits for.

    If somebody cancels that wait (pg_cancel_backend), PostgreSQL reports a commit with a warning.
    """
    db.unconfirmed = False
    with told():
        yield
    if db.unconfirmed:
        raise PostgresError("the wait for a standby was cancelled, which may not have what was committed")


def close(db: Bounded | None) -> None:
    """Close the connection, whatever its state, without waiting for a server that hangs."""
    if db is not None:
        db.close()


def check_durable(db: Bounded) -> None:
    """Check that commits here are durable. Raises StartError, PostgresError.

    1 this connection waits for the disk, and for the standbys that the server waits for  2 the server syncs at all
    3 no proxy gives each transaction another session, which would lose the writer's lock
    """
    with told():
        # 1: set for this session, so that reloading the server's configuration changes nothing
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
