"""Runs the policy's tests, and says which of its lines they leave out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.workshop.opa import opa, said
from gateway.workshop.places import Finding, is_policy, tests_of

COVERAGE: Final = 95.0
"""Percent of the lines of the policy, tests excluded, that its tests have to run."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What a run of the tests found. percent: of the policy's lines that ran; missed: the places that did not."""

    failures: tuple[Finding, ...]
    percent: float
    missed: tuple[Finding, ...]

    def findings(self) -> tuple[Finding, ...]:
        """What has to be repaired: failures, and missed lines when they are too many."""
        return self.failures or (self.missed if self.percent < COVERAGE else ())


def tested(rego: Path) -> Tested:
    """Run every test."""
    run = opa("test", "--bundle", ".", "--timeout", "60s", "--coverage", "--format", "json", at=rego)
    if run.returncode:
        return Tested((Finding("", f"opa test --verbose --bundle . says more\n{said(run)}"),), 0.0, ())
    ours = {path: lines for path, lines in sorted(json.loads(run.stdout)["files"].items()) if is_policy(path)}
    covered = sum(lines.get("covered_lines", 0) for lines in ours.values())
    total = covered + sum(lines.get("not_covered_lines", 0) for lines in ours.values())
    missed = tuple(
        Finding(path, f"no test runs lines {a} to {b}; add one to {tests_of(path)}", a)
        for path, lines in ours.items()
        for a, b in ((place["start"]["row"], place["end"]["row"]) for place in lines.get("not_covered", []))
    )
    return Tested((), 100 * covered / max(total, 1), missed)
