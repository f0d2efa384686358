"""Finds single records in a stored log, and proves them. Reads only, with nothing but the log's public key."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brightline_verify.database import CorruptError, nodes_of, reading
from brightline_verify.merkle import ProofError, inclusion_proof, leaf_hash, verify_inclusion
from brightline_verify.note import NoteError, Verifier, open_checkpoint
from brightline_verify.report import UnreadableError
from gateway.audit.record import Record
from gateway.canonical import NotCanonicalError, parse


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, proved to be in the log. checkpoint: the signed note that the proof leads to, None when too young."""

    index: int
    record: Record
    proof: tuple[bytes, ...]
    checkpoint: bytes | None


def last_time_us(path: Path) -> int:
    """The time of the last record, 0 when there is none. Raises UnreadableError."""
    with reading(path) as db:
        try:
            (time_us,) = db.execute("SELECT coalesce(max(time_us), 0) FROM entries").fetchone()
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error
    return int(time_us)


def show(path: Path, verifier: Verifier, decision_id: str) -> list[Shown]:
    """The records of a decision, each proved to be in the log. Raises UnreadableError, ProofError."""
    with reading(path) as db:
        try:
            db.execute("BEGIN")
            note = db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
            query = "SELECT idx, leaf FROM entries WHERE decision_id = ? ORDER BY idx"
            found = db.execute(query, (decision_id,)).fetchall()
            return [_proved(db, verifier, decision_id, row, note[0] if note else None) for row in found]
        except (sqlite3.Error, CorruptError, NoteError, NotCanonicalError) as error:
            raise ProofError(str(error)) from error


def _proved(db: sqlite3.Connection, verifier: Verifier, decision_id: str, row: tuple[Any, Any], note: Any) -> Shown:
    index, leaf = row
    if not isinstance(leaf, bytes) or index < 0:
        raise ProofError(f"entry {index} is no record")
    value = parse(leaf)
    if not isinstance(value, dict) or value.get("decision_id") != decision_id:
        raise ProofError(f"entry {index} is no record of this decision")
    checkpoint = None if note is None else open_checkpoint(note, verifier)
    if checkpoint is None or index >= checkpoint.size:
        return Shown(index, value, (), None)
    proof = inclusion_proof(index, checkpoint.size, nodes_of(db))
    verify_inclusion(leaf_hash(leaf), index, checkpoint.size, proof, checkpoint.root)
    return Shown(index, value, tuple(proof), note)
