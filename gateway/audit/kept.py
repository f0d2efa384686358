"""The database of a log, and where its checkpoints are kept, as the log's one writer has them (`store`)."""

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
"""As stored.Row, the mark of the commit beside its last one, and the blocks beside a record that completes some."""


class TakenError(Exception):
    """A tenant used an idempotency key of the batch before. Nothing of the batch was written."""


class Place(Protocol):
    """A place that keeps the latest checkpoint: the file beside the log, or a lock store."""

    def read(self) -> bytes | None:
        """The note, None when there never was one. Raises OSError."""

    def write(self, note: bytes) -> None:
        """Put the note there, durably, in the place of an older one. Raises OSError."""


class Kept(Protocol):
    """The database of a log, as its one writer has it. After an OSError nobody knows what was done."""

    @property
    def rows(self) -> Rows:
        """What is there."""

    @property
    def places(self) -> Sequence[Place]:
        """Where the latest checkpoint is kept outside of the database."""

    @property
    def tail(self) -> Tail:
        """Where the last mark is kept outside of the database."""

    def open(self, origin: str) -> None:
        """Open the log, or create it. Raises StartError when another process writes it, OSError, CorruptError."""

    def reopen(self) -> None:
        """After an error: open again. What can be read afterwards is durable, and nothing of before still comes.

        Raises OSError, CorruptError.
        """

    def insert(self, rows: Sequence[Row]) -> None:
        """Write the rows durably, all or none. Raises OSError, TakenError."""

    def used(self, keys: Iterable[Key]) -> set[Key]:
        """Those of the keys that an entry of any log in the database has. Raises OSError."""

    def sign(self, size: int, note: bytes, open_from: int) -> None:
        """Write a checkpoint durably, unless there is one of this size. open_from: below it every intent is closed.

        Raises OSError.
        """

    def open_intents(self) -> list[Open]:
        """Every intent without an outcome, in order: of those that are not below what the last checkpoint says.

        Where it says nothing, as in a log of a former version, of those since the last start. Raises OSError.
        """

    def releases(self) -> Iterator[bytes]:
        """The records of starts and of releases, the last one first. Raises OSError."""

    def release(self) -> None:
        """Let go of the log. Raises nothing."""
