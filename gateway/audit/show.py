"""Finds single records in a stored log, and proves them. Reads only, with nothing but the log's public key."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from brightline_verify.database import CorruptError, nodes_of, reading
from brightline_verify.merkle import ProofError, frontier_at, inclusion_proof
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.proof import Proof
from brightline_verify.report import UnreadableError
from gateway.audit.record import Record
from gateway.canonical import NotCanonicalError, parse


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, as it was written and as what it says. proof: that it is in the log; None when it is too young."""

    index: int
    leaf: bytes
    record: Record
    proof: Proof | None


def last_time_us(path: Path) -> int:
    """The time of the last record, 0 when there is none. Raises UnreadableError."""
    with reading(path) as db:
        try:
            (time_us,) = db.execute("SELECT coalesce(max(time_us), 0) FROM entries").fetchone()
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: can't be read: {error}") from error
    return int(time_us)


def compare(path: Path, verifier: Verifier, kept: bytes | None) -> None:
    """Check that the log goes on from a checkpoint of it that was kept; None: that it has not begun either.

    Raises UnreadableError, which names both sizes, and NoteError.
    """
    checkpoint = None if kept is None else open_checkpoint(kept, verifier)
    size = 0
    if path.exists():
        with reading(path) as db:
            try:
                size = db.execute("SELECT coalesce(max(idx) + 1, 0) FROM entries").fetchone()[0]
                if checkpoint and 0 < checkpoint.size <= size:
                    _same_root(frontier_at(checkpoint.size, nodes_of(db)).root(), checkpoint)
            except (sqlite3.Error, CorruptError) as error:
                raise UnreadableError(f"{path}: can't be read: {error}") from error
    if checkpoint is None and size:
        raise UnreadableError(f"its checkpoint is missing, and the log has {size} entries; run: brightline audit lock")
    if checkpoint is not None and checkpoint.size > size:
        raise UnreadableError(f"its checkpoint was signed over {checkpoint.size} entries, but the log has {size}")


def _same_root(root: bytes, checkpoint: Checkpoint) -> None:
    if root != checkpoint.root:
        raise UnreadableError("the log went another way: its entries do not have this root")


def show(path: Path, verifier: Verifier, decision_id: str, note: bytes | None = None) -> list[Shown]:
    """The records of a decision, each proved to be in the log. Raises UnreadableError, ProofError.

    note: the checkpoint that proofs lead to, for example with the signatures of witnesses; else the latest.
    """
    with reading(path) as db:
        try:
            db.execute("BEGIN")
            if note is None:
                row = db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
                note = row[0] if row else None
            query = "SELECT idx, leaf FROM entries WHERE decision_id = ? ORDER BY idx"
            found = db.execute(query, (decision_id,)).fetchall()
            read = [(index, leaf, _read(index, leaf, decision_id)) for index, leaf in found]
            return [Shown(i, leaf, record, _proof(db, verifier, note, i, leaf)) for i, leaf, record in read]
        except (sqlite3.Error, CorruptError, NoteError, NotCanonicalError) as error:
            raise ProofError(str(error)) from error


def _read(index: int, leaf: object, decision_id: str) -> Record:
    value = parse(leaf) if isinstance(leaf, bytes) else None
    if index < 0 or not isinstance(value, dict) or value.get("decision_id") != decision_id:
        raise ProofError(f"entry {index} is no record of this decision")
    return value


def _proof(db: sqlite3.Connection, verifier: Verifier, note: bytes | None, index: int, leaf: bytes) -> Proof | None:
    size = 0 if note is None else open_checkpoint(note, verifier).size
    if note is None or index >= size:
        return None
    proof = Proof(index, tuple(inclusion_proof(index, size, nodes_of(db))), note)
    proof.verify(leaf, verifier)
    return proof
