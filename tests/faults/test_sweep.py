"""The sweep itself: a short one at every point, and that it would see what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline_verify.note import Checkpoint
from gateway.canonical import canonical
from tests.faults.invariants import Evidence, Snapshot, violations
from tests.faults.load import Saw, Seen
from tests.faults.sweep import ALL, Result, report

INTENT: dict[str, Any] = {"kind": "intent", "outcome": "permitted", "reason": "", "decision": {"effect": "allow"}}
ANSWERED = [
    INTENT | {"decision_id": "1", "idempotency_key": "one"},
    {"kind": "outcome", "outcome": "completed", "reason": "", "decision_id": "1"},
]
REFUSED = {"kind": "refusal", "outcome": "refused", "reason": "POLICY_DENIED", "decision_id": "2"}
ORPHAN = INTENT | {"decision_id": "3", "idempotency_key": "three"}
MARKED = {"kind": "outcome", "outcome": "outcome_unknown", "reason": "", "decision_id": "3"}


def left(*records: dict[str, Any], problem: str = "", journal: tuple[str, ...] = ("one", "three")) -> Snapshot:
    """A log with these records."""
    return Snapshot(problem, [canonical(r) for r in records], list(journal))


BEFORE = left(*ANSWERED, REFUSED, ORPHAN)
AFTER = left(*ANSWERED, REFUSED, ORPHAN, MARKED)
GOOD = Evidence(
    seen=[
        Seen("generate", "one", Saw.ANSWERED, "1"),
        Seen("refused", "two", Saw.REFUSED, "2", "POLICY_DENIED"),
        Seen("stream", "three", Saw.STARTED, "3"),
        Seen("generate", "four", Saw.NOTHING),
    ],
    published=Checkpoint("origin", 2, BEFORE.root(2)),
    snapshots=[BEFORE, AFTER],
    again=[Seen("generate", "one", Saw.REFUSED, "5", "DUPLICATE_REQUEST")],
)


def ending(*records: dict[str, Any], **rest: Any) -> Callable[[Evidence], Evidence]:
    """The good evidence with another end."""
    return lambda good: replace(good, snapshots=[BEFORE, left(*records, **rest)])


@pytest.mark.timeout(300)  # twenty runs, on a machine that may have other things to do
def test_a_short_sweep_dies_at_every_point(tmp_path: Path) -> None:
    """A gateway killed once at each point keeps every promise, and the figures say that each point was reached."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.faults.sweep", "--runs", str(len(ALL)), "--json", str(figures)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["points"] == dict.fromkeys(ALL, 1)
    assert found["violations"] == 0
    assert found["forwarded"] > 0
    assert found["orphans"] > 0


def test_good_evidence_is_no_violation() -> None:
    """What a gateway leaves that keeps its promises is accepted."""
    assert list(violations(GOOD)) == []


@pytest.mark.parametrize(
    ("broken", "invariant"),
    [
        (ending(*ANSWERED, REFUSED, ORPHAN, MARKED, journal=("one", "three", "four")), "a"),
        (lambda good: replace(good, snapshots=[left(*ANSWERED, REFUSED), AFTER]), "a"),
        (lambda good: replace(good, seen=[Seen("generate", "six", Saw.ANSWERED, "6")]), "b"),
        (lambda good: replace(good, seen=[Seen("generate", "three", Saw.ANSWERED, "3")]), "b"),
        (lambda good: replace(good, seen=[Seen("check", "one", Saw.ANSWERED, "1")]), "b"),
        (lambda good: replace(good, seen=[Seen("refused", "two", Saw.REFUSED, "6", "POLICY_DENIED")]), "b"),
        (lambda good: replace(good, seen=[Seen("refused", "two", Saw.REFUSED, "2", "INTERNAL")]), "b"),
        (lambda good: replace(good, seen=[Seen("stream", "six", Saw.STARTED, "6")]), "b"),
        (ending(*ANSWERED, REFUSED, ORPHAN), "c"),
        (ending(*ANSWERED, REFUSED, ORPHAN, MARKED | {"outcome": "completed"}), "c"),
        (ending(*ANSWERED, REFUSED, ORPHAN, MARKED, MARKED), "c"),
        (ending(*ANSWERED, REFUSED, ORPHAN, MARKED, problem="record 2: it was changed"), "d"),
        (ending(*ANSWERED, ORPHAN, REFUSED, MARKED), "d"),
        (ending(*ANSWERED, REFUSED, journal=("one",)), "d"),
        (lambda good: replace(good, published=Checkpoint("origin", 2, AFTER.root(5))), "d"),
        (lambda good: replace(good, published=Checkpoint("origin", 5, AFTER.root(5))), "d"),
        (ending(*ANSWERED, REFUSED, ORPHAN, MARKED, journal=("one", "three", "one")), "e"),
        (lambda good: replace(good, again=[Seen("generate", "one", Saw.ANSWERED, "7")]), "f"),
        (lambda good: replace(good, again=[Seen("generate", "four", Saw.REFUSED, "7", "DUPLICATE_REQUEST")]), "f"),
    ],
)
def test_a_broken_promise_is_a_violation(broken: Callable[[Evidence], Evidence], invariant: str) -> None:
    """Each promise that is not kept is told under its letter."""
    assert invariant in {text[0] for text in violations(broken(GOOD))}


def test_a_violation_says_how_to_repeat_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report of a run names what was wrong, seed and point, and the command that repeats it."""
    report(Result("mid_stream", 7, tmp_path, ["e: a key twice"]), 1, 20)
    said = capsys.readouterr().out
    assert "VIOLATION e: a key twice" in said
    assert "python -m tests.faults.sweep --runs 1 --seed 7 --point mid_stream" in said
