"""What a log says, record by record, for who makes something of it: statistics, other formats, another policy's try.

Reads in the order of the log and with constant memory. A log is read once to verify it and once more for its records,
and nothing vouches for a database in between: so the second time it has to lead to the root that was verified.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import orjson

from brightline_verify.merkle import frontier_at
from brightline_verify.note import Verifier, encode
from brightline_verify.report import Report, UnreadableError
from brightline_verify.stored import CorruptError, Progress, Source, gathered, verify
from brightline_verify.whole import Trust
from gateway.audit.record import Record

_EVER_US = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Verified:
    """A log in which everything holds, and what verification found."""

    log: Source
    report: Report

    def records(
        self, *, first: int = 0, end: int = _EVER_US, since_us: int = 0, before_us: int = _EVER_US
    ) -> Iterator[tuple[int, bytes, Record]]:
        """Index, leaf and content of each record of that period from `first` to `end` - 1 that a checkpoint covers.

        Raises UnreadableError, at the end too: what was made of the records until then is of another log.
        """
        covered = self.report.covered
        if first >= covered:
            return
        with self.log.reading() as rows:
            try:
                tree = gathered(rows, partial(frontier_at, first))
                for index, leaf, *_ in rows.rows(first, covered):
                    if index != tree.size or not isinstance(leaf, bytes):
                        break
                    tree.append(leaf)
                    record = orjson.loads(leaf)
                    if index < end and since_us <= record["time_us"] < before_us:
                        yield index, leaf, record
            except (CorruptError, orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise UnreadableError(f"{self.log}: changed after it was verified: {error}") from error
        if (tree.size, encode(tree.root())) != (covered, self.report.root):
            raise UnreadableError(f"{self.log}: changed after it was verified: nothing of it is used")


def verified(log: Source, verifier: Verifier, progress: Progress = lambda _done, _size: None) -> Verified:
    """A log in which everything holds. Raises UnreadableError for any other."""
    report = verify(log, Trust(verifier), processes=os.cpu_count() or 1, progress=progress)
    if report.problem:
        raise UnreadableError(f"{log}: is not verified, and nothing of it is used: {report.problem.what}")
    return Verified(log, report)


def records(log: Source, first: int, end: int) -> Iterator[tuple[int, bytes, Record]]:
    """Index, leaf and content of each record from `first` to `end` - 1, verified by nobody. Raises UnreadableError."""
    with log.reading() as rows:
        try:
            for index, leaf, *_ in rows.rows(first, end):
                yield index, leaf, orjson.loads(leaf)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"{log}: can't be read: {error}") from error
