"""Results of a verification."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final

_MOST_SHOWN: Final = 20


class UnreadableError(OSError):
    """The log or export does not exist or can't be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first fault. index and decision_id: of the record; None and empty if the fault is not of a single record."""

    index: int | None
    decision_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint that a witness signed."""

    size: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, up to the problem.

    first, size: the records from first to size - 1. covered: the records below it are under a checkpoint.
    open_intents: intents without an outcome. earlier_outcomes: outcomes of intents before the first record.
    gap_us, gap_index: the longest time without a record, and the record that ended it.
    witnesses: the last checkpoint that each known witness signed.
    marks: uncovered records have marks by the log's key, which only its holder can check.
    root: of the covered records, in base64; empty if there are none.
    """

    origin: str
    first: int
    size: int
    covered: int
    checkpoints: int
    open_intents: tuple[str, ...]
    earlier_outcomes: int
    gap_us: int
    gap_index: int | None
    witnesses: dict[str, Seen] = field(default_factory=dict)
    problem: Problem | None = None
    marks: bool = False
    root: str = ""

    @property
    def uncovered(self) -> int:
        """How many records at the end no checkpoint covers."""
        return self.size - max(self.covered, self.first)

    @property
    def unproved(self) -> int:
        """How many records at the end are unproved: whoever writes the log could have made them up."""
        return 0 if self.marks else self.uncovered

    def as_json(self) -> dict[str, object]:
        """The whole report as JSON, for programs."""
        return {"ok": self.problem is None, **asdict(self), "unproved": self.unproved}


def in_words(report: Report) -> list[str]:
    """The report for people, in lines. Callers' text is escaped to ASCII, so that it can't control a terminal."""
    problem = report.problem
    if problem is not None:
        decision = f", decision {plain(problem.decision_id)}" if problem.decision_id else ""
        where = "" if problem.index is None else f"record {problem.index}{decision}: "
        return [
            f"NOT VERIFIED {plain(report.origin)}",
            f"  {where}{plain(problem.what)}",
            "  nothing after the first problem was checked",
        ]
    lines = [
        f"VERIFIED {plain(report.origin)}",
        f"  {report.size - report.first} records, {_after(report)}",
        f"  {report.checkpoints} checkpoints, each signature and root holds",
        f"  {len(report.open_intents)} intents without an outcome yet",
        *(f"    {plain(decision_id)}" for decision_id in report.open_intents[:_MOST_SHOWN]),
    ]
    if report.first:
        lines.append(f"  begins with record {report.first}; {report.earlier_outcomes} outcomes of earlier intents")
    if report.gap_index is not None:
        lines.append(f"  longest time without a record: {report.gap_us / 1e6:.1f} s, before record {report.gap_index}")
    for name, seen in report.witnesses.items():
        after = f", and none of the {report.covered - seen.size} after them" if seen.size < report.covered else ""
        lines.append(f"  witness {plain(name)} signed {seen.size} records at {_when(seen.time_s)}{after}")
    return lines


def _after(report: Report) -> str:
    """How many records no checkpoint covers, and how far the records are proved."""
    told = f"{report.uncovered} of them after the last checkpoint"
    if not report.uncovered:
        return told
    upto = f"up to record {report.covered - 1}, " if report.covered else ""
    by = "the marks of the log's key alone" if report.marks else "nothing"
    return f"{told}: proved {upto}by {by} from record {report.covered} on"


def _when(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{time_s} s since 1970"


def plain(text: str) -> str:
    """The text as JSON would have it: only printable ASCII."""
    return json.dumps(text)[1:-1]


def printable(text: str) -> str:
    """The text without characters that control a terminal, such as table names of a database in an error."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
