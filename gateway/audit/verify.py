"""Checks a stored log with nothing but its public key, and finds and proves single records. Reads only.

Every record, in order: 1 the next index  2 its hash and the tree nodes that it completes  3 canonical bytes of a known
kind  4 columns that say what the record says  5 no earlier than its predecessors  6 an outcome has one earlier intent
7 the root of every checkpoint, and its signature. Then: 8 no decision id has records that don't belong together
9 the database and its indexes are consistent  10 the checkpoint file fits.
It works while the log is being written, on what was there when it began. Entries after the last checkpoint are held
together by nothing that is signed; a log cut back together with its checkpoints looks whole here, and only somebody who
kept a later checkpoint can tell.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gateway.audit.merkle import Frontier, ProofError, frontier_at, inclusion_proof, leaf_hash, verify_inclusion
from gateway.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint
from gateway.audit.record import MAX_BYTES, VERSION, Kind, Record, columns
from gateway.audit.store import FORMAT, CorruptError, checkpoint_path, nodes_of
from gateway.canonical import NotCanonicalError, canonical, parse
from gateway.clock import TOLERANCE_US

_PAGE = 1000
_BEFORE_ALL = -(1 << 63)
_UNRELATED = """
SELECT min(idx), decision_id FROM entries WHERE idx < ? GROUP BY decision_id HAVING count(*) > 1
AND NOT (count(*) = 2 AND sum(kind = 'intent') = 1 AND sum(kind = 'outcome') = 1) ORDER BY 1 LIMIT 1
"""

Progress: TypeAlias = Callable[[int, int], None]
"""Told now and then how many records of how many are checked."""


class UnreadableError(Exception):
    """There is no log that could be checked."""


class _BadError(Exception):
    """Something is wrong with a record, the one at hand unless an index says otherwise."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that is wrong. index and decision_id: of the record, None and empty when it is no single one."""

    index: int | None
    decision_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, up to the problem. covered: entries under a checkpoint; open_intents: without an outcome."""

    origin: str
    size: int
    covered: int
    checkpoints: int
    open_intents: tuple[str, ...]
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, proved to be in the log. checkpoint: the signed note that the proof leads to, None when too young."""

    index: int
    record: Record
    proof: tuple[bytes, ...]
    checkpoint: bytes | None


def verify(path: Path, verifier: Verifier, progress: Progress | None = None) -> Report:
    """Check the whole log at `path`. Raises UnreadableError; everything else that is wrong is in the report."""
    with reading(path) as db:
        check = _Check(db, path, verifier)
        problem = None
        try:
            check.run(progress or (lambda _done, _size: None))
        except (_BadError, CorruptError, NoteError) as error:
            problem = Problem(check.index, check.decision_id, str(error))
        except sqlite3.Error as error:
            problem = Problem(check.index, "", f"the database can't be read here: {error}")
        intents = tuple(check.open_intents)
        return Report(verifier.name, check.size, check.covered, check.checkpoints, intents, problem)


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


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database of a log, to read from. Raises UnreadableError."""
    if not path.is_file():
        raise UnreadableError(f"{path}: there is no log here")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise UnreadableError(f"{path}: can't be opened: {error}") from error
    with closing(db):
        try:
            db.execute("SELECT format, origin FROM log").fetchall()
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: is not a log that can be read: {error}") from error
        yield db


class _Check:
    """One pass. index and decision_id: the record at hand, for the report."""

    def __init__(self, db: sqlite3.Connection, path: Path, verifier: Verifier) -> None:
        self._db = db
        self._path = path
        self._verifier = verifier
        self._tree = Frontier()
        self._latest_us = 0
        self.index: int | None = None
        self.decision_id = ""
        self.size = self.covered = self.checkpoints = 0
        self.open_intents: dict[str, None] = {}

    def run(self, progress: Progress) -> None:
        """Raises _BadError, CorruptError, NoteError, sqlite3.Error."""
        kept = self._kept()
        written = self._db.execute("SELECT format, origin FROM log").fetchall()
        if written != [(FORMAT, self._verifier.name)]:
            raise _BadError(f"not a log of format {FORMAT} and origin {self._verifier.name}, but {written}")
        self._db.execute("BEGIN")
        self.size = self._db.execute("SELECT coalesce(max(idx) + 1, 0) FROM entries").fetchone()[0]
        signed = self._db.execute("SELECT coalesce(max(size), 0), coalesce(min(size), 1) FROM checkpoints").fetchone()
        self._db.execute("COMMIT")
        last = _BEFORE_ALL
        while page := self._page(last):
            notes = self._notes(self._tree.size, page[-1][0] + 1)
            for row in page:
                self._entry(row)
                self._checkpoint(notes.get(self._tree.size))
            last = page[-1][0]
            progress(self._tree.size, self.size)
        self.index, self.decision_id = None, ""
        if signed[0] > self.size or signed[1] < 1:
            raise _BadError(f"a checkpoint covers {signed[0]} entries, but there are {self.size}: the tail is missing")
        self._whole(kept)

    def _page(self, last: int) -> list[tuple[Any, ...]]:
        query = "SELECT idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key FROM entries"
        self.index = self._tree.size
        return self._db.execute(
            f"{query} WHERE idx > ? AND idx < ? ORDER BY idx LIMIT {_PAGE}", (last, self.size)
        ).fetchall()

    def _notes(self, above: int, upto: int) -> dict[int, object]:
        query = "SELECT size, note FROM checkpoints WHERE size > ? AND size <= ?"
        return dict(self._db.execute(query, (above, upto)).fetchall())

    def _entry(self, row: tuple[Any, ...]) -> None:
        index, leaf, hashes, *stored = row
        self.index, self.decision_id = self._tree.size, str(stored[0])
        if index != self._tree.size:  # 1
            self.decision_id = ""
            raise _BadError(f"the entry is missing: the next one is {index}")
        if not isinstance(leaf, bytes) or len(leaf) > MAX_BYTES or self._tree.append(leaf) != hashes:  # 2
            raise _BadError("the record is not the one that was hashed into the tree")
        record = _parsed(leaf)  # 3
        if list(columns(record)) != stored:  # 4
            raise _BadError("the columns beside the record say something else than the record")
        _, kind, time_us, _, _ = columns(record)
        if time_us < self._latest_us - 2 * TOLERANCE_US:  # 5, from one end of what a clock may be off to the other
            raise _BadError("the record is older than the ones before it")
        self._latest_us = max(self._latest_us, time_us)
        self._pair(kind)

    def _pair(self, kind: str) -> None:
        if kind == Kind.INTENT:  # 6
            if self.decision_id in self.open_intents:
                raise _BadError("a second intent of the same decision")
            self.open_intents[self.decision_id] = None
        elif kind == Kind.OUTCOME:
            if self.decision_id not in self.open_intents:
                raise _BadError("an outcome without an open intent")
            del self.open_intents[self.decision_id]

    def _checkpoint(self, note: object) -> None:
        if note is not None:  # 7
            checkpoint = open_checkpoint(note, self._verifier)
            if (checkpoint.size, checkpoint.root) != (self._tree.size, self._tree.root()):
                raise _BadError(f"entries {self.covered} to {self.index} do not have the root that was signed")
            self.covered = self._tree.size
            self.checkpoints += 1

    def _whole(self, kept: Checkpoint | None) -> None:
        unrelated = self._db.execute(_UNRELATED, (self.size,)).fetchone()  # 8
        if unrelated:
            self.index, self.decision_id = unrelated
            raise _BadError("the decision has records that don't belong together")
        integrity = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]  # 9
        if integrity != "ok":
            raise _BadError(f"the database is damaged: {integrity}")
        if kept is None:  # 10
            if self.size:
                raise _BadError(f"{checkpoint_path(self._path)} is missing")
        elif kept.size > self.size:
            raise _BadError(f"the checkpoint file covers {kept.size} entries, but there are {self.size}")
        elif frontier_at(kept.size, nodes_of(self._db)).root() != kept.root:
            raise _BadError("the entries do not have the root of the checkpoint file")

    def _kept(self) -> Checkpoint | None:
        try:
            return open_checkpoint(checkpoint_path(self._path).read_bytes(), self._verifier)
        except OSError:
            return None


def _parsed(leaf: bytes) -> Record:
    try:
        record = parse(leaf)
        if not isinstance(record, dict) or canonical(record) != leaf:
            raise _BadError("the record is not canonical JSON")
        columns(record)
    except (NotCanonicalError, ValueError) as error:
        raise _BadError(f"the record is malformed: {error}") from error
    if record.get("v") != VERSION or record.get("kind") not in list(Kind):
        raise _BadError("the record is of a version or kind that is not known")
    return record
