"""Exports a verified log as a file of events, one in each line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import IO, Final

from brightline_verify.note import Verifier
from brightline_verify.report import UnreadableError
from brightline_verify.stored import Source
from gateway.audit import recorded
from gateway.siem import cef, ocsf
from gateway.siem.event import Event


def as_ocsf(of: Event) -> str:
    """The OCSF event of a record, as JSON in one line."""
    return json.dumps(ocsf.event(of), separators=(",", ":"))


FORMATS: Final[Mapping[str, Callable[[Event], str]]] = {"ocsf": as_ocsf, "cef": cef.line}
"""The function that formats a record as one line, by the name of the format."""


def write(
    log: Source, verifier: Verifier, out: IO[bytes], form: str, *, first: int = 0, until: int | None = None
) -> int:
    """Write the records from `first` to the last checkpoint, or up to `until`. Returns the index where it ended.

    The whole log is verified first, because events carry no proof. Raises UnreadableError.
    """
    checked = recorded.verified(log, verifier)
    covered = checked.report.covered
    end = covered if until is None else min(until, covered)
    if not 0 <= first < end:
        raise UnreadableError(f"{log}: no checkpoint covers record {first}")
    line = FORMATS[form]
    for index, leaf, record in checked.records(first=first, end=end):
        out.write(line(Event(verifier.name, index, leaf, record)).encode() + b"\n")
    return end
