"""Reads a log where the gateway keeps it: a SQLite file, and the checkpoint file beside it. Reads only.

It works while the log is being written, on what was there when it began. Beside what holds for every log, checked are
the columns and tree nodes that the database repeats, the database's own consistency, and the checkpoint file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeAlias

from brightline_verify import workers
from brightline_verify.check import NOT_HASHED, Bad, Checker, Part
from brightline_verify.merkle import HASH_BYTES, Perfect, leaf_hash
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.report import Problem, Report, UnreadableError
from brightline_verify.whole import Batch, Broken, FoundError, Trust, Whole, signed

FORMAT: Final = 1
_AT_ONCE: Final = 1000
_ALONE: Final = 10_000
"""Below this many records, starting processes takes longer than checking."""
_ROWS: Final = """
SELECT idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key FROM entries WHERE idx >= ? AND idx < ?
ORDER BY idx
"""
_SECOND: Final = """
SELECT idx FROM entries WHERE decision_id = ? AND kind <> 'outcome' ORDER BY idx LIMIT 1 OFFSET 1
"""
_NOTES: Final = "SELECT size, note FROM checkpoints WHERE size > ? AND size <= ? ORDER BY size"

Progress: TypeAlias = Callable[[int, int], None]
"""Told now and then how many records of how many are checked."""


def checkpoint_path(path: Path) -> Path:
    """Where the latest checkpoint of the log at `path` is, outside the database."""
    return path.with_name(path.name + ".checkpoint")


class CorruptError(Exception):
    """What is stored is not what was written. Only a person can decide what happens next."""


def nodes_of(connection: sqlite3.Connection) -> Perfect:
    """Looks up stored nodes of the tree. The lookup raises CorruptError."""

    def perfect(level: int, n: int) -> bytes:
        last = ((n + 1) << level) - 1
        row = connection.execute("SELECT hashes FROM entries WHERE idx = ?", (last,)).fetchone()
        hashes = row[0] if row and isinstance(row[0], bytes) else b""
        node = hashes[level * HASH_BYTES : (level + 1) * HASH_BYTES]
        if len(node) != HASH_BYTES:
            raise CorruptError(f"entry {last} or its hashes are missing")
        return node

    return perfect


def verify(path: Path, trust: Trust, *, processes: int = 1, progress: Progress = lambda _done, _size: None) -> Report:
    """Check the whole log at `path`. Raises UnreadableError; everything else that is wrong is in the report."""
    problem = None
    with reading(path) as db, closing(Whole(trust)) as whole:
        try:
            published = _published(path, trust.verifier)
            if published is not None:
                whole.keep(published)
            size, longest, shortest = _begin(db, trust.verifier)
            tasks = ((path, at, min(at + _AT_ONCE, size), trust) for at in range(0, size, _AT_ONCE))
            for batch in workers.run(check_rows, tasks, processes if size > _ALONE else 1):
                whole.add(batch)
                progress(whole.tree.size, size)
            if longest > size or shortest < 1:
                what = f"a checkpoint covers {longest} entries, but there are {size}: the tail is missing"
                raise FoundError(None, "", what)  # noqa: TRY301 - one place for all that is found
            whole.finish()
            _end(db, path, missing=published is None and size > 0)
        except FoundError as found:
            problem = _named(db, found.problem)
        except sqlite3.Error as error:
            problem = Problem(whole.tree.size, "", f"the database can't be read here: {error}")
        return whole.report(problem)


def _named(db: sqlite3.Connection, problem: Problem) -> Problem:
    """The problem with index and decision id of its record, as far as that can be read."""
    with suppress(sqlite3.Error):
        if problem.index is None and problem.decision_id:
            row = db.execute(_SECOND, (problem.decision_id,)).fetchone()
            return replace(problem, index=row[0]) if row else problem
        if problem.index is not None and not problem.decision_id:
            row = db.execute("SELECT decision_id FROM entries WHERE idx = ?", (problem.index,)).fetchone()
            return replace(problem, decision_id=str(row[0])) if row else problem
    return problem


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The log at `path`, to be read. Raises UnreadableError when there is none."""
    if not path.is_file():
        raise UnreadableError(f"{path}: there is no log here")
    try:
        db = _connect(path)
    except sqlite3.Error as error:
        raise UnreadableError(f"{path}: can't be opened: {error}") from error
    with closing(db):
        try:
            db.execute("SELECT format, origin FROM log").fetchall()
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: is not a log that can be read: {error}") from error
        yield db


def check_rows(path: Path, first: int, end: int, trust: Trust) -> Batch:
    """Check the records from `first` to `end` - 1, and the checkpoints over them."""
    with closing(_connect(path)) as db:
        try:
            rows = db.execute(_ROWS, (first, end)).fetchall()
            notes = db.execute(_NOTES, (first, end)).fetchall()
            after = db.execute("SELECT min(idx) FROM entries WHERE idx >= ?", (end,)).fetchone()[0]
        except sqlite3.Error as error:
            return Batch(Part(), [Broken(0, f"the database can't be read here: {error}")])
    sound = list(takewhile(lambda row: row[1][0] == row[0] and isinstance(row[1][1], bytes), enumerate(rows, first)))
    leaves = [row[1] for _, row in sound]
    nodes = [row[2] if _is_whole(row[2], index) else b"" for index, row in sound]
    part = _checker().check(leaves, [tuple(row[3:]) for _, row in sound])
    _compare_hashes(part, leaves, nodes)
    if len(sound) < end - first:
        index = rows[len(sound)][0] if len(sound) < len(rows) else after
        what = f"the entry is missing: the next one is {index}" if index != first + len(sound) else NOT_HASHED
        part.found(len(sound), str(rows[len(sound)][3]) if what is NOT_HASHED else "", what)
    return Batch(part, [signed(size - first, note, trust) for size, note in notes], _by_level(nodes))


def _by_level(nodes: Sequence[bytes]) -> list[bytes]:
    levels = max(map(len, nodes), default=0) // HASH_BYTES
    cuts = [slice(level * HASH_BYTES, (level + 1) * HASH_BYTES) for level in range(levels)]
    return [b"".join([node[cut] for node in nodes]) for cut in cuts]


def _is_whole(hashes: object, index: int) -> bool:
    """Whether these are as many hashes as the record with that index completes."""
    return isinstance(hashes, bytes) and len(hashes) == HASH_BYTES * (index ^ (index + 1)).bit_length()


def _compare_hashes(part: Part, leaves: Sequence[bytes], nodes: Sequence[bytes]) -> None:
    """A record that was changed is told as that, whatever else is wrong with it."""
    if part.bad is not None and leaf_hash(leaves[part.bad.at]) != nodes[part.bad.at][:HASH_BYTES]:
        part.bad = Bad(part.bad.at, part.bad.decision_id, NOT_HASHED)
    told = b"".join(node[:HASH_BYTES] for node in nodes[: part.count])
    if not part.hashes.startswith(told):
        at = next(n for n in range(part.count) if leaf_hash(leaves[n]) != nodes[n][:HASH_BYTES])
        part.found(at, "", NOT_HASHED)


def _published(path: Path, verifier: Verifier) -> Checkpoint | None:
    """What the checkpoint file says; read first, so that the log has all of it. None when there is no file."""
    try:
        return open_checkpoint(checkpoint_path(path).read_bytes(), verifier)
    except NoteError as error:
        raise FoundError(None, "", f"{checkpoint_path(path)}: {error}") from error
    except OSError:
        return None


def _begin(db: sqlite3.Connection, verifier: Verifier) -> tuple[int, int, int]:
    """How many records there are now, and the sizes of the longest and the shortest checkpoint."""
    written = db.execute("SELECT format, origin FROM log").fetchall()
    if written != [(FORMAT, verifier.name)]:
        raise FoundError(None, "", f"not a log of format {FORMAT} and origin {verifier.name}, but {written}")
    db.execute("BEGIN")
    first, last = db.execute("SELECT coalesce(min(idx), 0), coalesce(max(idx), -1) FROM entries").fetchone()
    longest, shortest = db.execute("SELECT coalesce(max(size), 0), coalesce(min(size), 1) FROM checkpoints").fetchone()
    db.execute("COMMIT")
    if first < 0:
        raise FoundError(first, "", "the log begins with 0")
    return last + 1, longest, shortest


def _end(db: sqlite3.Connection, path: Path, *, missing: bool) -> None:
    integrity = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if integrity != "ok":
        raise FoundError(None, "", f"the database is damaged: {integrity}")
    if missing:
        raise FoundError(None, "", f"{checkpoint_path(path)} is missing")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


@cache
def _checker() -> Checker:
    """One for each process: it learns."""
    return Checker()
