"""The soak itself: a short one in which everything breaks once, and that it would see what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.load import Saw, Seen
from tests.soak import sampled
from tests.soak.judged import COMPLETED, PERMITTED, Kept, counts, verified, violations
from tests.soak.sampled import LEAST, Samples

DENIED = ("refusal", "refused", "POLICY_DENIED")
SEEN = [
    Seen("generate", "one", Saw.ANSWERED, "1"),
    Seen("refused", "two", Saw.REFUSED, "2", "POLICY_DENIED"),
    Seen("stream", "three", Saw.STARTED, "3"),
    Seen("cancelled", "four", Saw.NOTHING),
    Seen("generate", "five", Saw.REFUSED, "5", "AUDIT_UNAVAILABLE"),
    Seen("late", "six", Saw.REFUSED, "6", "DEADLINE_EXCEEDED"),
]


def left() -> Kept:
    """A log and a journal that fit what was seen."""
    calls = {
        "1": (PERMITTED, COMPLETED),
        "2": (DENIED,),
        "3": (PERMITTED, ("outcome", "partial", "CANCELLED")),
        "4": (PERMITTED, ("outcome", "not_forwarded", "AUDIT_UNAVAILABLE")),
        "6": (("refusal", "error", "POLICY_UNAVAILABLE"),),
    }
    permitted = {"one": "1", "three": "3", "four": "4"}
    return Kept(7, calls, permitted, set(), Counter(["one", "three"]))


@pytest.mark.timeout(1800)  # several processes that start and are killed, on a machine that may be busy
def test_a_short_soak_keeps_every_promise(tmp_path: Path) -> None:
    """With every trouble once, each call has its records, what was forwarded was permitted, and the log verifies."""
    to = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.soak.run", "--minutes", "0.02", "--rate", "25", "--engines", "opa"]
    done = subprocess.run([*command, "--json", str(to)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(to.read_text())
    assert len(found["troubles"]) == 6
    assert found["violations"] == []
    assert 0 < found["forwarded"] <= found["permitted"]


def test_what_fits_is_no_violation() -> None:
    """A log that says what clients saw is accepted, and calls are counted by both."""
    assert list(violations(left(), SEEN)) == []
    assert counts(left(), SEEN)["nothing", "outcome not_forwarded"] == 1


def saw(number: int, **changes: object) -> Callable[[Kept, list[Seen]], None]:
    """One client saw something else."""

    def change(_: Kept, seen: list[Seen]) -> None:
        seen[number] = replace(seen[number], **changes)  # type: ignore[arg-type]  # fields of Seen

    return change


def ended(decision: str, *records: tuple[str, str, str]) -> Callable[[Kept, list[Seen]], None]:
    """One call has other records."""
    return lambda found, _: found.calls.__setitem__(decision, records)


@pytest.mark.parametrize(
    ("change", "letter"),
    [
        (lambda found, _: found.journal.update(["one"]), "a"),
        (lambda found, _: found.journal.update(["never permitted"]), "a"),
        (lambda found, _: found.journal.pop("one"), "a"),
        (ended("6"), "b"),
        (lambda found, _: found.journal.update(["four"]), "a"),
        (ended("1", PERMITTED), "b"),
        (ended("2"), "b"),
        (saw(1, decision_id="9"), "b"),
        (saw(3, saw=Saw.STARTED, decision_id="9"), "b"),
        (saw(2, saw=Saw.ANSWERED), "b"),
        (ended("3", PERMITTED), "c"),
        (ended("3", PERMITTED, COMPLETED, COMPLETED), "c"),
        (lambda _, seen: seen.pop(3), "e"),
        (saw(1, saw=Saw.ANSWERED, reason=""), "f"),
        (saw(4, reason="POLICY_DENIED"), "f"),
        (saw(4, reason="INTERNAL"), "f"),
    ],
)
def test_a_broken_promise_is_a_violation(change: Callable[[Kept, list[Seen]], None], letter: str) -> None:
    """Each promise that is not kept is told under its letter."""
    found, seen = left(), list(SEEN)
    change(found, seen)
    assert letter in {text[0] for text in violations(found, seen)}


def test_a_log_that_does_not_verify_is_a_violation(tmp_path: Path) -> None:
    """What the verifier refuses is told."""
    assert [text[0] for text in verified(tmp_path / "none.db", tmp_path / "none.pub")] == ["d"]


def test_growth_is_a_violation() -> None:
    """What takes more and more is told, what takes more at first is not."""
    level, rising = [100.0] * LEAST, [float(n * 3) for n in range(LEAST)]
    warming = [float(min(n, LEAST // 3) * 3) for n in range(LEAST)]
    assert sampled.violations(Samples(warming, level, level)) == []
    assert [text.split()[1] for text in sampled.violations(Samples(rising, level, rising))] == ["mib", "threads"]
