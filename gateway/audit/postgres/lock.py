"""A lock store in PostgreSQL on another host. Its tables accept no smaller checkpoint, whoever writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from brightline_verify.note import Checkpoint
from gateway.audit.postgres.connection import Bounded, PostgresError, Server, check_durable, confirmed, told
from gateway.audit.postgres.writing import check_schema
from gateway.errors import StartError

_READ: Final = b"SELECT note FROM brightline.locks WHERE origin = %s"
_WRITE: Final = b"""
INSERT INTO brightline.locks (origin, size, note) VALUES (%s, %s, %s)
ON CONFLICT (origin) DO UPDATE SET size = excluded.size, note = excluded.note
"""


@dataclass(frozen=True, slots=True)
class Remote:
    """The lock store of the log `origin` in a database. It connects for each use, which is about once a second."""

    server: Server
    origin: str

    def read(self) -> bytes | None:
        """The note; None if there never was one. Raises OSError."""
        with self._reached() as db, told():
            row = db.execute(_READ, (self.origin,)).fetchone()
        return bytes(row[0]) if row else None

    def write(self, note: bytes) -> None:
        """Replace the note durably. Raises OSError."""
        size = Checkpoint.parse(note.decode().partition("\n\n")[0] + "\n").size
        with self._reached() as db, confirmed(db):
            # Crash before this commit: the lock store is behind the log, which is no sign of a rollback.
            db.execute(_WRITE, (self.origin, size, note))

    @contextmanager
    def _reached(self) -> Iterator[Bounded]:
        try:
            with closing(self.server.connect()) as db:
                check_durable(db)
                check_schema(db)
                yield db
        except StartError as error:
            raise PostgresError(str(error)) from error

    def __str__(self) -> str:
        return f"the lock store {self.server}"
