"""Reads a verified log record by record, for statistics, conversion to other formats, or replay by another policy.

Reads in the order of the log and in constant memory. The log is read twice: to verify it, and for its records. The
database could change in between, so the second reading must arrive at the verified root.
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
    """A log that was verified without a problem, and the result of verification."""

    log: Source
    report: Report

    def records(
        self, *, first: int = 0, end: int = _EVER_US, since_us: int = 0, before_us: int = _EVER_US
    ) -> Iterator[tuple[int, bytes, Record]]:
        """Index, leaf and content of the records of a period, from `first` to `end` - 1, that a checkpoint covers.

        Raises UnreadableError, even at the end: then the records yielded so far were not those that were verified.
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
    """Verify a log. Raises UnreadableError if anything is wrong."""
    report = verify(log, Trust(verifier), processes=os.cpu_count() or 1, progress=progress)
    if report.problem:
        raise UnreadableError(f"{log}: is not verified, and nothing of it is used: {report.problem.what}")
    return Verified(log, report)


def records(log: Source, first: int, end: int) -> Iterator[tuple[int, bytes, Record]]:
    """Index, leaf and content of each record from `first` to `end` - 1, unverified. Raises UnreadableError."""
    with log.reading() as rows:
        try:
            for index, leaf, *_ in rows.rows(first, end):
                yield index, leaf, orjson.loads(leaf)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"{log}: can't be read: {error}") from error
