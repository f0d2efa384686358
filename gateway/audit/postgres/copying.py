"""Encodes rows for PostgreSQL's binary COPY, which takes half the server's work of an INSERT of arrays.

A single row uses a prepared INSERT, because a COPY takes two round trips: the client waits for permission to begin.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from psycopg.types.numeric import Int4, Int8

from gateway.audit.kept import Row

_INTO: Final = (
    b"brightline.entries (log, idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key, mark, blocks)"
)
COPY: Final = b"COPY %b FROM STDIN (FORMAT BINARY)" % _INTO
INSERT: Final = b"INSERT INTO %b VALUES (%%b, %%b, %%b, %%b, %%s, %%s, %%b, %%s, %%s, %%b, %%b)" % _INTO
_BEGIN: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_COLUMNS: Final = 11
_FIRST: Final = Struct(">hiiiq")
"""The number of columns; then log and index, each preceded by its length."""
_LENGTH: Final = Struct(">i")
_NUMBER: Final = Struct(">iq")


def packed(log: int, rows: Iterable[Row]) -> bytes:
    """The COPY data for these rows of a log."""
    pieces = [_BEGIN]
    for index, leaf, hashes, decision_id, kind, time_us, tenant, key, mark, blocks in rows:
        pieces += (
            _FIRST.pack(_COLUMNS, 4, log, 8, index),
            _sized(leaf),
            _sized(hashes),
            _sized(decision_id.encode()),
            _sized(kind.encode()),
            _NUMBER.pack(8, time_us),
            _sized(tenant.encode()),
            _NULL if key is None else _sized(key.encode()),
            _NULL if mark is None else _sized(mark),
            _NULL if blocks is None else _sized(blocks),
        )
    return b"".join((*pieces, _END))


def values(log: int, row: Row) -> tuple[object, ...]:
    """The values to insert for a single row. Integers get their column's type; each size would be a new statement."""
    index, leaf, hashes, decision_id, kind, time_us, *others = row
    return Int4(log), Int8(index), leaf, hashes, decision_id, str(kind), Int8(time_us), *others


def _sized(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value
