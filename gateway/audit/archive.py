"""What reviewers read at a gateway: logs, indexes and proofs. Synchronous, for use in threads.

Nothing here authenticates the reader. Tenant None reads all records; any other reads its own. Records are read from the
log each time, and the record itself says which tenant it belongs to.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from brightline_verify.merkle import ProofError, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, Verifier, encode, open_checkpoint, split
from brightline_verify.proof import Proof
from brightline_verify.report import UnreadableError
from gateway.audit import index as indexes
from gateway.audit import reader, search
from gateway.audit.filter import Filter
from gateway.audit.index import Held, StaleError
from gateway.audit.page_tokens import PageTokens
from gateway.audit.reader import Reader
from gateway.audit.search import BehindError, Found, Page, Place, Position, said

UNINDEXED: Final = 5000
"""The most records that a search scans without an index: a busy gateway writes them in a second; a scan takes 50 ms."""
WATCHED_AT_ONCE: Final = 200

_NONE: Final = (None, b"")
"""Stands for the checkpoint of a log that has none."""

Proved: TypeAlias = tuple[Found, Proof | None]

__all__ = ["Archive", "BehindError", "NoteError", "ProofError", "StaleError", "UnreadableError"]


@dataclass(frozen=True, slots=True)
class Archive:
    """The logs kept together, read as one log in the order of time. All methods raise UnreadableError.

    logs: lists the logs there are now. own: the gateway's own log. keys: verifiers by the name of the log, with the own
    log's. Checkpoints of a log without a key here are passed on unverified.
    pages: makes page tokens. unindexed: the most records of a log that a search scans one by one; None for any number.
    """

    logs: Callable[[], Sequence[Held]]
    own: Held
    keys: Mapping[str, Verifier]
    pages: PageTokens
    unindexed: int | None = UNINDEXED

    def search(self, looked_for: Filter, start: Position | None, most: int) -> Page:
        """A page of records. Raises BehindError while an index lacks too many records."""
        with self._places(self.logs()) as places:
            return search.page(places, looked_for, start, most)

    def of_decision(self, decision_id: str, tenant: str | None) -> list[Found]:
        """The records of a decision in the order of its log; none if they are another tenant's."""
        with self._readers() as logs:
            return [found for log in logs for found in _of_decision(log, decision_id, tenant)]

    def proved(self, decision_id: str, tenant: str | None) -> list[Proved]:
        """The records of a decision with proofs; a proof is None if no checkpoint covers the record yet.

        Raises ProofError, NoteError.
        """
        proved: list[Proved] = []
        with self._readers() as logs:
            for log in logs:
                checkpoint, note = self._checkpoint(log) or (None, b"")
                found = _of_decision(log, decision_id, tenant)
                proved += zip(found, _proofs(log, found, checkpoint, note), strict=True)
        return proved

    def end(self) -> Position:
        """Where the logs end now."""
        with self._readers() as logs:
            return {log.origin: log.size() for log in logs}

    def since(self, start: Position, looked_for: Filter) -> tuple[list[Found], Position, bool]:
        """Matching records from `start` on, the position to continue from, and whether there is more now.

        Records of one log keep the log's order even if their times don't: a position is one index per log.
        """
        each: list[list[Found]] = []
        after: dict[str, int] = {}
        more = False
        with self._readers() as logs:
            for log in logs:
                new, after[log.origin], full = _since(log, start.get(log.origin, 0), looked_for)
                each.append(new)
                more = more or full
        return list(heapq.merge(*each, key=lambda one: int(one.record["time_us"]))), after, more

    def exported(self, looked_for: Filter) -> Iterator[bytes]:
        """An export of the matching records that each log's last checkpoint covers, newest first, with proofs.

        docs/spec/log.md describes the format. Raises BehindError, ProofError, NoteError.
        """
        with self._readers() as logs:
            signed = {log.origin: found for log in logs if (found := self._checkpoint(log))}
        if not signed:
            raise UnreadableError(f"{self.own.source}: there is no checkpoint yet")
        several = len(signed) > 1
        yield _header({origin: note for origin, (_, note) in signed.items()})
        position: Position | None = {origin: checkpoint.size for origin, (checkpoint, _) in signed.items()}
        while position is not None:
            with self._places(self.logs()) as places:
                page = search.page(places, looked_for, position)
                proofs = {
                    (origin, proof.index): proof
                    for origin, log in ((place.reader.origin, place.reader) for place in places)
                    for proof in _proofs(log, [f for f in page.found if f.origin == origin], *signed.get(origin, _NONE))
                    if proof is not None
                }
            yield b"".join(_exported(one, proofs[one.origin, one.index], several=several) for one in page.found)
            position = page.rest

    @contextmanager
    def _readers(self) -> Iterator[list[Reader]]:
        with ExitStack() as stack:
            yield [stack.enter_context(reader.opened(one.source)) for one in self.logs()]

    @contextmanager
    def _places(self, held: Sequence[Held]) -> Iterator[list[Place]]:
        with ExitStack() as stack:
            places = []
            for one in held:
                log = stack.enter_context(reader.opened(one.source))
                try:
                    found = stack.enter_context(indexes.opened(one.index, log))
                except StaleError:
                    found = None
                places.append(Place(log, found, self.unindexed))
            yield places

    def _checkpoint(self, log: Reader) -> tuple[Checkpoint, bytes] | None:
        """The latest checkpoint, verified by the log's key. Without that key, unverified: the recipient has the key."""
        note = log.note()
        if note is None:
            return None
        key = self.keys.get(log.origin)
        return open_checkpoint(note, key) if key else Checkpoint.parse(split(note)[0]), note


def _since(log: Reader, first: int, looked_for: Filter) -> tuple[list[Found], int, bool]:
    size = log.size()
    rows = log.since(first, looked_for.tenant or None, WATCHED_AT_ONCE)
    more = len(rows) == WATCHED_AT_ONCE
    last = rows[-1][0] + 1 if rows else first
    found = [Found(log.origin, i, leaf, record) for i, leaf in rows if looked_for.fits(record := said(leaf))]
    return found, last if more else max(last, size), more


def _of_decision(log: Reader, decision_id: str, tenant: str | None) -> list[Found]:
    wanted = Filter(decision_id=decision_id, tenant=tenant or "")
    found = ((index, leaf, said(leaf)) for index, leaf in log.of_decision(decision_id, tenant))
    return [Found(log.origin, index, leaf, record) for index, leaf, record in found if wanted.fits(record)]


def _proofs(log: Reader, found: Sequence[Found], checkpoint: Checkpoint | None, note: bytes) -> list[Proof | None]:
    """The verified proof of each record. None for a record that the checkpoint does not cover yet."""
    if checkpoint is None:
        return [None] * len(found)
    covered = [one for one in found if one.index < checkpoint.size]
    made: dict[int, Proof] = {}
    for one, hashes in zip(covered, log.proofs([one.index for one in covered], checkpoint.size), strict=True):
        verify_inclusion(leaf_hash(one.leaf), one.index, checkpoint.size, hashes, checkpoint.root)
        made[one.index] = Proof(one.index, hashes, note)
    return [made.get(one.index) for one in found]


def _header(notes: Mapping[str, bytes]) -> bytes:
    """The first line of an export. Its form depends on whether there are several logs."""
    logs = [{"checkpoint": note.decode(), "origin": origin} for origin, note in notes.items()]
    return _line({"brightline": "records", **({"logs": logs, "v": 2} if len(logs) > 1 else {**logs[0], "v": 1})})


def _exported(found: Found, proof: Proof, *, several: bool) -> bytes:
    line: dict[str, object] = {"hashes": [encode(node) for node in proof.hashes], "index": found.index}
    if several:
        line["origin"] = found.origin
    return _line({**line, "record": found.leaf.decode()})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
