"""The sealed store on disk: a SQLite file, separate from the log. All content in it is encrypted.

It is not part of any proof. The log has a digest of each envelope, so a change here is noticed when the envelope is
opened, and a removal here takes nothing from the log.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from gateway.audit.sealed.envelope import Label, Period

LOCK_WAIT_S: Final = 0.5
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS periods (
  tenant TEXT NOT NULL, retention TEXT NOT NULL, month TEXT NOT NULL, public BLOB NOT NULL, escrow TEXT NOT NULL,
  bound BLOB NOT NULL, PRIMARY KEY (tenant, retention, month)
);
CREATE TABLE IF NOT EXISTS content (
  decision_id TEXT NOT NULL, what TEXT NOT NULL, tenant TEXT NOT NULL, retention TEXT NOT NULL, month TEXT NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (decision_id, what)
);
CREATE INDEX IF NOT EXISTS content_by_period ON content (tenant, retention, month);
CREATE TABLE IF NOT EXISTS holds (
  tenant TEXT NOT NULL, retention TEXT NOT NULL, month TEXT NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (tenant, retention, month, name)
);
"""
_HELD: Final = """
SELECT DISTINCT name FROM holds WHERE tenant = ? AND retention IN ('', ?) AND month IN ('', ?) ORDER BY name
"""
_AT_ONCE: Final = 200
"""Envelopes removed per transaction, so that a gateway that seals meanwhile does not have to wait."""
_OF: Final = "tenant = ? AND retention = ? AND month = ?"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a period. escrow: the private half, encrypted for each pair of reviewers.

    bound: a digest of the rest, authenticated by the wrapping key, so that nobody can substitute another public half.
    """

    public: bytes
    escrow: dict[str, dict[str, str]]
    bound: bytes


class SealedStore:
    """An open store. For one thread at a time; other processes may use the file, too. Every method raises OSError."""

    def __init__(self, path: Path, *, create: bool = True, lock_wait_s: float = LOCK_WAIT_S) -> None:
        """Open the file, or create it with mode 0600. Raises OSError, also if it is missing and `create` is false.

        lock_wait_s: how long to wait while another process writes.
        """
        self._path = path
        os.close(os.open(path, os.O_RDWR | (os.O_CREAT if create else 0) | os.O_CLOEXEC, 0o600))
        with self._told():
            self._db = sqlite3.connect(path, timeout=lock_wait_s, isolation_level=None, check_same_thread=False)
            try:
                if self._db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                    raise sqlite3.OperationalError("no write-ahead log here")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA secure_delete = ON")
                self._db.executescript(_SCHEMA)
            except sqlite3.Error:
                self._db.close()
                raise

    def put(self, envelopes: Sequence[tuple[Label, bytes]]) -> None:
        """Store envelopes durably, all or none. A second envelope for a label is refused: nothing is overwritten."""
        rows = [(label.decision_id, label.what, *_row(label.period), sealed) for label, sealed in envelopes]
        values = ",".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
        with self._told():
            # Crash before this commit: nothing is stored, and nothing was forwarded or answered. Crash after it:
            # content that no record refers to, which is purged with its period.
            self._db.execute(f"INSERT INTO content VALUES {values}", [*chain.from_iterable(rows)])  # noqa: S608 - marks

    def of_decision(self, decision_id: str) -> list[tuple[Label, bytes]]:
        """The envelopes of a decision, the prompt last."""
        query = "SELECT what, tenant, retention, month, sealed FROM content WHERE decision_id = ? ORDER BY what"
        with self._told():
            found = self._db.execute(query, (decision_id,)).fetchall()
        envelopes = [(row, row[4] if isinstance(row[4], bytes) else b"") for row in found]
        return [(Label(decision_id, row[0], Period(*row[1:4])), sealed) for row, sealed in envelopes]

    def keys(self, period: Period) -> Keys | None:
        """The keys of a period; None if there are none."""
        with self._told():
            query = f"SELECT public, escrow, bound FROM periods WHERE {_OF}"  # noqa: S608 - constants
            row = self._db.execute(query, _row(period)).fetchone()
        if row is None:
            return None
        public, escrow, bound = row
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            halves = json.loads(escrow)
            told = [half for of in halves.values() for half in of.values()]
            if all(isinstance(half, str) for half in told) and isinstance(public, bytes) and isinstance(bound, bytes):
                return Keys(public, halves, bound)
        raise OSError(f"{self._path}: the keys of {period} are damaged; put the store back from a backup")

    def keep(self, period: Period, made: Callable[[], Keys]) -> Keys:
        """Make a period's keys and store them durably. If another process was faster, return its keys."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                keys = self.keys(period)
                if keys is None:
                    keys = made()
                    row = (*_row(period), keys.public, json.dumps(keys.escrow), keys.bound)
                    self._db.execute("INSERT INTO periods VALUES (?, ?, ?, ?, ?, ?)", row)
                # Crash before this line: a wrapping key that wrapped nothing. The next time makes new keys beside it.
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        return keys

    def periods(self) -> list[tuple[Period, int, list[str]]]:
        """Every period with keys: the period, its number of envelopes, and its holds."""
        with self._told():
            found = self._db.execute("SELECT tenant, retention, month FROM periods ORDER BY 1, 2, 3").fetchall()
            counted = f"SELECT count(*) FROM content WHERE {_OF}"  # noqa: S608 - constants
            return [
                (
                    Period(*row),
                    self._db.execute(counted, row).fetchone()[0],
                    [n for (n,) in self._db.execute(_HELD, row)],
                )
                for row in found
            ]

    def forget(self, period: Period) -> None:
        """Remove a period whose wrapping key was destroyed."""
        some = f"DELETE FROM content WHERE rowid IN (SELECT rowid FROM content WHERE {_OF} LIMIT {_AT_ONCE})"  # noqa: S608 - constants
        with self._told():
            # Crash before any of these: envelopes that nobody can open any more. The next purge removes them.
            while self._db.execute(some, _row(period)).rowcount:
                pass
            self._db.execute(f"DELETE FROM periods WHERE {_OF}", _row(period))  # noqa: S608 - constants

    def hold(self, period: Period, name: str) -> None:
        """Hold a period durably. An empty class or month applies to all."""
        with self._told():
            self._db.execute("INSERT OR IGNORE INTO holds VALUES (?, ?, ?, ?)", (*_row(period), name))

    def holds(self, period: Period, name: str) -> bool:
        """Whether there is this hold, of exactly this period."""
        with self._told():
            query = f"SELECT 1 FROM holds WHERE {_OF} AND name = ?"  # noqa: S608 - constants
            return self._db.execute(query, (*_row(period), name)).fetchone() is not None

    def free(self, period: Period, name: str) -> None:
        """Remove a hold durably."""
        with self._told():
            self._db.execute(f"DELETE FROM holds WHERE {_OF} AND name = ?", (*_row(period), name))  # noqa: S608 - constants

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error


def _row(period: Period) -> tuple[str, str, str]:
    return period.tenant, period.retention, period.month


@contextmanager
def opened(path: Path) -> Iterator[SealedStore]:
    """Open an existing store within the context. Raises OSError."""
    with closing(SealedStore(path, create=False)) as store:
        yield store
