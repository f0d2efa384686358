"""What reviewers read at a gateway: the log beside its writer, its index, and proofs. Synchronous, for other threads.

Nothing here asks who reads: a tenant of None reads everything, any other its own records. Records are read from the log
each time, and what a record says decides whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from brightline_verify.merkle import ProofError, inclusion_proof, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, Verifier, encode, open_checkpoint
from brightline_verify.proof import Proof
from brightline_verify.report import UnreadableError
from brightline_verify.stored import Source
from gateway.audit import index as indexes
from gateway.audit import reader, search
from gateway.audit.filter import Filter
from gateway.audit.index import StaleError
from gateway.audit.pages import Pages
from gateway.audit.reader import Reader
from gateway.audit.search import BehindError, Found, Page, Place, Position, said

UNINDEXED: Final = 5000
"""Records that a search looks through without an index: about a second of a busy gateway, and 50 ms."""
WATCHED_AT_ONCE: Final = 200

Proved: TypeAlias = tuple[Found, Proof | None]

__all__ = ["Archive", "BehindError", "NoteError", "ProofError", "StaleError", "UnreadableError"]


@dataclass(frozen=True, slots=True)
class Archive:
    """The log of one gateway, and where its index is. Everything raises UnreadableError. pages: for where to go on.

    unindexed: how many records a search looks through one by one; None for any number.
    """

    source: Source
    index: Path
    verifier: Verifier
    pages: Pages
    unindexed: int | None = UNINDEXED

    def search(self, looked_for: Filter, start: Position | None, most: int) -> Page:
        """A page of records. Raises BehindError while the index has too little."""
        with self._places() as places:
            return search.page(places, looked_for, start, most)

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Found]:
        """The records of a decision in the order of the log; none where another tenant's."""
        with reader.opened(self.source) as log:
            return _of_decision(log, decision_id, tenant)

    def proved(self, decision_id: str, tenant: str | None) -> list[Proved]:
        """The same with their proofs; None for one that no checkpoint covers yet. Raises ProofError, NoteError."""
        with reader.opened(self.source) as log:
            found = _of_decision(log, decision_id, tenant)
            checkpoint, note = self._checkpoint(log) or (None, b"")
            return [(one, _proof(log, one, checkpoint, note)) for one in found]

    def end(self) -> Position:
        """Where the log ends now."""
        with reader.opened(self.source) as log:
            return {log.origin: log.size()}

    def since(self, start: Position, looked_for: Filter) -> tuple[list[Found], Position, bool]:
        """Records from there on that fit, where it goes on, and whether there is more now."""
        with reader.opened(self.source) as log:
            first, size = start.get(log.origin, 0), log.size()
            rows = log.since(first, looked_for.tenant or None, WATCHED_AT_ONCE)
            more = len(rows) == WATCHED_AT_ONCE
            last = rows[-1][0] + 1 if rows else first
            found = [Found(log.origin, i, leaf, record) for i, leaf in rows if looked_for.fits(record := said(leaf))]
            return found, {log.origin: last if more else max(last, size)}, more

    def exported(self, looked_for: Filter) -> Iterator[bytes]:
        """A file of the records under the last checkpoint that fit, newest first, with proofs (docs/spec/log.md).

        Raises BehindError, ProofError, NoteError.
        """
        with reader.opened(self.source) as log:
            signed = self._checkpoint(log)
        if signed is None:
            raise UnreadableError(f"{self.source}: there is no checkpoint yet")
        checkpoint, note = signed
        header = {"brightline": "records", "checkpoint": note.decode(), "origin": checkpoint.origin, "v": 1}
        yield _line(header)
        position: Position | None = {checkpoint.origin: checkpoint.size}
        while position is not None:
            with self._places() as places:
                page = search.page(places, looked_for, position)
                log = places[0].reader
                proofs = [_proof(log, found, checkpoint, note) for found in page.found]
            yield b"".join(_exported(one, proof) for one, proof in zip(page.found, proofs, strict=True))
            position = page.rest

    @contextmanager
    def _places(self) -> Iterator[Sequence[Place]]:
        with ExitStack() as stack:
            log = stack.enter_context(reader.opened(self.source))
            try:
                found = stack.enter_context(indexes.opened(self.index, log))
            except StaleError:
                found = None
            yield [Place(log, found, self.unindexed)]

    def _checkpoint(self, log: Reader) -> tuple[Checkpoint, bytes] | None:
        note = log.note()
        return None if note is None else (open_checkpoint(note, self.verifier), note)


def _of_decision(log: Reader, decision_id: str, tenant: str | None) -> list[Found]:
    wanted = Filter(decision_id=decision_id, tenant=tenant or "")
    found = ((index, leaf, said(leaf)) for index, leaf in log.of_decision(decision_id, tenant))
    return [Found(log.origin, index, leaf, record) for index, leaf, record in found if wanted.fits(record)]


def _proof(log: Reader, found: Found, checkpoint: Checkpoint | None, note: bytes) -> Proof | None:
    """The proof, which holds: what a database says is not handed on unseen."""
    if checkpoint is None or found.index >= checkpoint.size:
        return None
    proof = Proof(found.index, tuple(inclusion_proof(found.index, checkpoint.size, log.perfect)), note)
    verify_inclusion(leaf_hash(found.leaf), found.index, checkpoint.size, proof.hashes, checkpoint.root)
    return proof


def _exported(found: Found, proof: Proof | None) -> bytes:
    if proof is None:
        return b""
    hashes = [encode(node) for node in proof.hashes]
    return _line({"hashes": hashes, "index": found.index, "record": found.leaf.decode()})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
