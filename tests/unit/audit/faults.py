"""A connection to a real database on which chosen statements fail in both ways: lost, or persisted but reported failed.

SQLite, the file system and the locks stay real; only what `execute` reports is changed.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any


class Fault(Enum):
    """What happens to a statement."""

    LOST = "fails before it is done"
    LIED = "fails after it is done"
    UNFORESEEN = "fails as nobody expects it"
    KILL_BEFORE = "the process dies before it is done"
    KILL_AFTER = "the process dies after it is done"


ENTRIES = "INSERT INTO entries"
CHECKPOINTS = "INSERT OR IGNORE INTO checkpoints"
OPEN = "PRAGMA journal_mode"


class Faults:
    """Which statements fail. `plan[start of a statement]` is what happens to the next ones of that kind, in order."""

    def __init__(self) -> None:
        self.plan: dict[str, list[Fault | None]] = {}
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self.stall = ""
        self.max_pages: int | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        """As the store's own connection, but with these faults."""
        faults = self

        class Faulty(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                return faults.run(sql, lambda: super(Faulty, self).execute(sql, parameters))

        db = sqlite3.connect(path, timeout=0.05, isolation_level=None, check_same_thread=False, factory=Faulty)
        if self.max_pages is not None:
            db.execute(f"PRAGMA max_page_count = {self.max_pages}")
        return db

    def run(self, sql: str, execute: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Execute a statement, or do what the plan says."""
        if self.stall and sql.startswith(self.stall):
            self.stalled.set()
            assert self.go_on.wait(240)
        fault = next((plan.pop(0) for start, plan in self.plan.items() if plan and sql.startswith(start)), None)
        if fault is Fault.KILL_BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault is Fault.UNFORESEEN:
            raise RuntimeError("something nobody thought of")
        if fault is Fault.LOST:
            raise sqlite3.OperationalError(os.strerror(errno.EIO))
        cursor = execute()
        if fault is Fault.LIED:
            cursor.close()  # or it would hold its lock for as long as somebody looks at the error
            raise sqlite3.OperationalError(os.strerror(errno.EIO))
        if fault is Fault.KILL_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)
        return cursor
