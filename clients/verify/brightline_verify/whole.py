"""Assembles a log from its batches: the tree, the signatures, and the rules between records.

1 each record is valid by itself (check)
2 no record is older than those before it, beyond a tolerance
3 an outcome has an earlier intent that is still open
4 stated hashes are those of the records
5 every checkpoint, kept copies included, has the root of its records
6 no decision has a second record except the outcome of its intent
7 the required number of witnesses signed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, TypeAlias

from brightline_verify.check import NOT_HASHED, OLDER, TOLERANCE_US, Bad, Part, is_early
from brightline_verify.cosignature import Witness, signed_at
from brightline_verify.distinct import Distinct
from brightline_verify.merkle import HASH_BYTES, Frontier
from brightline_verify.note import Checkpoint, NoteError, Verifier, encode, open_checkpoint
from brightline_verify.report import Problem, Report, Seen

MOST_OPEN: Final = 100_000
"""The limit on intents without an outcome. A gateway has as many as it has calls, and its next start closes those that
a crash left."""
LEAVES_AT_ONCE: Final = 256
MISPLACED: Final = "a checkpoint stands where it does not belong, or records before it are missing"


@dataclass(frozen=True, slots=True)
class Trust:
    """What an auditor trusts: the key of the log, keys and quorum of witnesses, and kept checkpoints."""

    verifier: Verifier
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    kept: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with a valid signature, after `at` records of a batch. witnesses: when each signed it."""

    at: int
    checkpoint: Checkpoint
    witnesses: dict[str, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint of which the auditor kept a copy."""

    at: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Leaves:
    """Stated hashes of earlier records, beginning with the record `first`."""

    at: int
    first: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault outside the records."""

    at: int
    what: str


Mark: TypeAlias = Signed | Kept | Leaves | Broken


@dataclass(slots=True)
class Batch:
    """Checked records, and the marks between them. nodes: the stated nodes that they complete, joined by level."""

    part: Part
    marks: list[Mark] = field(default_factory=list)
    nodes: list[bytes] | None = None


class FoundError(Exception):
    """A fault was found."""

    def __init__(self, index: int | None, decision_id: str, what: str) -> None:
        super().__init__(what)
        self.problem = Problem(index, decision_id, what)


def signed(at: int, note: object, trust: Trust) -> Mark:
    """The mark for a checkpoint's note."""
    try:
        checkpoint = open_checkpoint(note, trust.verifier)
        times = signed_at(note, trust.witnesses) if isinstance(note, bytes) else {}
    except NoteError as error:
        return Broken(at, str(error))
    return Signed(at, checkpoint, times)


class Whole:
    """Takes batches in order. tree: of the records before the first batch."""

    def __init__(self, trust: Trust, tree: Frontier | None = None) -> None:
        self._trust = trust
        self._kept = list(trust.kept)
        self.tree = tree.copy() if tree else Frontier()
        self.first = self.tree.size
        self.covered = self.checkpoints = self.earlier_outcomes = 0
        self._root = ""
        self.open_intents: dict[str, None] = {}
        self.witnesses: dict[str, Seen] = {}
        self._latest_us = self._last_us = self._gap_us = 0
        self._gap_index: int | None = None
        self._recent = b""
        self._ids = Distinct()

    def add(self, batch: Batch) -> None:
        """Take the next batch. Raises FoundError."""
        part = batch.part
        bad = self._first_bad(part)
        done, end = 0, part.count if bad is None else bad.at
        marks = sorted([*self._reached(part.count), *batch.marks], key=lambda mark: mark.at)
        for mark in (m for m in marks if m.at <= end):
            self._grow(batch, done, mark.at)
            done = mark.at
            self._look_at(mark, part)
        self._grow(batch, done, end)
        if bad is not None:
            self._blame(batch, bad)
            raise FoundError(self.tree.size, bad.decision_id, bad.what)
        self._times(part)
        self.open_intents.update(dict.fromkeys(part.opened))
        if len(self.open_intents) > MOST_OPEN:
            raise FoundError(None, "", f"more than {MOST_OPEN} intents have no outcome")
        self._ids.add(part.ids)

    def keep(self, checkpoint: Checkpoint) -> None:
        """Add a kept checkpoint, before the first batch."""
        self._kept.append(checkpoint)

    def finish(self) -> None:
        """The checks that are possible only at the end. Raises FoundError."""
        for mark in self._reached(0):
            self._look_at(mark, Part())
        for kept in self._kept:  # 5
            what = f"a kept checkpoint covers {kept.size} records, and these are {self.first} to {self.tree.size - 1}"
            raise FoundError(None, "", what)
        twice = self._ids.twice()  # 6
        if twice is not None:
            raise FoundError(None, twice.hex(), "the decision has records that don't belong together")
        if len(self.witnesses) < self._trust.quorum:  # 7
            what = f"{self._trust.quorum} witnesses are asked for, and {len(self.witnesses)} signed"
            raise FoundError(None, "", what)

    def close(self) -> None:
        """Delete temporary files."""
        self._ids.close()

    def report(self, problem: Problem | None) -> Report:
        """The report so far."""
        return Report(
            self._trust.verifier.name,
            self.first,
            self.tree.size,
            self.covered,
            self.checkpoints,
            tuple(self.open_intents),
            self.earlier_outcomes,
            self._gap_us,
            self._gap_index,
            self.witnesses,
            problem,
            root=self._root,
        )

    def _reached(self, count: int) -> list[Mark]:
        """The kept checkpoints whose size these records reach; also one of no record at all."""
        size = self.tree.size
        reached = [k for k in self._kept if size < k.size <= size + count or k.size == size == self.first]
        self._kept = [k for k in self._kept if k not in reached]
        return [Kept(k.size - size, k) for k in reached]

    def _first_bad(self, part: Part) -> Bad | None:
        found = [] if part.bad is None else [part.bad]  # 1
        found += [Bad(at, of, OLDER) for at, time_us, of in part.lows if time_us < self._latest_us - TOLERANCE_US]  # 2
        for decision_id, at in part.closed:  # 3
            if self.open_intents.pop(decision_id, self) is not self:
                continue
            if not self.first:
                found.append(Bad(at, decision_id, "an outcome without an open intent"))
                break
            self.earlier_outcomes += 1
        return min(found, key=lambda bad: bad.at, default=None)

    def _grow(self, batch: Batch, done: int, upto: int) -> None:
        size, hashes = self.tree.size, batch.part.hashes[done * HASH_BYTES : upto * HASH_BYTES]
        rows = self.tree.extend(hashes)
        self._recent = (self._recent + hashes)[-LEAVES_AT_ONCE * HASH_BYTES :]
        if batch.nodes is not None:  # 4
            told = [other[: len(row)] for row, other in zip_longest(rows, batch.nodes, fillvalue=b"")]
            batch.nodes = [other[len(row) :] for row, other in zip_longest(rows, batch.nodes, fillvalue=b"")]
            wrong = [_differing(size, *levels) for levels in enumerate(zip(rows, told, strict=False))]
            if any(at is not None for at in wrong):
                raise FoundError(min(at for at in wrong if at is not None), "", NOT_HASHED)

    def _look_at(self, mark: Mark, part: Part) -> None:
        match mark:
            case Broken():
                raise FoundError(max(self.tree.size - 1, 0), "", mark.what)
            case Leaves():
                self._compare(mark)
            case Kept(_, checkpoint):
                if checkpoint.root != self.tree.root():  # 5
                    raise FoundError(
                        None, "", f"the first {checkpoint.size} records do not have the root that was kept"
                    )
            case Signed(at, checkpoint, times):
                last = self.tree.size - 1
                if (checkpoint.size, checkpoint.root) != (self.tree.size, self.tree.root()):  # 5
                    what = f"records {self.covered} to {last} do not have the root that was signed"
                    raise FoundError(last, "", what if checkpoint.size == last + 1 else MISPLACED)
                if times and is_early(times, max((self._latest_us, *part.times[:at]))):
                    raise FoundError(None, "", f"a witness signed {checkpoint.size} records before there were as many")
                self.covered, self._root = self.tree.size, encode(checkpoint.root)
                self.checkpoints += 1
                self.witnesses.update({name: Seen(self.covered, time_s) for name, time_s in times.items()})

    def _blame(self, batch: Batch, bad: Bad) -> None:
        """Raise FoundError if a record up to the bad one is not what was hashed."""
        told = next((m for m in batch.marks if isinstance(m, Leaves) and m.at >= bad.at), None)
        if told is not None and 0 <= self.tree.size - told.first <= LEAVES_AT_ONCE:
            seen = len(self._recent) - (self.tree.size - told.first) * HASH_BYTES
            ours = self._recent[seen:] + batch.part.hashes[bad.at * HASH_BYTES : told.at * HASH_BYTES]
            if not told.hashes.startswith(ours) and ours[: len(told.hashes)] != told.hashes:
                raise FoundError(*_difference(_cut(ours), _cut(told.hashes), told.first))

    def _compare(self, told: Leaves) -> None:
        count, after = len(told.hashes) // HASH_BYTES, self.tree.size - told.first
        if not 0 < count <= LEAVES_AT_ONCE or not 0 <= after <= LEAVES_AT_ONCE:
            raise FoundError(self.tree.size, "", f"hashes of the records from {told.first} on don't belong here")
        ours = self._recent[len(self._recent) - after * HASH_BYTES :] if after else b""
        if ours != told.hashes:
            raise FoundError(*_difference(_cut(ours), _cut(told.hashes), told.first))

    def _times(self, part: Part) -> None:
        if not part.count:
            return
        start = self.tree.size - part.count
        gaps = [(part.gap_us, start + part.gap_at)]
        if start > self.first:
            gaps.append((part.first_us - self._last_us, start))
        longest = max(gaps)
        if longest[0] > self._gap_us:
            self._gap_us, self._gap_index = longest
        self._last_us, self._latest_us = part.last_us, max(self._latest_us, part.latest_us)


def _cut(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _difference(ours: list[bytes], told: list[bytes], first: int) -> tuple[int, str, str]:
    """The first record whose hash differs from the stated one, and what happened to it."""
    at = next((n for n, (one, other) in enumerate(zip(ours, told, strict=False)) if one != other), None)
    if at is None:
        at = min(len(ours), len(told))
        return first + at, "", "the record is missing" if len(ours) < len(told) else "the record was put in"
    next_ours, next_told = ours[at + 1 : at + 2], told[at + 1 : at + 2]
    if next_ours == [told[at]] and next_told == [ours[at]]:
        return first + at, "", "the record and the next have changed places"
    if next_told == [ours[at]]:
        return first + at, "", "the record is missing"
    if next_ours == [told[at]]:
        return first + at, "", "the record was put in"
    return first + at, "", NOT_HASHED


def _differing(size: int, level: int, rows: tuple[bytes, bytes]) -> int | None:
    """The first record that does not complete the expected node; None if all from `size` on do."""
    if rows[0] == rows[1]:
        return None
    at = next(n for n, (one, other) in enumerate(zip_longest(*map(_cut, rows))) if one != other)
    return ((size >> level) + at + 1 << level) - 1
