"""What nobody could judge is told apart from what a rule refused, by the decisions that the pack makes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gateway.audit.unjudged import CONTENT, PURPOSE, unjudged
from gateway.audit.unjudged import DECLARED as DECLARED_PURPOSES
from gateway.types import Decision
from gateway.workshop.deciding import Decide
from tests.support.policy import REGO, STARTER
from tests.support.vectors import bases, load


def recorded(facts: Any, made: Decision) -> dict[str, Any]:
    """The record of a refusal, as far as it matters."""
    scores = facts.get("signals")
    readings = [{"name": name, "version": "1", "score": score} for name, score in (scores or {}).items()]
    rules = [{"id": rule.id, "class": rule.cls, "effect": rule.effect} for rule in made.rules]
    return {
        "kind": "refusal",
        "input": facts,
        "rules": rules,
        "readings": readings,
        "incidents": [o for o in made.obligations if o.kind == "incident"],
    }


def red_lines(record: dict[str, Any]) -> set[str]:
    return {rule["id"] for rule in record["rules"] if rule["class"] == "red_line"}


def told(decide: Decide, facts: Any) -> dict[str, Any]:
    (made,) = decide([facts])
    assert isinstance(made, Decision)
    return recorded(facts, made)


@pytest.mark.parametrize("base", ["desk", "staff", "analyst"])
def test_what_no_detector_read_is_no_red_line(decide: Decide, base: str) -> None:
    """Content that no detector read is refused by eight red lines, and counts as a crossing of none."""
    record = told(decide, {**bases()[base], "signals": dict.fromkeys(bases()[base]["signals"])})
    assert len(red_lines(record)) == 8
    assert red_lines(record) <= unjudged(record)


@pytest.mark.parametrize("base", ["desk", "staff"])
def test_a_purpose_that_is_no_word_is_no_red_line(decide: Decide, base: str) -> None:
    """A misspelled purpose meets every red line that asks about purposes, and counts as a crossing of none."""
    facts = bases()[base]
    record = told(decide, {**facts, "request": {**facts["request"], "purpose": "Administrative"}})
    assert red_lines(record) == PURPOSE
    assert red_lines(record) <= unjudged(record)


def test_content_that_was_read_stays_a_red_line(decide: Decide) -> None:
    """What reached a red line counts for it, also where another detector said nothing or the purpose is no word."""
    facts = bases()["desk"]
    seen = {**facts["signals"], "power_seizure": 900, "cbrn": None}
    for purpose in ("administrative", "Administrative"):
        record = told(decide, {**facts, "signals": seen, "request": {**facts["request"], "purpose": purpose}})
        assert "power_seizure" in red_lines(record) - unjudged(record)
        assert "cbrn_uplift" in unjudged(record)


def test_a_refusal_of_what_was_read_is_judged(decide: Decide) -> None:
    """No vector whose content was read, and whose purpose is on the list, counts as one that nobody could judge."""
    read = [v for v in load() if isinstance(v.input.get("signals"), dict) and v.about != "facts_well_formed"]
    read = [v for v in read if all(type(score) is int for score in v.input["signals"].values())]
    asked = [v for v in read if v.about != "purpose_known"]
    made = decide([v.input for v in asked])
    pairs = [(v, one) for v, one in zip(asked, made, strict=True) if isinstance(one, Decision)]
    assert len(pairs) > 500
    assert [v.id for v, one in pairs if unjudged(recorded(v.input, one))] == []


CSAM = {"id": "csam", "class": "red_line", "effect": "deny"}


def refusal(score: int | None = None, **fields: Any) -> dict[str, Any]:
    readings = [{"name": "child_safety", "version": "1", "score": score}]
    return {"kind": "refusal", "input": bases()["desk"], "rules": [CSAM], "readings": readings, **fields}


def test_what_has_to_be_reported_was_judged() -> None:
    """A refusal with an incident is of what was seen, whatever else was not read."""
    assert unjudged(refusal()) == {"csam"}
    assert unjudged(refusal(incidents=[{"text": "t", "aware_at_us": 1, "report_within_hours": 24}])) == set()


def test_the_last_judgement_of_an_answer_counts() -> None:
    """Of an answer, what detectors said of the part that was refused."""
    answer = {"kind": "outcome", "rules": [CSAM]}
    judgements = [{"readings": refusal(score)["readings"]} for score in (0, None)]
    assert unjudged({**answer, "judgements": judgements}) == {"csam"}
    assert unjudged({**answer, "judgements": judgements[::-1]}) == set()


def test_a_record_that_left_something_out_counts_as_judged() -> None:
    """What is in doubt stays a red line: a rule that is not known, a record without its readings or its input."""
    assert unjudged(refusal(rules=[{**CSAM, "id": "own"}])) == set()
    assert unjudged(refusal(readings=[])) == set()
    assert unjudged(refusal(input=None)) == set()


DECLARED = [
    ("weapon_engage_autonomous", "targeteer", {"autonomy": "autonomous"}),
    ("weapon_engage_autonomous", "staff", {"tools": [{"name": "release", "effector": "weapon", "apparent": []}]}),
    ("us_person_mass_surveillance", "analyst", {"purpose": "domestic_monitoring"}),
    ("us_person_mass_surveillance", "desk", {"us_person": {"involved": "yes", "basis": "", "process_id": ""}}),
    ("power_seizure", "desk", {"purpose": "seizure_of_power"}),
]


@pytest.mark.parametrize(("rule", "base", "said"), DECLARED)
def test_what_was_declared_stays_a_red_line(decide: Decide, rule: str, base: str, said: Any) -> None:
    """Content that nobody can read hides no declaration that may have crossed the line by itself."""
    facts = bases()[base]
    unread = dict.fromkeys(facts["signals"])
    record = told(decide, {**facts, "signals": unread, "request": {**facts["request"], **said}})
    assert rule in red_lines(record) - unjudged(record)
    assert "csam" in unjudged(record)


def test_purposes_that_cross_a_line_are_those_of_the_list() -> None:
    """The purposes that are known here are all that lie in the areas of their rules."""
    of = {"power": "power_seizure", "domestic_surveillance": "us_person_mass_surveillance"}
    of |= {"weapons": "weapon_engage_autonomous", "nuclear": "nuclear_employment_human"}
    found: dict[str, set[str]] = {rule: set() for rule in of.values()}
    for name, purpose in json.loads((STARTER / "data.json").read_bytes())["brightline"]["purposes"].items():
        for area in of.keys() & set(purpose["areas"]):
            found[of[area]].add(name)
    assert found == DECLARED_PURPOSES


def test_the_signals_are_those_that_rules_read() -> None:
    """What is known here of each rule is what its METADATA says, of every red line at least."""
    facts = {}
    for path in REGO.glob("brightline/rules/*/*/*.rego"):
        if not path.name.endswith("_test.rego"):
            head = path.read_text().partition("\npackage")[0]
            facts[path.stem] = (path.parts[-3], re.search(r"#   facts:(.*?)#   sources:", head, re.DOTALL))
    read = {name: tuple(re.findall(r"signals\.(\w+)", found[1])) for name, (_, found) in facts.items() if found}
    assert {name: read[name] for name in CONTENT} == dict(CONTENT)
    assert {name for name, (cls, _) in facts.items() if cls == "red_line"} <= set(CONTENT)
