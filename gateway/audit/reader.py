"""Reads single records of a log while its gateway writes. No statement keeps a transaction open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeAlias

from brightline_verify.database import File
from brightline_verify.merkle import inclusion_proof
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError, Row, Rows, Source, gathered

Leaf: TypeAlias = tuple[int, bytes]
"""The index of a record and its bytes."""
Hashes: TypeAlias = tuple[bytes, ...]


class Reader(Protocol):
    """One log. origin: its name. All methods raise UnreadableError."""

    origin: str

    def size(self) -> int:
        """The number of records."""

    def leaves(self, first: int, end: int) -> list[Leaf]:
        """The records from `first` to `end` - 1, in order."""

    def at(self, index: int) -> bytes | None:
        """The record at `index`; None if there is none."""

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Leaf]:
        """The records of a decision in order; of one tenant, or of all for None."""

    def since(self, first: int, tenant: str | None, most: int) -> list[Leaf]:
        """At most `most` records from `first` on, in order; of one tenant, or of all for None."""

    def note(self) -> bytes | None:
        """The latest checkpoint; None if there is none yet."""

    def proofs(self, indexes: Sequence[int], size: int) -> list[Hashes]:
        """Inclusion proofs of these records in the tree of the first `size` records, from nodes read at once."""


@contextmanager
def opened(log: Source | Path) -> Iterator[Reader]:
    """Open a log. A path is that of a SQLite file. Raises UnreadableError."""
    source = File(log) if isinstance(log, Path) else log
    with source.reading() as rows:
        yield _Log(source, rows)


class _Log:
    def __init__(self, source: Source, rows: Rows) -> None:
        self._source = source
        self._rows = rows
        written = rows.written()
        if len(written) != 1:
            raise UnreadableError(f"{source}: is not a log that can be read: it has not one name")
        self.origin = str(written[0][1])

    def size(self) -> int:
        return self._rows.ends()[1]

    def leaves(self, first: int, end: int) -> list[Leaf]:
        return list(_leaves(self._rows.rows(first, end)))

    def at(self, index: int) -> bytes | None:
        found = self.leaves(index, index + 1)
        return found[0][1] if found else None

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Leaf]:
        return list(_leaves(self._rows.of_decision(decision_id), tenant))

    def since(self, first: int, tenant: str | None, most: int) -> list[Leaf]:
        return list(islice(_leaves(self._rows.rows(first, self.size()), tenant), most))

    def note(self) -> bytes | None:
        last = self._rows.last_note()
        return last[1] if last and isinstance(last[1], bytes) else None

    def proofs(self, indexes: Sequence[int], size: int) -> list[Hashes]:
        try:
            return gathered(
                self._rows, lambda perfect: [tuple(inclusion_proof(i, size, perfect)) for i in indexes], size
            )
        except CorruptError as error:
            raise UnreadableError(f"{self._source}: {error}") from error


def _leaves(rows: Iterable[Row], tenant: str | None = None) -> Iterator[Leaf]:
    """The leaves of one tenant, or all for None."""
    for index, leaf, _, _, _, _, of, _ in rows:
        if tenant in (None, of) and isinstance(index, int) and isinstance(leaf, bytes):
            yield index, leaf
