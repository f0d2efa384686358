"""Interfaces to the database of a log and the places of its checkpoints, for the log's only writer (`store`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

from brightline_verify.stored import Rows
from gateway.audit.marks import Tail

Key: TypeAlias = tuple[str, str]
"""Tenant and idempotency key."""
Open: TypeAlias = tuple[int, str, str]
"""Index, decision id and tenant of an intent without an outcome."""
Row: TypeAlias = tuple[int, bytes, bytes, str, str, int, str, str | None, bytes | None, bytes | None]
"""As stored.Row, then the commit's mark in its last row, and the blocks that the record completes."""


class TakenError(Exception):
    """An earlier batch used the tenant's idempotency key. Nothing of this batch was written."""


class Place(Protocol):
    """A place that keeps the latest checkpoint: the file beside the log, or a lock store."""

    def read(self) -> bytes | None:
        """The note; None if there never was one. Raises OSError."""

    def write(self, note: bytes) -> None:
        """Replace the note durably. Raises OSError."""


class Kept(Protocol):
    """The database of a log, for its only writer. After an OSError it is unknown what was done."""

    @property
    def rows(self) -> Rows:
        """The rows, for reading."""

    @property
    def places(self) -> Sequence[Place]:
        """The places outside the database that keep the latest checkpoint."""

    @property
    def tail(self) -> Tail:
        """The place outside the database that keeps the last mark."""

    def open(self, origin: str) -> None:
        """Open or create the log. Raises StartError if another process writes it, OSError, CorruptError."""

    def reopen(self) -> None:
        """Open again after an error. What can be read afterwards is durable, and no earlier write can still arrive.

        Raises OSError, CorruptError.
        """

    def insert(self, rows: Sequence[Row]) -> None:
        """Write the rows durably, all or none. Raises OSError, TakenError."""

    def used(self, keys: Iterable[Key]) -> set[Key]:
        """Those of the keys that an entry of any log in the database has. Raises OSError."""

    def sign(self, size: int, note: bytes, open_from: int) -> None:
        """Write a checkpoint durably, unless there is one of this size. open_from: every intent below it is closed.

        Raises OSError.
        """

    def open_intents(self) -> list[Open]:
        """Every intent without an outcome, in order. Starts at the last checkpoint's `open_from`.

        If there is none, as in a log of an earlier version, starts at the last start. Raises OSError.
        """

    def releases(self) -> Iterator[bytes]:
        """The records of starts and of releases, the latest first. Raises OSError."""

    def release(self) -> None:
        """Close the log. Raises nothing."""
