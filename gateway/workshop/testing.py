"""Runs the policy's tests and measures their coverage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.errors import StartError
from gateway.workshop.capabilities import capabilities
from gateway.workshop.layout import RULE_FILE, Finding, files, is_policy, tests_of
from gateway.workshop.opa import opa, said

COVERAGE: Final = 95.0
"""The minimum percentage of the policy's lines, tests excluded, that its tests have to cover."""

_EACH_S: Final = "60s"
"""The limit for one test: coverage is slow, and machines are busy."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The result of a test run. percent: coverage. missed: the places that were not covered.

    idle: tests that did not run to their end. A test with an empty list of cases passes, but tests nothing.
    """

    failures: tuple[Finding, ...]
    percent: float
    missed: tuple[Finding, ...]
    idle: tuple[Finding, ...] = ()

    def findings(self) -> tuple[Finding, ...]:
        """What has to be repaired: failures, otherwise idle tests, otherwise missed lines if coverage is too low."""
        return self.failures or self.idle or (self.missed if self.percent < COVERAGE else ())


def tested(rego: Path, *, rule: str) -> Tested:
    """Run every test, or the tests of one rule. Raises StartError if there is no such rule."""
    judged = {path for path in files(rego) if is_policy(path) and (not rule or _is(path, rule))}
    if rule and not judged:
        raise StartError(f"--rule {rule}: there is no such rule; `brightline policy list` has all")
    which = ("--run", rf"\.{rule}_test\.") if rule else ()
    with capabilities(of_tests=True) as allowed:
        options = ("--bundle", ".", "--timeout", _EACH_S, "--capabilities", allowed, "--format", "json", *which)
        run = opa("test", *options, "--coverage", at=rego)
        if run.returncode:  # the exit code says that a test failed, but not which
            failures = tuple(_failures(opa("test", *options, at=rego).stdout))
            return Tested(failures or (Finding("", f"opa test: {said(run)}"),), 0.0, ())
    covered = json.loads(run.stdout)["files"]
    lines = {path: covered.get(path, {}) for path in sorted(judged)}
    ran = sum(found.get("covered_lines", 0) for found in lines.values())
    total = ran + sum(found.get("not_covered_lines", 0) for found in lines.values())
    tests = {tests_of(path): covered.get(tests_of(path), {}) for path in lines}
    return Tested((), 100 * ran / total if total else 0.0, tuple(_missed(lines)), tuple(_idle(tests)))


def failing(rego: Path, *, which: str) -> Iterator[Finding]:
    """The tests that fail. Runs without coverage, which is slow. which: a pattern of test names; empty for all."""
    with capabilities(of_tests=True) as allowed:
        options = ("--bundle", ".", "--timeout", _EACH_S, "--capabilities", allowed, "--format", "json", "--run", which)
        run = opa("test", *options, at=rego)
    if run.returncode:
        yield from tuple(_failures(run.stdout)) or (Finding("", f"opa test: {said(run)}"),)


def _is(path: str, rule: str) -> bool:
    place = RULE_FILE.fullmatch(path)
    return place is not None and place["id"] == rule


def _failures(output: str) -> Iterator[Finding]:
    """Failed tests with their places and failed cases. OPA reports each test as it ends."""
    try:
        tests: list[dict[str, Any]] = json.loads(output) or []
    except ValueError:
        return
    for test in sorted(tests, key=lambda one: (one["location"]["file"], one["location"]["row"])):
        if test.get("fail") or test.get("error"):
            cases = [name for name, one in test.get("sub_results", {}).items() if one.get("fail")]
            told = f" ({', '.join(cases)})" if cases else ""
            error = f": {test['error']}" if test.get("error") else ""
            place = test["location"]
            yield Finding(
                place["file"], f"{test['name']} fails{told}{error}; correct the rule or the test", place["row"]
            )


def _idle(tests: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for path, found in tests.items():
        for place in found.get("not_covered", []):
            row = place["start"]["row"]
            yield Finding(path, "no case of a test comes here, so it tests nothing; correct what stands above it", row)


def _missed(lines: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for path, found in lines.items():
        for place in found.get("not_covered", []):
            first, last = place["start"]["row"], place["end"]["row"]
            yield Finding(path, f"no test runs lines {first} to {last}; add one to {tests_of(path)}", first)
