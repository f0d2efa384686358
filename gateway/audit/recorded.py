"""The inputs of the decisions in a log, exactly as they were decided about: what another policy can be tried on.

These are the decisions about what was asked. Of those about an answer the log has readings and rules, but no input.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gateway.audit.note import Verifier
from gateway.audit.record import Kind
from gateway.audit.verify import UnreadableError, reading, verify
from gateway.canonical import NotCanonicalError, canonical, parse

_KINDS = (Kind.INTENT, Kind.REFUSAL, Kind.CHECK)
_WHERE = f"FROM entries WHERE kind IN ({', '.join('?' * len(_KINDS))})"


def count(path: Path) -> int:
    """How many records may have an input. Raises UnreadableError."""
    with reading(path) as db:
        return int(db.execute(f"SELECT count(*) {_WHERE}", _KINDS).fetchone()[0])


def inputs(path: Path, verifier: Verifier) -> Iterator[tuple[int, bytes]]:
    """The index of each record that has an input, and {"id": its decision, "input": ...} in JSON.

    Nothing is given out of a log in which anything does not hold. Raises UnreadableError.
    """
    if problem := verify(path, verifier).problem:
        raise UnreadableError(f"{path}: is not verified, and nothing of it is used: {problem.what}")
    with reading(path) as db:
        try:
            for index, leaf in db.execute(f"SELECT idx, leaf {_WHERE} ORDER BY idx", _KINDS):
                record = parse(leaf)
                if isinstance(record, dict) and isinstance(record.get("input"), dict):
                    yield index, canonical({"id": record["decision_id"], "input": record["input"]})
        except (sqlite3.Error, NotCanonicalError) as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error
