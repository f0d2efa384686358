"""What a log says, record by record, for who makes something of it: statistics, other formats, another policy's try.

Reads in the order of the log and with constant memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import orjson

from brightline_verify.note import Verifier
from brightline_verify.report import Report, UnreadableError
from brightline_verify.stored import Progress, Source, verify
from brightline_verify.whole import Trust
from gateway.audit.record import Record

_EVER_US = 2**63 - 1


def verified(log: Source, verifier: Verifier, progress: Progress = lambda _done, _size: None) -> Report:
    """What verification found in a log in which everything holds. Raises UnreadableError for any other."""
    report = verify(log, Trust(verifier), processes=os.cpu_count() or 1, progress=progress)
    if report.problem:
        raise UnreadableError(f"{log}: is not verified, and nothing of it is used: {report.problem.what}")
    return report


def records(
    log: Source, *, first: int = 0, end: int | None = None, since_us: int = 0, before_us: int = _EVER_US
) -> Iterator[tuple[int, bytes, Record]]:
    """Index, leaf and content of each record of that period from `first` to `end` - 1. Raises UnreadableError.

    Whether the log holds is for `verified` to say; what does not parse at all is unreadable.
    """
    with log.reading() as rows:
        try:
            for index, leaf, _, _, _, time_us, *_ in rows.rows(first, rows.ends()[1] if end is None else end):
                if since_us <= time_us < before_us:
                    yield index, leaf, orjson.loads(leaf)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"{log}: can't be read: {error}") from error
