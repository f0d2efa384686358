"""The gate refuses a broken policy, and says which file and what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gateway.workshop import gate, testing
from gateway.workshop.lint import lint
from gateway.workshop.places import Finding
from tests.support.policy import REGO, edit, small

RULE = "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
DECISION = "brightline/decision.rego"
TEST = RULE.replace(".rego", "_test.rego")
CHECKS: dict[str, Callable[[Path], Iterable[Finding]]] = {
    "well_written": gate.well_written,
    "lint": lint,
    "tested": lambda rego: testing.tested(rego).findings(),
    "runs": gate.runs,
}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the policy that may be broken."""
    return small(tmp_path)


BREAKS: list[tuple[str, str, str, str, tuple[str, ...]]] = [
    ("well_written", RULE, "\nverdict", "\n  verdict", (RULE, "brightline policy fmt --write")),
    ("well_written", RULE, "facts.conventional", "input.request.tool", (RULE, "undefined ref", "opa check")),
    ("well_written", RULE, "harmless if {", "harmless if {\n\tunused := 1", (RULE, "unused")),
    ("lint", RULE, "law.nuclear_employment_human", "law.nuclear", (RULE, "write: package brightline.rules")),
    ("lint", TEST, "human_test", "human_tests", (TEST, "write: package brightline.rules")),
    ("lint", RULE, "harmless if {", "harmless if", (RULE, "is not Rego", "opa check")),
    ("lint", RULE, "id: nuclear", "id: nuclea", (RULE, "custom.id", "make them the same")),
    ("lint", RULE, "class: law", "class: directive", (RULE, "custom.class", "its folder says law")),
    ("lint", RULE, "# title: ", "# organizations: [x] # ", (RULE, "no title", "add it to the METADATA")),
    (
        "lint",
        RULE,
        "# description: >",
        "# remark: >",
        (RULE, "no description", "add it to the METADATA"),
    ),
    ("lint", RULE, "#   remedy:", "#   remedie:", (RULE, "no custom.remedy", "add it to the METADATA")),
    ("lint", RULE, "#   sources:", "#   source:", (RULE, "no custom.sources", "add a list of {title, read}")),
    ("lint", RULE, "read: first_hand", "read: true", (RULE, "read is one of first_hand, second_hand")),
    ("lint", RULE, "# METADATA\n", "", (RULE, "no title", "custom.id is None", "no custom.sources")),
    ("lint", RULE, "\nimport", "\nimport rego.v1\nimport", (RULE, "imports rego.v1; remove the line")),
    ("lint", RULE, "\nverdict", "\n# METADATA\n# entrypoint: true\nverdict", (RULE, "leave one `entrypoint")),
    ("lint", DECISION, "# entrypoint: true\n", "", ("entrypoints: none", DECISION)),
    ("tested", RULE, 'outside("nuclear")', 'outside("weapons")', ("opa test", "nuclear_employment_human_test.test")),
    ("runs", RULE, '("nuclear")', '(sprintf("%s", [input.stage]))', ("sprintf", "rewrite the rules without")),
    ("runs", RULE, "facts.conventional", "facts.unheard_of(1)", ("opa build", RULE)),
]


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{check}-{old.strip()}" for check, _, old, _, _ in BREAKS])
def test_a_broken_rule_is_named_with_its_remedy(
    policy: Path, broken: tuple[str, str, str, str, tuple[str, ...]]
) -> None:
    """Each way of breaking a rule is found by the check that is there for it, which names the file and the remedy."""
    check, file, old, new, says = broken
    edit(policy / file, old, new)
    found = "\n".join(f.below(Path()) for f in CHECKS[check](policy))
    for part in says:
        assert part in found


def move(policy: Path, to: str) -> None:
    target = policy / to
    target.parent.mkdir(parents=True, exist_ok=True)
    (policy / RULE).rename(target)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("brightline/rules/law/nuclear_employment_human/other.rego", "one folder is one rule"),
        ("brightline/rules/custom/nuclear/nuclear.rego", "one folder is one rule"),
        ("brightline/rules/law/nuclear-employment/nuclear-employment.rego", "is not snake_case; rename it"),
        ("brightline/rules/law/nuclear/nuclear.rego", "write them in nuclear_test.rego"),
        ("nuclear.rego", "write: package"),
    ],
)
def test_a_misplaced_rule_is_named(policy: Path, to: str, says: str) -> None:
    """A rule that the dispatch would not find, or whose tests are elsewhere, is a finding, not a silent absence."""
    move(policy, to)
    findings = list(lint(policy))
    assert any(finding.path == to and says in finding.text for finding in findings)
    assert any(finding.path == TEST and finding.text.startswith("tests nothing") for finding in findings)


def test_untested_lines_are_named(policy: Path) -> None:
    """Below the required coverage, each line that no test runs is named with the file that lacks a test."""
    untested = "".join(f"\ndead_{n} if input.stage == {n}\n" for n in range(40))
    with (policy / RULE).open("a") as file:
        file.write(untested)
    findings = testing.tested(policy).findings()
    lines = (policy / RULE).read_text().splitlines()
    for row in (n for n, line in enumerate(lines, 1) if line.startswith("dead_")):
        assert Finding(RULE, f"no test runs lines {row} to {row}; add one to {TEST}", row) in findings


def test_the_command_fails_on_a_broken_policy(policy: Path) -> None:
    """The command exits with 1 and prints the finding where a build log shows it."""
    edit(policy / RULE, "\nverdict", "\n  verdict")
    command = [sys.executable, "-m", "gateway", "policy", "check", "--rego", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{policy}/{RULE}: is not formatted; run: brightline policy fmt --write\n" in done.stderr
    assert done.stdout == ""


def test_the_policy_passes() -> None:
    """What is committed passes every check."""
    assert list(gate.check(REGO)) == []
    assert testing.tested(REGO).findings() == ()
