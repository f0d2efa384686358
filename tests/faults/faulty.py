"""`brightline serve` on a disk that fails as it is told to, where there is no compiler for shim.c.

While the file that FAULT_CONTROL names says "write ERRNO" what would go to the disk is lost, with "sync ERRNO" it is
stored and reported failed, and with "stall" it hangs until the file is gone. SQLite itself is real.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from gateway import cli
from gateway.audit import places, sqlite

CONTROL = Path(os.environ["FAULT_CONTROL"])
ON_DISK = ("INSERT ", "PRAGMA wal_checkpoint")
"""Statements that write and sync."""


class Faulty(sqlite3.Connection):
    """A connection that writes as told."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute the statement, or do what the control file says."""
        if sql.startswith(ON_DISK):
            while told() == ["stall"]:
                time.sleep(0.005)
            fail("write")
        cursor = super().execute(sql, parameters)
        if sql.startswith(ON_DISK):
            fail("sync")
        return cursor


def told() -> list[str]:
    """The words of the control file, none when it isn't there."""
    try:
        return CONTROL.read_text().split()
    except FileNotFoundError:
        return []


def fail(operation: str) -> None:
    """Raise what SQLite raises when this operation fails."""
    match told():
        case [word, number] if word == operation:
            raise sqlite3.OperationalError(os.strerror(int(number)))


def connect(path: Path) -> sqlite3.Connection:
    """The store's own connection, with faults."""
    return sqlite3.connect(
        path, timeout=sqlite.LOCK_WAIT_S, isolation_level=None, check_same_thread=False, factory=Faulty
    )


def faulty(path: Path) -> sqlite.Sqlite:
    """The database that a log opens."""
    return sqlite.Sqlite(path, connect)


if __name__ == "__main__":
    setattr(places, "Sqlite", faulty)  # noqa: B010 - the name of a class, to a type checker
    cli.main()
