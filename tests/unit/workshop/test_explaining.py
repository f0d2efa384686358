"""What is said about a rule is true: Open Policy Agent's own trace of the rule says the same."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.errors import StartError
from gateway.workshop.explaining import Account, Cause, explain
from gateway.workshop.policies import Opened, opened
from tests.support.policy import REGO, STARTER
from tests.support.releases import opa
from tests.support.vectors import load

RULES = {p.name for p in (REGO / "brightline/rules").glob("*/*")}
VECTORS = {vector.id: vector for vector in load()}
EXAMPLES = int(os.environ.get("BRIGHTLINE_EXAMPLES", "3"))


@pytest.fixture(scope="module")
def starter() -> Iterator[Opened]:
    """The starter policy."""
    with opened(STARTER) as policy:
        yield policy


def account(policy: Opened, facts: Any, rule: str) -> Account:
    found: Account = next(a for a in explain(policy, facts) if a.id == rule)
    return found


def last_failures(facts: Any) -> dict[str, set[int]]:
    """By the trace of all rules: for each, where the bodies of its verdict failed, as rows.

    A body fails at the last of its expressions that was reached at all: everything before it could be satisfied.
    """
    plainly = ["--explain", "full", "--disable-indexing", "--disable-early-exit", "--format", "json", "--stdin-input"]
    done = subprocess.run(
        [opa(), "eval", "--data", STARTER / "rego", *plainly, "[v | v := data.brightline.rules[_][_].verdict]"],
        input=json.dumps(facts),
        capture_output=True,
        text=True,
        check=True,
    )
    trace = json.loads(done.stdout)["explanation"]
    bodies = {
        e["QueryID"]: Path(e["Location"]["file"]).stem
        for e in trace
        if e["Op"] == "Enter"
        if isinstance(e["Node"], dict) and e["Node"].get("head", {}).get("name") == "verdict"
    }
    reached: dict[int, tuple[int, int]] = {}
    for event in trace:
        if event["Op"] == "Fail" and event["QueryID"] in bodies:
            at = (event["Node"]["index"], event["Location"]["row"])
            reached[event["QueryID"]] = max(at, reached.get(event["QueryID"], at))
    rows: dict[str, set[int]] = {}
    for query_id, (_, row) in reached.items():
        rows.setdefault(bodies[query_id], set()).add(row)
    return rows


def cited(causes: tuple[Cause, ...]) -> Iterator[Cause]:
    """The causes, and what is behind each."""
    for cause in causes:
        yield cause
        yield from cited(cause.because)


# No shrinking: a look takes seconds, and no vector is simpler than another.
@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate])
@given(st.sampled_from(sorted(VECTORS)))
def test_what_is_said_is_what_the_trace_and_the_sources_say(starter: Opened, name: str) -> None:
    """Each body of a silent rule ended, by OPA's trace, at the condition said; what is cited stands there in the file.

    This is so for every rule, whether it fired or not, and whatever lies behind a condition.
    """
    vector = VECTORS[name]
    ended = last_failures(vector.input)
    for told in explain(starter, vector.input):
        assert told.causes
        for cause in cited(told.causes):
            rest = "\n".join((REGO / cause.file).read_text().splitlines()[cause.line - 1 :])
            assert all(condition in rest for condition in cause.text.split("; "))
        if not told.effect and told.id in RULES:
            assert told.id not in vector.rules
            rows = ended[told.id]
            assert len(told.causes) == len(rows), told.id
            assert all(any(c.line <= row <= c.line + c.text.count("\n") for row in rows) for c in told.causes), told.id


def test_a_rule_that_fired_says_what_failed_in_what_it_asks(starter: Opened) -> None:
    """What lies behind a refusal is followed through the rules that it names, into shared facts as well."""
    vector = VECTORS["weapon_human_judgment.approved_by_the_caller"]
    told = account(starter, vector.input, "weapon_human_judgment")
    assert told.effect == "require_approval"
    (verdict,) = told.causes
    assert verdict.text == "not harmless"
    assert [(c.text, [why.text for why in c.because]) for c in verdict.because] == [
        ("facts.peaceful", ['outside("weapons")']),
        *[("facts.approved", ["lower(approval.approver) != lower(input.principal.subject)"])] * 2,
    ]


def test_rules_of_the_agency_are_told_of_for_its_tenants_alone(starter: Opened) -> None:
    """The rules of an agency's policy are there for a tenant that selected it, and for no other."""
    ids = {}
    for name in ("agency_policy_present.none_selected", "agency_policy_present.its_rules_oblige"):
        facts = VECTORS[name].input
        ids[name] = {a.id for a in explain(starter, facts)}
    assert ids["agency_policy_present.none_selected"] == RULES
    assert ids["agency_policy_present.its_rules_oblige"] - RULES == {
        "ai_only_product",
        "credentials_stay",
        "kept_for_inspection",
        "tools_that_act",
    }


def module(folder: Path, body: str) -> Opened:
    """A policy of one rule with this verdict."""
    place = folder / "rego/brightline/rules/law/r"
    place.mkdir(parents=True)
    (place / "r.rego").write_text(f"package brightline.rules.law.r\n\n{body}\n")
    return Opened(folder / "rego", folder / "rego", None)  # type: ignore[arg-type]  # nothing is decided here


WITH = 'input.y.z == 3 with input as {"y": {"z": 4}}'
EVERY = "every x in input.xs {\n\t\tx > 1\n\t}"


@pytest.mark.parametrize(
    ("verdicts", "failed"),
    [
        (["some x in input.xs\n\tx > 5\n\tx < 3"], [(5, "x > 5")]),
        (["some x in input.xs\n\tx > 0\n\tx > 5"], [(6, "x > 5")]),
        ([EVERY], [(4, EVERY)]),
        (["input.none == 1", "input.xs\n\tcount(input.xs) > 9"], [(4, "input.none == 1"), (8, "count(input.xs) > 9")]),
        ([f"input.xs\n\t{WITH}"], [(5, WITH)]),
        (["not input.xs"], [(4, "not input.xs")]),
    ],
)
def test_every_kind_of_condition_is_stepped_through(
    tmp_path: Path, verdicts: list[str], failed: list[tuple[int, str]]
) -> None:
    """Iteration, quantifiers, bodies, with, negation: the first that can't hold together with those above it."""
    bodies = "\n".join(f"verdict := {n} if {{\n\t{body}\n}}" for n, body in enumerate(verdicts))
    (told,) = explain(module(tmp_path, bodies), {"xs": [1, 2, 3]})
    assert [(c.line, c.text) for c in told.causes] == failed


def test_a_verdict_without_an_effect_is_called_unreadable(tmp_path: Path) -> None:
    """A verdict that the decision can't read has fired, and is not told of as an effect."""
    (told,) = explain(module(tmp_path, "verdict := true if input.xs"), {"xs": 1})
    assert (told.effect, [c.text for c in told.causes]) == ("unreadable", ["input.xs"])


def test_conditions_that_cannot_stand_alone_are_an_error(tmp_path: Path) -> None:
    """A condition that uses what stands below it can't be asked alone, and the error says so."""
    with pytest.raises(StartError, match="can't be explained"):
        explain(module(tmp_path, "verdict := 1 if {\n\tx > 1\n\tsome x in input.xs\n}"), {"xs": [1]})
