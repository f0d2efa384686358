"""The policy's tests: failures are named, and so are the lines that no test runs. `make rego` runs them."""

from __future__ import annotations

from pathlib import Path

from gateway.workshop import testing
from gateway.workshop.layout import Finding
from tests.support.policy import edit

RULE = "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
TEST = RULE.replace(".rego", "_test.rego")


def test_untested_lines_are_named(policy: Path) -> None:
    """Below the required coverage, each line that no test runs is named with the file that lacks a test."""
    with (policy / RULE).open("a") as file:
        file.write("".join(f"\ndead_{n} if input.stage == {n}\n" for n in range(40)))
    findings = testing.tested(policy, rule="").findings()
    lines = (policy / RULE).read_text().splitlines()
    for row in (n for n, line in enumerate(lines, 1) if line.startswith("dead_")):
        assert Finding(RULE, f"no test runs lines {row} to {row}; add one to {TEST}", row) in findings


def test_a_failure_is_named(policy: Path) -> None:
    """A test that fails is named with its file, its line and the cases that fail."""
    edit(policy / RULE, 'outside("nuclear")', 'outside("weapons")')
    findings = [f for f in testing.tested(policy, rule="").findings() if f.path == TEST]
    assert all(finding.line > 0 for finding in findings)
    texts = [finding.text for finding in findings]
    assert "test_silent fails (another use of weapons); correct the rule or the test" in texts


def test_a_test_without_cases_is_named(policy: Path) -> None:
    """A test that passes because none of its cases comes to the end is a finding, with the line that is not reached."""
    with (policy / TEST).open("a") as file:
        file.write("\ntest_nothing[note] if {\n\tsome note in input.nothing\n\tnote == 1\n}\n")
    row = len((policy / TEST).read_text().splitlines()) - 1
    said = "no case of a test comes here, so it tests nothing; correct what stands above it"
    assert Finding(TEST, said, row) in testing.tested(policy, rule="").findings()
