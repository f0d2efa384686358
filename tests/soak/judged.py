"""What has to hold at the end of a soak: the log, the upstream's journal and what clients saw, call by call.

a  whatever reached the upstream has a durable permitted intent, once, and whatever completed did reach it
b  whatever a client was told has its records: an answer its intent and a good outcome, a refusal its record
c  every intent has one outcome
d  the log verifies
e  nothing is in the log that no client asked for
f  what a rule refuses was never answered, and nothing else was refused than by rules, or for what went wrong
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.faults.load import Saw, Seen

Ended: TypeAlias = tuple[str, str, str]
"""Kind, outcome and reason of a record."""

PERMITTED, COMPLETED = ("intent", "permitted", ""), ("outcome", "completed", "")
UNSENT = {"not_forwarded"}
GOES_WRONG = {
    "AUDIT_UNAVAILABLE",
    "POLICY_UNAVAILABLE",
    "SHUTTING_DOWN",
    "DEADLINE_EXCEEDED",
    "OVERLOADED",
    "CANCELLED",
}
"""Why a call may be refused while something is broken on purpose."""

BY_RULE = {"refused": {"POLICY_DENIED"}, "again": {"DUPLICATE_REQUEST"}}
"""Why a call of a sort is refused whatever works."""


@dataclass
class Kept:
    """The log and the journal, as far as calls need them. calls: the records of each decision, in order."""

    records: int = 0
    calls: dict[str, tuple[Ended, ...]] = field(default_factory=dict)
    permitted: dict[str, str] = field(default_factory=dict)
    """The decision of each idempotency key that has an intent."""
    unready: set[str] = field(default_factory=set)
    """The decisions that were made while the log was not being written: a rule refuses them."""
    journal: Counter[str] = field(default_factory=Counter)

    def take(self, record: dict[str, Any]) -> None:
        """The next record of the log."""
        self.records += 1
        kind = record["kind"]
        if kind not in {"start", "stop", "release", "aggregate"}:
            decision = record["decision_id"]
            self.calls[decision] = (*self.calls.get(decision, ()), (kind, record["outcome"], record["reason"]))
            facts = record.get("input")
            if facts is not None and not facts["audit"]["ready"]:
                self.unready.add(decision)
            if kind == "intent":
                self.permitted[record["idempotency_key"]] = decision


def kept(log: Path, journal: Path) -> Kept:
    """Read both while nobody writes."""
    found = Kept()
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as database:
        for (leaf,) in database.execute("SELECT leaf FROM entries ORDER BY idx"):
            found.take(json.loads(leaf))
    with journal.open(encoding="utf-8") as lines:
        found.journal.update(json.loads(line)["idempotency_key"] for line in lines)
    return found


def verified(log: Path, key: Path) -> Iterator[str]:
    """d: what `brightline-verify` finds wrong, as an auditor runs it."""
    program = Path(sys.executable).with_name("brightline-verify")
    done = subprocess.run([program, "log", log, "--key", key], check=False, capture_output=True, text=True)
    if done.returncode:
        yield f"d: the log does not verify: {done.stdout}{done.stderr}"


def violations(found: Kept, seen: Iterable[Seen]) -> Iterator[str]:
    """Everything else that does not hold, in words."""
    keys = set()
    for one in seen:
        keys.add(one.key)
        yield from _told(found.calls.get(one.decision_id, ()), one, ready=one.decision_id not in found.unready)
    for key, times in found.journal.items():
        if times > 1 or key not in found.permitted:
            yield f"a: {key} reached the upstream {times} times, its intent is {found.permitted.get(key)}"
    for key, decision in found.permitted.items():
        match found.calls[decision]:
            case ("intent", "permitted", _), ("outcome", outcome, _):
                if (outcome == "completed" and key not in found.journal) or (
                    outcome in UNSENT and key in found.journal
                ):
                    yield f"a: {decision} is {outcome}, and reached the upstream {found.journal[key]} times"
            case records:
                yield f"c: {decision} has the records {records}"
        if key not in keys:
            yield f"e: {decision} was asked for by nobody"


def _told(records: tuple[Ended, ...], one: Seen, *, ready: bool) -> Iterator[str]:
    """Of one call, b and f."""
    match one.saw, one.sort:
        case Saw.ANSWERED, "refused":
            yield f"f: {one.key} was answered"
            return
        case Saw.ANSWERED, "check":
            told = records == (("check", "completed", ""),)
        case Saw.ANSWERED, _:
            told = records == (PERMITTED, COMPLETED)
        case Saw.STARTED, _:
            told = records[:1] == (PERMITTED,)
        case Saw.REFUSED, _:
            may = GOES_WRONG | {"POLICY_DENIED"} if not ready else GOES_WRONG
            if one.reason not in may | BY_RULE.get(one.sort, set()):
                yield f"f: {one.key} ({one.sort}) was refused with {one.reason}"
            # What the log could not take is counted, and of what it then took nobody knew. The time of a call can end
            # while its last record becomes durable: that one is there, and says how it ended otherwise.
            told = one.reason == "AUDIT_UNAVAILABLE" or [r[2] for r in records][-1:] == [one.reason]
            told = told or (one.reason == "DEADLINE_EXCEEDED" and records[-1:] not in {(), (PERMITTED,)})
        case _:
            told = True
    if not told:
        yield f"b: {one.key} ({one.sort}) saw {one.saw.name} {one.reason}, but the log has {records}"


def counts(found: Kept, seen: Iterable[Seen]) -> Counter[tuple[str, str]]:
    """How often a client saw what, and what the log says the call came to."""
    ended: Counter[tuple[str, str]] = Counter()
    for one in seen:
        records = found.calls.get(one.decision_id, ())
        if not records and one.saw is Saw.NOTHING and one.key in found.permitted:
            records = found.calls[found.permitted[one.key]]
        saw = one.reason or one.saw.name.lower()
        ended[saw, f"{records[-1][0]} {records[-1][1]}" if records else "unknown to its client, or counted"] += 1
    return ended
