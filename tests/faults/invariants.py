"""What has to hold whatever a crash interrupted, checked on what it left: the log, the journal, what clients saw.

a  whatever reached the upstream has a durable permitted intent, at every moment
b  whatever a client was told has its records: an answer its intent and a good outcome, a refusal its record
c  an intent that a crash left open has, after the restart, one outcome: outcome_unknown
d  the log verifies, never shrinks, and each tree goes on from the one before it and from what was published
e  one idempotency key reaches the upstream once, however often it is sent again
f  a call whose intent was durable is refused when it is sent again; one that left none is answered
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from brightline_verify import stored
from brightline_verify.database import File, checkpoint_path
from brightline_verify.merkle import Frontier
from brightline_verify.note import Checkpoint, Verifier, open_checkpoint
from brightline_verify.whole import Trust
from gateway import config
from gateway.audit.keys import public_path
from tests.faults.load import Saw, Seen
from tests.support.gateways import Deployment

Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Snapshot:
    """What is on the disk while no gateway runs. problem: what the verifier finds. journal: keys in order."""

    problem: str
    leaves: list[bytes]
    journal: list[str]

    @property
    def records(self) -> Records:
        """Every record in order."""
        return [json.loads(leaf) for leaf in self.leaves]

    def orphans(self) -> list[str]:
        """Decision ids of the intents without an outcome."""
        return [i for i, records in _by_decision(self.records).items() if [r["kind"] for r in records] == ["intent"]]

    def root(self, size: int) -> bytes:
        """The root of the tree of the first `size` entries, from the entries alone."""
        tree = Frontier()
        for leaf in self.leaves[:size]:
            tree.append(leaf)
        return tree.root()


@dataclass(frozen=True)
class Evidence:
    """A whole run. published: the last checkpoint that anybody saw before the crash. snapshots: after each kill, then
    after the gateway that was started again stopped. again: the calls that were sent to it a second time.
    """

    seen: list[Seen]
    published: Checkpoint | None
    snapshots: list[Snapshot]
    again: list[Seen]


def published(deployed: Deployment) -> Checkpoint | None:
    """The latest checkpoint, as a witness beside the gateway reads it; None while there is none."""
    settings = config.load(deployed.config).audit
    path = checkpoint_path(settings.path)
    return open_checkpoint(path.read_bytes(), _verifier(settings)) if path.exists() else None


def snapshot(deployed: Deployment) -> Snapshot:
    """Read and verify everything that is on the disk."""
    settings = config.load(deployed.config).audit
    report = stored.verify(File(settings.path), Trust(_verifier(settings)), unsigned=True)
    with closing(sqlite3.connect(f"file:{settings.path}?mode=ro", uri=True)) as database:
        leaves = [row[0] for row in database.execute("SELECT leaf FROM entries ORDER BY idx")]
    journal = deployed.folder / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    problem = "" if report.problem is None else f"record {report.problem.index}: {report.problem.what}"
    return Snapshot(problem, leaves, [json.loads(line)["idempotency_key"] for line in lines])


def violations(evidence: Evidence) -> Iterator[str]:
    """Every invariant that does not hold, in words."""
    for taken in evidence.snapshots:
        yield from _forwarded_only_after_an_intent(taken)
    yield from _told_only_what_is_recorded(evidence)
    yield from _orphans_are_closed(evidence)
    yield from _the_log_only_grows(evidence)
    yield from _keys_are_used_once(evidence)


def _forwarded_only_after_an_intent(taken: Snapshot) -> Iterator[str]:
    permitted = {
        r["idempotency_key"]
        for r in taken.records
        if r["kind"] == "intent" and (r["outcome"], r["decision"]["effect"]) == ("permitted", "allow")
    }
    for key in taken.journal:
        if key not in permitted:
            yield f"a: {key} reached the upstream without a durable permitted intent"


def _told_only_what_is_recorded(evidence: Evidence) -> Iterator[str]:
    records = _by_decision(evidence.snapshots[0].records)
    for seen in evidence.seen:
        found = [(r["kind"], r["outcome"]) for r in records.get(seen.decision_id, [])]
        match seen.saw, seen.sort:
            case Saw.ANSWERED, "check":
                told = found == [("check", "completed")]
            case Saw.ANSWERED, _:
                told = found == [("intent", "permitted"), ("outcome", "completed")]
            case Saw.STARTED, _:
                told = ("intent", "permitted") in found
            case Saw.REFUSED, _:
                reasons = [r["reason"] for r in records.get(seen.decision_id, [])]
                told = reasons[-1:] == [seen.reason]
            case _:
                told = True
        if not told:
            yield f"b: {seen.key} ({seen.sort}) saw {seen.saw.name} {seen.reason}, but the log has {found}"


def _orphans_are_closed(evidence: Evidence) -> Iterator[str]:
    last = evidence.snapshots[-1]
    records = _by_decision(last.records)
    for decision_id in evidence.snapshots[0].orphans():
        found = [(r["kind"], r["outcome"]) for r in records.get(decision_id, [])]
        if found != [("intent", "permitted"), ("outcome", "outcome_unknown")]:
            yield f"c: the intent {decision_id} was left open, and became {found}"
    for decision_id in last.orphans():
        yield f"c: the intent {decision_id} is open although the gateway was stopped in order"


def _the_log_only_grows(evidence: Evidence) -> Iterator[str]:
    for number, taken in enumerate(evidence.snapshots):
        if taken.problem:
            yield f"d: snapshot {number} does not verify: {taken.problem}"
    seen = evidence.published
    first = evidence.snapshots[0]
    if seen is not None and (len(first.leaves) < seen.size or first.root(seen.size) != seen.root):
        yield f"d: the log of {len(first.leaves)} entries does not go on from the published tree of {seen.size}"
    for older, newer in zip(evidence.snapshots, evidence.snapshots[1:], strict=False):
        if newer.leaves[: len(older.leaves)] != older.leaves:
            yield f"d: the log of {len(newer.leaves)} entries does not go on from that of {len(older.leaves)}"


def _keys_are_used_once(evidence: Evidence) -> Iterator[str]:
    for key, times in Counter(evidence.snapshots[-1].journal).items():
        if times > 1:
            yield f"e: {key} reached the upstream {times} times"
    used = {r["idempotency_key"] for r in evidence.snapshots[-2].records if r["kind"] == "intent"}
    for seen in evidence.again:
        expected = (Saw.REFUSED, "DUPLICATE_REQUEST") if seen.key in used else (Saw.ANSWERED, "")
        if (seen.saw, seen.reason) != expected:
            yield f"f: {seen.key} ({seen.sort}) sent again saw {seen.saw.name} {seen.reason}, not {expected[1]}"


def _by_decision(records: Records) -> dict[str, Records]:
    found: dict[str, Records] = {}
    for record in records:
        if record["kind"] not in {"start", "stop", "aggregate"}:
            found.setdefault(record["decision_id"], []).append(record)
    return found


def _verifier(settings: config.Audit) -> Verifier:
    return Verifier.parse(public_path(settings.signing_key).read_text())
