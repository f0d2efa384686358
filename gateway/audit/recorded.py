"""The inputs of the decisions in a log, exactly as they were decided about: what another policy can be tried on.

These are the decisions about what was asked. Of those about an answer the log has readings and rules, but no input.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from brightline_verify.database import reading, verify
from brightline_verify.note import Verifier
from brightline_verify.record import Kind
from brightline_verify.report import UnreadableError
from brightline_verify.whole import Trust
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
    if problem := verify(path, Trust(verifier), processes=os.cpu_count() or 1).problem:
        raise UnreadableError(f"{path}: is not verified, and nothing of it is used: {problem.what}")
    with reading(path) as db:
        try:
            for index, leaf in db.execute(f"SELECT idx, leaf {_WHERE} ORDER BY idx", _KINDS):
                record = parse(leaf)
                if isinstance(record, dict) and isinstance(record.get("input"), dict):
                    yield index, canonical({"id": record["decision_id"], "input": record["input"]})
        except (sqlite3.Error, NotCanonicalError) as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error
