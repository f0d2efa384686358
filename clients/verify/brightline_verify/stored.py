"""Verifies a log where a gateway stores it, in any supported database. Read-only.

It works while the log is being written, on the records that exist when it begins. In addition to the checks for every
log, it checks the columns and tree nodes that the database repeats, the database's own consistency, and the checkpoint
outside the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from functools import cache
from itertools import takewhile
from typing import Final, Protocol, TypeAlias, TypeVar

from brightline_verify import workers
from brightline_verify.blocks import WIDTH, blocks_at, place_of
from brightline_verify.check import NOT_HASHED, Bad, Checker, Part
from brightline_verify.merkle import HASH_BYTES, Perfect, leaf_hash
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.report import Problem, Report, UnreadableError
from brightline_verify.whole import Batch, Broken, FoundError, Trust, Whole, signed

T = TypeVar("T")
FORMAT: Final = 1
_ALONE: Final = 10_000
"""Below this number of records, starting processes takes longer than checking."""

Row: TypeAlias = tuple[int, bytes, bytes, str, str, int, str, str | None]
"""Index, leaf, completed hashes, decision id, kind, time, tenant and idempotency key."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the number of records checked and the total."""


class CorruptError(Exception):
    """The stored data is not what was written. A person has to decide what to do."""


class Rows(Protocol):
    """An open log for reading. Values may be of any type, because a database is not trusted.

    Every method raises UnreadableError if the database fails.
    """

    def written(self) -> list[tuple[object, object]]:
        """Format and origin, as the database states them."""

    def ends(self) -> tuple[int, int]:
        """The smallest index, and the largest plus one; 0 and 0 if there is no record."""

    def sizes(self) -> tuple[int, int]:
        """The sizes of the shortest and the longest checkpoint; 1 and 0 if there is none."""

    def rows(self, first: int, end: int) -> Iterator[Row]:
        """The records from `first` to `end` - 1, in order."""

    def next_index(self, index: int) -> int | None:
        """The smallest index from `index` on, or None."""

    def of_decision(self, decision_id: str) -> list[Row]:
        """The records of a decision, in order."""

    def hashes(self, indexes: Sequence[int]) -> dict[int, object]:
        """The hashes that these records completed, for the records that exist."""

    def blocks(self, indexes: Sequence[int]) -> dict[int, object]:
        """The blocks of nodes stored beside these records, for the records that exist."""

    def marks(self, first: int, end: int) -> dict[int, object]:
        """The marks beside the records from `first` to `end` - 1. Only the holder of the log's key can check them."""

    def notes(self, above: int, upto: int) -> list[tuple[int, object]]:
        """The checkpoints of more than `above` and at most `upto` records, in order."""

    def last_note(self, upto: int | None = None) -> tuple[int, object] | None:
        """Size and note of the last checkpoint, of at most `upto` records."""

    def last_time_us(self) -> int:
        """The time of the last record; 0 if there is none."""

    def damage(self) -> str:
        """What the database finds wrong with itself; empty if nothing."""


class Source(Protocol):
    """The place of a log, for readers other than the gateway. It is passed to several processes."""

    def reading(self) -> AbstractContextManager[Rows]:
        """Open the log. Raises UnreadableError if there is none."""

    def begun(self) -> bool:
        """Whether the log exists. Raises UnreadableError."""

    def published(self) -> bytes | None:
        """The latest checkpoint outside the database, or None. Raises OSError."""

    @property
    def at_once(self) -> int:
        """How many records to read at a time."""

    @property
    def beside(self) -> str:
        """The place of that checkpoint; empty if this kind of store has none."""


def nodes_of(rows: Rows) -> Perfect:
    """A lookup of stored nodes of the tree. The lookup raises CorruptError, UnreadableError."""

    def perfect(level: int, n: int) -> bytes:
        last = ((n + 1) << level) - 1
        return _node(rows.hashes([last]), level, last)

    return perfect


def gathered(rows: Rows, make: Callable[[Perfect], T], size: int = 0) -> T:
    """The result of `make`, with all the nodes that it needs read at once. A trial run finds out which it needs.

    size: blocks below it are used, so the result has to be compared with a root. Raises CorruptError, UnreadableError.
    """
    wanted: set[tuple[int, int]] = set()

    def noted(level: int, n: int) -> bytes:
        wanted.add((level, n))
        return bytes(HASH_BYTES)

    make(noted)
    nodes = _of_blocks(rows, wanted, size)
    rest = {node: ((node[1] + 1) << node[0]) - 1 for node in wanted - nodes.keys()}
    found = rows.hashes(sorted(set(rest.values()))) if rest else {}
    nodes |= {node: _node(found, node[0], last) for node, last in rest.items()}
    return make(lambda level, n: nodes[level, n])


def _of_blocks(rows: Rows, wanted: set[tuple[int, int]], size: int) -> dict[tuple[int, int], bytes]:
    """The nodes that are in blocks. A log that an earlier version began may have no blocks."""
    places = {node: (record, at) for node in wanted for record, at in [place_of(*node)] if record < size}
    blocks = rows.blocks(sorted({record for record, _ in places.values()})) if places else {}
    nodes = {}
    for node, (record, at) in places.items():
        block = blocks.get(record)
        found = block[at : at + HASH_BYTES] if isinstance(block, bytes) else b""
        if len(found) == HASH_BYTES:
            nodes[node] = found
    return nodes


def _node(found: dict[int, object], level: int, last: int) -> bytes:
    node = _whole(found.get(last), last)[level * HASH_BYTES : (level + 1) * HASH_BYTES]
    if len(node) != HASH_BYTES:
        raise CorruptError(f"entry {last} or its hashes are missing")
    return node


def completed(rows: Rows, indexes: Sequence[int]) -> dict[int, bytes]:
    """The hashes that these records completed. Raises CorruptError, UnreadableError."""
    found = rows.hashes(indexes)
    return {index: _whole(found.get(index), index) for index in indexes}


def _whole(hashes: object, index: int) -> bytes:
    if not isinstance(hashes, bytes):
        raise CorruptError(f"entry {index} or its hashes are missing")
    return hashes


def verify(
    source: Source,
    trust: Trust,
    *,
    processes: int = 1,
    progress: Progress = lambda _done, _size: None,
    unsigned: bool = False,
) -> Report:
    """Check the whole log. Raises UnreadableError; all other faults are in the report.

    unsigned: accept a log without any checkpoint. The caller then has to check the marks of its records.
    """
    problem = None
    with source.reading() as rows, closing(Whole(trust)) as whole:
        try:
            published = _published(source, trust.verifier)
            if published is not None:
                whole.keep(published)
            size, longest, shortest = _begin(rows, trust.verifier)
            step = source.at_once
            tasks = ((source, at, min(at + step, size), trust) for at in range(0, size, step))
            for batch in workers.run(check_rows, tasks, processes if size > _ALONE else 1):
                whole.add(batch)
                progress(whole.tree.size, size)
            if longest > size or shortest < 1:
                what = f"a checkpoint covers {longest} entries, but there are {size}: the tail is missing"
                raise FoundError(None, "", what)  # noqa: TRY301 - one place for all faults
            whole.finish()
            if size and not whole.covered and not unsigned:
                what = "no checkpoint covers any of the records, so nothing proves them"
                raise FoundError(None, "", what)  # noqa: TRY301 - see above
            _end(rows, source.beside if published is None and size else "")
        except FoundError as found:
            problem = _named(rows, found.problem)
        except UnreadableError as error:
            problem = Problem(whole.tree.size, "", f"the database can't be read here: {error}")
        return whole.report(problem)


def check_rows(source: Source, first: int, end: int, trust: Trust) -> Batch:
    """Check the records from `first` to `end` - 1, and their checkpoints."""
    try:
        with source.reading() as log:
            rows, notes = list(log.rows(first, end)), log.notes(first, end)
            after = log.next_index(end) if len(rows) < end - first else None
            odd = _odd_blocks(log, rows)
    except UnreadableError as error:
        readable, what = _readable(source, first, end), f"the database can't be read here: {error}"
        if readable == end:
            return Batch(Part(), [Broken(0, what)])  # the records are readable, but the checkpoints are not
        batch = check_rows(source, first, readable, trust) if readable > first else Batch(Part())
        batch.part.found(readable - first, "", what)
        return batch
    sound = list(takewhile(lambda row: row[1][0] == row[0] and isinstance(row[1][1], bytes), enumerate(rows, first)))
    leaves = [row[1] for _, row in sound]
    nodes = [row[2] if _is_whole(row[2], index) else b"" for index, row in sound]
    part = _checker().check(leaves, [row[3:] for _, row in sound])
    _compare_hashes(part, leaves, nodes)
    if odd is not None:
        part.found(odd - first, "", "the nodes that are kept beside the record are not those of the tree")
    if len(sound) < end - first:
        index = rows[len(sound)][0] if len(sound) < len(rows) else after
        what = f"the entry is missing: the next one is {index}" if index != first + len(sound) else NOT_HASHED
        part.found(len(sound), str(rows[len(sound)][3]) if what is NOT_HASHED else "", what)
    return Batch(part, [signed(size - first, note, trust) for size, note in notes], _by_level(nodes))


def _odd_blocks(log: Rows, rows: Sequence[Row]) -> int | None:
    """The first record with other blocks beside it than those that it completes."""
    known: dict[int, object] = {row[0]: row[2] for row in rows}

    def look_up(indexes: Sequence[int]) -> dict[int, bytes]:
        found = known if known.keys() >= set(indexes) else log.hashes(indexes)
        return {index: _whole(found.get(index), index) for index in indexes}

    kept = log.blocks([index for index in known if index % WIDTH == WIDTH - 1])
    with suppress(CorruptError):  # an earlier record is missing, which is reported as such
        for index, blocks in sorted(kept.items()):
            if blocks is not None and blocks != b"".join(blocks_at(index, look_up)):
                return index
    return None


def _readable(source: Source, first: int, end: int) -> int:
    """The first record from `first` on that can't be read; `end` if all can."""
    bad = end + 1
    while bad - first > 1:
        middle = (first + bad) // 2
        try:
            with source.reading() as log:
                list(log.rows(first, middle))
            first = middle
        except UnreadableError:
            bad = middle
    return first


def _named(rows: Rows, problem: Problem) -> Problem:
    """The problem with index and decision id of its record, if they can be read."""
    with suppress(UnreadableError):
        if problem.index is None and problem.decision_id:
            others = [row[0] for row in rows.of_decision(problem.decision_id) if row[4] != "outcome"]
            return replace(problem, index=others[1]) if others[1:] else problem
        if problem.index is not None and not problem.decision_id:
            found = [row[3] for row in rows.rows(problem.index, problem.index + 1)]
            return replace(problem, decision_id=str(found[0])) if found else problem
    return problem


def _by_level(nodes: Sequence[bytes]) -> list[bytes]:
    levels = max(map(len, nodes), default=0) // HASH_BYTES
    cuts = [slice(level * HASH_BYTES, (level + 1) * HASH_BYTES) for level in range(levels)]
    return [b"".join([node[cut] for node in nodes]) for cut in cuts]


def _is_whole(hashes: object, index: int) -> bool:
    """Whether the number of hashes is what the record with that index completes."""
    return isinstance(hashes, bytes) and len(hashes) == HASH_BYTES * (index ^ (index + 1)).bit_length()


def _compare_hashes(part: Part, leaves: Sequence[bytes], nodes: Sequence[bytes]) -> None:
    """Report a changed record as changed, whatever else is wrong with it."""
    if part.bad is not None and leaf_hash(leaves[part.bad.at]) != nodes[part.bad.at][:HASH_BYTES]:
        part.bad = Bad(part.bad.at, part.bad.decision_id, NOT_HASHED)
    told = b"".join(node[:HASH_BYTES] for node in nodes[: part.count])
    if not part.hashes.startswith(told):
        at = next(n for n in range(part.count) if leaf_hash(leaves[n]) != nodes[n][:HASH_BYTES])
        part.found(at, "", NOT_HASHED)


def _published(source: Source, verifier: Verifier) -> Checkpoint | None:
    """The checkpoint outside the database, or None. It is read first, so that the log has all of its records."""
    try:
        note = source.published()
        return None if note is None else open_checkpoint(note, verifier)
    except NoteError as error:
        raise FoundError(None, "", f"{source.beside}: {error}") from error
    except OSError:
        return None


def _begin(rows: Rows, verifier: Verifier) -> tuple[int, int, int]:
    """The current number of records, and the sizes of the longest and the shortest checkpoint."""
    written = rows.written()
    if written != [(FORMAT, verifier.name)]:
        raise FoundError(None, "", f"not a log of format {FORMAT} and origin {verifier.name}, but {written}")
    shortest, longest = rows.sizes()  # read first: a record is stored before its checkpoint
    first, end = rows.ends()
    if first < 0:
        raise FoundError(first, "", "the log begins with 0")
    return end, longest, shortest


def _end(rows: Rows, missing: str) -> None:
    damage = rows.damage()
    if damage:
        raise FoundError(None, "", f"the database is damaged: {damage}")
    if missing:
        raise FoundError(None, "", f"{missing} is missing")


@cache
def _checker() -> Checker:
    """The checker of this process, cached because it learns shapes."""
    return Checker()
