"""Finds the records of a decision in a stored log, and proves them. Needs only the log's public key; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from brightline_verify.merkle import ProofError, frontier_at, inclusion_proof, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.proof import Proof
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError, Rows, Source, gathered
from gateway.audit.record import Record
from gateway.canonical import NotCanonicalError, parse


@dataclass(frozen=True, slots=True)
class Shown:
    """A record: its bytes and content. proof: that it is in the log; None if no checkpoint covers it yet."""

    index: int
    leaf: bytes
    record: Record
    proof: Proof | None


def last_time_us(log: Source) -> int:
    """The time of the last record; 0 if there is none. Raises UnreadableError."""
    with log.reading() as rows:
        return rows.last_time_us()


def compare(log: Source, verifier: Verifier, kept: bytes | None) -> None:
    """Check that the log extends a checkpoint that was kept. None: check that the log is empty.
    Raises UnreadableError, which names both sizes, and NoteError.
    """
    checkpoint = None if kept is None else open_checkpoint(kept, verifier)
    size = 0
    if log.begun():
        with log.reading() as rows:
            try:
                _, size = rows.ends()
                if checkpoint and 0 < checkpoint.size <= size:
                    _same_root(gathered(rows, partial(frontier_at, checkpoint.size)).root(), checkpoint)
            except CorruptError as error:
                raise UnreadableError(f"{log}: can't be read: {error}") from error
    if checkpoint is None and size:
        raise UnreadableError(f"its checkpoint is missing, and the log has {size} entries; run: brightline audit lock")
    if checkpoint is not None and checkpoint.size > size:
        raise UnreadableError(f"its checkpoint was signed over {checkpoint.size} entries, but the log has {size}")


def _same_root(root: bytes, checkpoint: Checkpoint) -> None:
    if root != checkpoint.root:
        raise UnreadableError("the log went another way: its entries do not have this root")


def show(log: Source, verifier: Verifier, decision_id: str, note: bytes | None = None) -> list[Shown]:
    """The records of a decision, each proved to be in the log. Raises UnreadableError, ProofError.

    note: the checkpoint that proofs lead to, for example with signatures of witnesses; by default the latest.
    """
    with log.reading() as rows:
        try:
            led_to = (rows.last_note() or (0, None))[1] if note is None else note
            read = [(index, leaf, said(index, leaf, decision_id)) for index, leaf, *_ in rows.of_decision(decision_id)]
            signed = open_checkpoint(led_to, verifier) if read and led_to is not None else None
            return [Shown(i, leaf, record, _proof(rows, signed, led_to, i, leaf)) for i, leaf, record in read]
        except (CorruptError, NoteError, UnreadableError) as error:
            raise ProofError(str(error)) from error


def said(index: object, leaf: object, decision_id: str) -> Record:
    """The content of a record, which must be one of that decision. Raises ProofError."""
    try:
        value = parse(leaf) if isinstance(leaf, bytes) else None
    except NotCanonicalError as error:
        raise ProofError(f"entry {index}: {error}") from error
    if type(index) is not int or index < 0 or not isinstance(value, dict) or value.get("decision_id") != decision_id:
        raise ProofError(f"entry {index} is no record of this decision")
    return value


def _proof(rows: Rows, signed: Checkpoint | None, note: object, index: int, leaf: bytes) -> Proof | None:
    """The verified proof. signed: the content of the note, which is checked once for all records of the decision."""
    if signed is None or not isinstance(note, bytes) or index >= signed.size:
        return None
    hashes = gathered(rows, partial(inclusion_proof, index, signed.size), signed.size)
    verify_inclusion(leaf_hash(leaf), index, signed.size, hashes, signed.root)
    return Proof(index, tuple(hashes), note)
