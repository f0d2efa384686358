"""The only writer of a log: the tree, the rules for appending, checkpoints, and recovery after an error.

The database makes rows durable (`sqlite`, `postgres`); everything that makes rows a log is here. A batch is one
statement, so one transaction and one sync. An entry carries the tree hashes that it completed, so the tree is never
ahead of or behind its entries. Synchronous code, for one thread at a time.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import partial
from typing import TypeAlias

from brightline_verify.blocks import Growing, growing_at
from brightline_verify.merkle import Frontier, frontier_at
from brightline_verify.note import Checkpoint, NoteError, Signer, open_checkpoint
from brightline_verify.record import Kind
from brightline_verify.stored import CorruptError, completed, gathered
from gateway.audit.kept import Kept, Key, Place, Row, TakenError
from gateway.audit.marks import Marks, Tail, replayed
from gateway.audit.record import Entry
from gateway.clock import TOLERANCE_US
from gateway.errors import StartError

MAX_BATCH = 256


class Rejection(Enum):
    """Why an entry was not written although the store works."""

    DUPLICATE_KEY = "the tenant used this idempotency key before"
    NOTHING_TO_CLOSE = "no open intent of this decision id"
    REPLACED = "the release that decided is not in force any more"


Result: TypeAlias = int | Rejection
"""The index of an entry in the log, or why it has none."""


class Store:
    """The only writer of a log. `frontier` is the tree of everything that is known to be durable."""

    def __init__(self, kept: Kept, signer: Signer, *, lock_store: Place | None = None) -> None:
        """Open the log and check its tail, or create it. Raises StartError.

        1 no other process writes it  2 it has this format and origin  3 its last checkpoint is signed by this key and
        fits the entries below  4 this key wrote every entry above  5 the log is not behind the checkpoint file
        6 nor behind the lock store  7 nor behind the last mark
        """
        self._kept = kept
        self._signer = signer
        self._marks = Marks(signer)
        self._lock_store = lock_store
        self._places = [*kept.places, *([lock_store] if lock_store else [])]
        self._in_doubt: tuple[Frontier, Growing, list[Result], list[Row]] | None = None
        try:
            kept.open(signer.verifier.name)  # 1, 2
            self.frontier = self._tail()  # 3, 4
            self._growing = growing_at(self.frontier.size, partial(completed, kept.rows))
            self._compare()  # 5, 6
            self._compare_tail(kept.tail)  # 7
            self._open = {decision_id: (index, tenant) for index, decision_id, tenant in kept.open_intents()}
        except (OSError, CorruptError, NoteError) as error:
            kept.release()
            raise StartError(f"{kept}: {error}") from error

    def append(self, entries: Sequence[Entry]) -> list[Result]:
        """Write at most MAX_BATCH entries, all or none. After any exception the result is unknown: see recover."""
        taken: set[Key] = set()
        while True:
            after, growing, results, rows = self._laid_out(entries, taken)
            if not rows:
                return results
            self._in_doubt = after, growing, results, rows
            try:
                # Crash before this commit: none of these records, and nothing was forwarded or answered for them. Crash
                # after it: intents without an outcome, which the next start marks outcome_unknown.
                self._kept.insert(rows)
                self._kept.tail.write(after.size, self._marks.of(after))
            except TakenError:
                self._in_doubt = None
                found = self._kept.used((row[6], row[7]) for row in rows if row[7] is not None)
                if not found:
                    raise CorruptError("a key is taken and can't be found") from None
                taken |= found
            else:
                self.frontier, self._growing, self._in_doubt = after, growing, None
                self._follow(rows)
                return results

    def recover(self) -> list[Result] | None:
        """After an error, reopen and read back. Returns the results of the batch in doubt; None if it is not durable.

        Raises OSError while the trouble lasts, and CorruptError.
        """
        self._kept.reopen()
        if self._frontier_at(self.frontier.size) != self.frontier:
            raise CorruptError("entries that were durable have changed")
        durable = replayed(self._kept.rows, self._marks, self.frontier)
        results = None
        if durable != self.frontier:
            if self._in_doubt is None or durable != self._in_doubt[0]:
                raise CorruptError("the log holds entries that nobody wrote")
            _, self._growing, results, rows = self._in_doubt
            self._follow(rows)
        self._kept.tail.write(durable.size, self._marks.of(durable))
        self.frontier, self._in_doubt = durable, None
        return results

    @property
    def unsigned(self) -> int:
        """How many entries no checkpoint covers yet."""
        return self.frontier.size - self._signed_size

    def checkpoint(self, *, again: bool = False) -> None:
        """Sign the tree as it is, unless that was done. again: write the checkpoint again, to test that it can be kept.

        Raises OSError, CorruptError.
        """
        if not self.unsigned and not (again and self.frontier.size):
            return
        note = self._sign()
        if self._lock_store is not None:
            kept = self._lock_store.read()
            if kept is None:
                raise FileNotFoundError(errno.ENOENT, f"{self._lock_store} has lost its checkpoint")
            self._fits(kept, self._lock_store)  # checks that no other log of this origin wrote there
        # Crash before this commit: the entries are durable, and the next start checks them without a checkpoint.
        open_from, _ = next(iter(self._open.values()), (self.frontier.size, ""))
        self._kept.sign(self.frontier.size, note, open_from)
        if self._kept.rows.last_note() != (self.frontier.size, note):
            raise CorruptError("the log holds a checkpoint that nobody signed here")
        for place in self._places:
            # Crash before this write: this place is behind the log, which is no sign of a rollback.
            place.write(note)
        self._signed_size = self.frontier.size

    def close(self) -> None:
        """Sign a last checkpoint and release the log, even if signing fails. Raises as checkpoint does."""
        try:
            if self._in_doubt is None:
                self.checkpoint()
        finally:
            self._kept.release()

    def last_time_us(self) -> int:
        """The time of the last record; 0 if there is none. Raises OSError."""
        return self._kept.rows.last_time_us()

    def compare_clock(self, now_us: int) -> None:
        """Raise StartError when the last record is in the future: what came after it would be older. Raises OSError."""
        ahead_us = self.last_time_us() - now_us
        if ahead_us > TOLERANCE_US:
            raise StartError(in_the_future(ahead_us))

    def releases(self) -> Iterator[bytes]:
        """The records of starts and of releases, the latest first. Raises OSError."""
        return self._kept.releases()

    def leaves(self) -> Iterator[bytes]:
        """Every record, in order. Raises OSError, and CorruptError, even at the end, if a record was changed."""
        tree = Frontier()
        for index, leaf, *_ in self._kept.rows.rows(0, self.frontier.size):
            if index != tree.size or not isinstance(leaf, bytes):
                break
            tree.append(leaf)
            yield leaf
        if tree != self.frontier:
            raise CorruptError("records are not what was written; run: brightline audit verify")

    def orphans(self) -> list[Key]:
        """Decision id and tenant of every intent without an outcome, in order."""
        return [(decision_id, tenant) for decision_id, (_, tenant) in self._open.items()]

    def _follow(self, rows: Sequence[Row]) -> None:
        """Note that these rows are durable. An intent is open until its outcome."""
        for index, _, _, decision_id, kind, _, tenant, *_ in rows:
            if kind == Kind.INTENT:
                self._open[decision_id] = index, tenant
            elif kind == Kind.OUTCOME:
                self._open.pop(decision_id, None)

    def _laid_out(self, entries: Sequence[Entry], taken: set[Key]) -> tuple[Frontier, Growing, list[Result], list[Row]]:
        """The tree after these entries, the result of each, and the rows, given the idempotency keys that are taken."""
        after, growing = self.frontier.copy(), self._growing.copy()
        results: list[Result] = []
        rows: list[Row] = []
        keys, beside = set(taken), set[tuple[str, str]]()
        for e in entries:
            rejection = self._rejection(e, keys, beside)
            results.append(rejection or after.size)
            if rejection is None:
                beside.add((e.decision_id, e.kind))
                index = after.size
                hashes = after.append(e.leaf)
                columns = e.decision_id, e.kind, e.time_us, e.tenant, e.idempotency_key
                rows.append((index, e.leaf, hashes, *columns, None, growing.append(hashes)))
        if rows:
            last = rows[-1]
            rows[-1] = (*last[:8], self._marks.of(after), last[9])
        return after, growing, results, rows

    def _rejection(self, e: Entry, keys: set[Key], beside: set[tuple[str, str]]) -> Rejection | None:
        """Why not to write `e`. beside: decision id and kind of what is written before it in the same batch."""
        if e.closes:
            kinds = {row[4] for row in self._kept.rows.of_decision(e.decision_id)}
            kinds |= {kind for kind in (Kind.INTENT, Kind.OUTCOME) if (e.decision_id, kind) in beside}
            if Kind.INTENT not in kinds or Kind.OUTCOME in kinds:
                return Rejection.NOTHING_TO_CLOSE
            return None
        if e.idempotency_key is not None:
            key = (e.tenant, e.idempotency_key)
            if key in keys:
                return Rejection.DUPLICATE_KEY
            keys.add(key)
        return None

    def _tail(self) -> Frontier:
        last = self._kept.rows.last_note()
        self._signed_size = last[0] if last else 0
        frontier = self._frontier_at(self._signed_size)
        if last:
            signed = open_checkpoint(last[1], self._signer.verifier)
            if (signed.size, signed.root) != (frontier.size, frontier.root()):
                raise CorruptError(f"the entries do not have the root of the checkpoint of size {last[0]}")
        return replayed(self._kept.rows, self._marks, frontier)

    def _compare(self) -> None:
        for place in self._places:
            note = place.read()
            if note is None and self.frontier.size:
                hint = "; run: brightline audit lock" if place is self._lock_store else ""
                raise CorruptError(f"{place} is missing: without it a log that lost its tail looks whole{hint}")
            if note is None:
                note = self._sign()  # crash before it is written: an empty log, and the next start is here again
            else:
                self._fits(note, place)
            place.write(note)  # perhaps unchanged: a place that can't be written must fail before calls are served

    def _compare_tail(self, tail: Tail) -> None:
        last = tail.read()
        if last is not None:
            size, mark = last
            if size > self.frontier.size:
                raise CorruptError(f"the log has {self.frontier.size} entries, but {tail} is the mark of {size}")
            if self._marks.of(self._frontier_at(size)) != mark:
                raise CorruptError(f"the entries do not have the mark of {tail}")
        tail.begin(self.frontier.size, self._marks.of(self.frontier))

    def _fits(self, note: bytes, place: Place) -> None:
        """Raises CorruptError unless the log extends the checkpoint in this note."""
        try:
            signed = open_checkpoint(note, self._signer.verifier)
        except NoteError as error:
            raise CorruptError(f"{place}: {error}") from error
        if signed.size > self.frontier.size:
            raise CorruptError(f"the log has {self.frontier.size} entries, but {place} was signed over {signed.size}")
        if self._frontier_at(signed.size).root() != signed.root:
            raise CorruptError(f"the entries do not have the root of {place}")

    def _frontier_at(self, size: int) -> Frontier:
        return gathered(self._kept.rows, partial(frontier_at, size))

    def _sign(self) -> bytes:
        origin = self._signer.verifier.name
        return self._signer.sign(Checkpoint(origin, self.frontier.size, self.frontier.root()).text())


def in_the_future(ahead_us: int) -> str:
    """What is wrong with a log whose last record is that far ahead of the clock."""
    return f"the last record is {ahead_us // 1_000_000} s in the future: the clock went back; set it right"
