"""Rows as PostgreSQL's binary COPY has them: half the server's work of an INSERT of arrays, for one row or for many."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from gateway.audit.store import Row

COPY: Final = b"""
COPY brightline.entries (log, idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key, mark)
FROM STDIN (FORMAT BINARY)
"""
_BEGIN: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_COLUMNS: Final = 10
_FIRST: Final = Struct(">hiiiq")
"""How many columns; the log and the index, each after its length."""
_LENGTH: Final = Struct(">i")
_NUMBER: Final = Struct(">iq")


def packed(log: int, rows: Iterable[Row]) -> bytes:
    """What is sent for these rows of a log."""
    pieces = [_BEGIN]
    for index, leaf, hashes, decision_id, kind, time_us, tenant, key, mark in rows:
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
        )
    return b"".join((*pieces, _END))


def _sized(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value
