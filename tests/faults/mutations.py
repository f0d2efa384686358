"""Mutations of a stored log: what who may do everything in the database may do to it.

An insider may also mend what needs no key: the columns beside records, their indexes, every hash of the tree.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from brightline_verify.merkle import Frontier, leaf_hash
from brightline_verify.record import Kind
from brightline_verify.stored import Row
from gateway.audit.record import Entry, columns, entry
from gateway.canonical import canonical
from tests.support import logs

SIZE: Final = 24
EVERY: Final = 7
"""Records between checkpoints."""
FORKED: Final = 2 * EVERY
"""Up to here the log and its fork are the same."""


@dataclass(frozen=True)
class Content:
    """Everything that a log's tables say."""

    rows: tuple[Row, ...]
    notes: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Made:
    """The log, and others to take from. fork: a gateway went on from an older copy. stranger: of another gateway."""

    log: Content
    fork: Content
    stranger: Content


# --- what is changed --------------------------------------------------------------------------------------------------

Change: TypeAlias = Callable[[Content, Made, Random], Content]


def edit(log: Content, _: Made, dice: Random) -> Content:
    """A byte of a record, of the hashes beside it, or of a checkpoint becomes another."""
    if dice.random() < 0.2:
        at = dice.randrange(len(log.notes))
        size, note = log.notes[at]
        return replace(log, notes=_with(log.notes, at, (size, _flipped(note, dice))))
    at, column = dice.randrange(len(log.rows)), dice.choice((1, 2))
    return _set(log, at, column, _flipped(as_bytes(log.rows[at][column]), dice))


def forge(log: Content, _: Made, dice: Random) -> Content:
    """A record says something else, and is sound by itself: who asked, what for, what became of it, when."""
    at = dice.randrange(len(log.rows))
    said = json.loads(log.rows[at][1])
    match dice.choice(("who", "where", "when", "outcome")):
        case "who" if said.get("principal"):
            said["principal"]["tenant"] = "forged"
        case "outcome" if "outcome" in said:
            said["outcome"] = "completed" if said["outcome"] != "completed" else "refused"
        case "when":
            said["time_us"] += dice.choice((-1, 1))
        case _:
            said["where"]["node"] = "forged"
    leaf = canonical(said)
    return _set(log, at, 1, leaf)


def retell(log: Content, _: Made, dice: Random) -> Content:
    """A column beside a record says something else."""
    column = dice.choice((3, 4, 5, 6, 7))
    value = dice.randrange(1 << 40) if column == 5 else f"other-{dice.randrange(99)}"
    return _set(log, dice.randrange(len(log.rows)), column, value)


def delete(log: Content, _: Made, dice: Random) -> Content:
    """Records are gone; those after them stay where they are, or move down."""
    first = dice.randrange(len(log.rows))
    end = dice.randrange(first, len(log.rows)) + 1
    left = log.rows[:first] + log.rows[end:]
    return replace(log, rows=_counted(left) if dice.random() < 0.5 else left)


def insert(log: Content, made: Made, dice: Random) -> Content:
    """A record is pushed in between others: a new one, a copy, or one of another log."""
    at, from_ = dice.randrange(len(log.rows) + 1), dice.choice((made.log, made.fork, made.stranger))
    new = dice.choice(from_.rows) if dice.random() < 0.7 else _row(entry(logs.record(Kind.REFUSAL, 7_000_000)))
    return replace(log, rows=_counted((*log.rows[:at], (*new[:7], None), *log.rows[at:])))


def reorder(log: Content, _: Made, dice: Random) -> Content:
    """Records change places."""
    first, end = sorted(dice.sample(range(len(log.rows) + 1), 2))
    moved = list(log.rows[first:end])
    dice.shuffle(moved)
    return replace(log, rows=_counted((*log.rows[:first], *moved, *log.rows[end:])))


def truncate(log: Content, _: Made, dice: Random) -> Content:
    """The tail is gone, and maybe every checkpoint that tells of it."""
    size = dice.randrange(len(log.rows))
    notes = tuple(n for n in log.notes if n[0] <= size) if dice.random() < 0.7 else log.notes
    return Content(log.rows[:size], notes)


def restore(_: Content, made: Made, dice: Random) -> Content:
    """An older copy is put back, and maybe a gateway with the log's own key went on from it."""
    if dice.random() < 0.5:
        return made.fork
    size = dice.randrange(SIZE)
    return Content(made.log.rows[:size], tuple(n for n in made.log.notes if n[0] <= size))


def splice(log: Content, made: Made, dice: Random) -> Content:
    """The beginning of one log and the end of another, with the checkpoints of either."""
    other = dice.choice((made.fork, made.stranger))
    head, tail = dice.sample((log, other), 2)
    at = dice.randrange(1, SIZE)
    beyond = dice.choice((head, tail)).notes
    notes = [*(n for n in head.notes if n[0] <= at), *(n for n in beyond if n[0] > at)]
    return Content(head.rows[:at] + tail.rows[at:], tuple(notes))


CHANGES: Final[tuple[Change, ...]] = (edit, forge, retell, delete, insert, reorder, truncate, restore, splice)


def mended(log: Content) -> Content:
    """Everything that can be made again without a key: indexes, hashes, and columns that say what the record says."""
    tree, rows = Frontier(), list[Row]()
    for index, row in enumerate(log.rows):
        beside: tuple[Any, ...] = row[3:]
        with suppress(ValueError):
            beside = columns(json.loads(row[1]))
        rows.append((index, row[1], tree.append(row[1]), *beside))
    return replace(log, rows=tuple(rows))


@dataclass(frozen=True)
class Mutation:
    """Changes, one after the other. mend: whether who made them mended the rest."""

    changes: tuple[Change, ...]
    dice: int
    mend: bool

    def of(self, made: Made) -> Content:
        """The log afterwards."""
        content, dice = made.log, Random(self.dice)  # noqa: S311 - dice
        for change in self.changes:
            if content.rows and content.notes:  # the first may leave nothing for the second
                content = change(content, made, dice)
        return mended(content) if self.mend else content

    def __repr__(self) -> str:
        return f"{'+'.join(change.__name__ for change in self.changes)} dice={self.dice} mend={self.mend}"


MUTATIONS: Final = st.builds(
    Mutation,
    st.lists(st.sampled_from(CHANGES), min_size=1, max_size=2).map(tuple),
    st.integers(0, 1 << 32),
    st.booleans(),
)


def _counted(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple((index, *row[1:]) for index, row in enumerate(rows))


def _row(new: Entry) -> Row:
    return 0, new.leaf, leaf_hash(new.leaf), new.decision_id, new.kind, new.time_us, new.tenant, None


def _set(log: Content, at: int, column: int, value: object) -> Content:
    row: tuple[Any, ...] = log.rows[at]
    return replace(log, rows=_with(log.rows, at, (*row[:column], value, *row[column + 1 :])))


def _with(values: tuple[Any, ...], at: int, value: object) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _flipped(value: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(value))
    return value[:at] + bytes([value[at] ^ dice.randrange(1, 256)]) + value[at + 1 :]


def as_bytes(value: object) -> bytes:
    """What a database gave, which has to be bytes."""
    assert isinstance(value, bytes)
    return value
