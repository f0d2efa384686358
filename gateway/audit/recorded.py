"""What a log says, record by record, for who makes something of it: statistics, other formats, another policy's try.

Reads in the order of the log and with constant memory. The inputs are those of the decisions about what was asked,
exactly as they were decided about; of those about an answer the log has readings and rules, but no input.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson

from brightline_verify.database import Progress, reading, verify
from brightline_verify.note import Verifier
from brightline_verify.record import Kind
from brightline_verify.report import Report, UnreadableError
from brightline_verify.whole import Trust
from gateway.audit.record import Record
from gateway.canonical import NotCanonicalError, canonical, parse

_KINDS = (Kind.INTENT, Kind.REFUSAL, Kind.CHECK)
_WHERE = f"FROM entries WHERE kind IN ({', '.join('?' * len(_KINDS))})"
_FROM = "SELECT idx, leaf FROM entries WHERE idx >= ? AND time_us >= ? AND time_us < ? ORDER BY idx"
_EVER_US = 2**63 - 1


def verified(path: Path, verifier: Verifier, progress: Progress = lambda _done, _size: None) -> Report:
    """What verification found in a log in which everything holds. Raises UnreadableError for any other."""
    report = verify(path, Trust(verifier), processes=os.cpu_count() or 1, progress=progress)
    if report.problem:
        raise UnreadableError(f"{path}: is not verified, and nothing of it is used: {report.problem.what}")
    return report


def records(
    path: Path, *, first: int = 0, since_us: int = 0, before_us: int = _EVER_US
) -> Iterator[tuple[int, bytes, Record]]:
    """Index, leaf and content of each record from `first` of that period. Raises UnreadableError.

    Whether the log holds is for `verified` to say; what does not parse at all is unreadable.
    """
    with reading(path) as db:
        try:
            for index, leaf in db.execute(_FROM, (first, since_us, before_us)):
                yield index, leaf, orjson.loads(leaf)
        except (sqlite3.Error, orjson.JSONDecodeError) as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error


def count(path: Path) -> int:
    """How many records may have an input. Raises UnreadableError."""
    with reading(path) as db:
        return int(db.execute(f"SELECT count(*) {_WHERE}", _KINDS).fetchone()[0])


def inputs(path: Path, verifier: Verifier) -> Iterator[tuple[int, bytes]]:
    """The index of each record that has an input, and {"id": its decision, "input": ...} in JSON.

    Nothing is given out of a log in which anything does not hold. Raises UnreadableError.
    """
    verified(path, verifier)
    with reading(path) as db:
        try:
            for index, leaf in db.execute(f"SELECT idx, leaf {_WHERE} ORDER BY idx", _KINDS):
                record = parse(leaf)
                if isinstance(record, dict) and isinstance(record.get("input"), dict):
                    yield index, canonical({"id": record["decision_id"], "input": record["input"]})
        except (sqlite3.Error, NotCanonicalError) as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error
