"""What papers open about a US person: every purpose for every kind of tenant, under everything that could be cited.

A purpose that is permitted about foreigners and about no US person, whatever is named, is a closed door. Those that
there are meant to be are listed here, and told in docs/LIMITATIONS.md.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from gateway.release import starter
from gateway.types import Decision, Effect
from gateway.workshop.deciding import Decide, Made
from tests.support.policy import ROOT
from tests.support.vectors import bases

DATA = json.loads((starter() / "data.json").read_bytes())["brightline"]
PURPOSES = sorted(DATA["purposes"])
KINDS = ("civil", "dod", "intelligence", "law_enforcement")
CITATIONS = (None, *sorted({citation for listed in DATA["authorities"].values() for citation in listed}))
PERIOD = {"not_before": 1_790_000_000_000, "expires": 1_800_000_000_000}
RULES = sorted(p.name for p in (ROOT / "rego/brightline/rules/provider_baseline").iterdir())

FORCE = {"targeting_support", "weapon_engagement", "collateral_damage_estimation"}
BODIES = {"biometric_categorisation", "emotion_inference", "social_scoring"}
NEITHER_FOREIGN_NOR_COUNTER = {"intelligence_analysis"}
"""What waits for another purpose, as DoDM 5240.01 has it."""


def under_everything(purpose: str, kind: str, citation: str | None, about: Any) -> Any:
    """A request with every grant, every evidence and an approval, which cites this."""
    facts = copy.deepcopy(bases()["querier"])
    grants = [
        {"id": rule, "rule": rule, "purposes": PURPOSES, "conditions": [], **PERIOD, "addendum": "a"} for rule in RULES
    ]
    facts["tenant"] |= {"kind": kind, "purposes": PURPOSES, "grants": grants}
    evidence = [{"kind": proof, "id": "proof-1", "expires": PERIOD["expires"]} for proof in DATA["evidence"]]
    authority = {"kind": "order", "citation": citation, "id": "order-1", **PERIOD} if citation else None
    facts["request"] |= {"purpose": purpose, "authority": authority, "evidence": evidence, **about}
    return facts


def opened(decide: Decide, about: Any) -> dict[tuple[str, str], list[tuple[str | None, Decision]]]:
    """What is permitted, by purpose and kind of tenant: the citations and their decisions."""
    asked = [(p, k, c) for p in PURPOSES for k in KINDS for c in CITATIONS]
    made = decide([under_everything(*one, about) for one in asked])
    found: dict[tuple[str, str], list[tuple[str | None, Decision]]] = {}
    for (purpose, kind, citation), one in zip(asked, made, strict=True):
        if isinstance(one, Decision) and one.effect is Effect.ALLOW:
            found.setdefault((purpose, kind), []).append((citation, one))
    return found


def us_person(place: str) -> Any:
    return {
        "us_person": {"involved": "yes", "basis": "", "process_id": "query-1"},
        "geo": [place],
        "volume": {"persons": 1, "records": None},
        "data_origin": "agency_records",
    }


FOREIGNER = {**us_person("FR"), "us_person": {"involved": "no", "basis": "", "process_id": ""}}


def test_every_purpose_has_a_paper_for_a_us_person_or_is_known_to_have_none(decide: Decide) -> None:
    """What is permitted about a foreigner is permitted about one US person under some paper, but for what is listed."""
    foreigners = {purpose for purpose, _ in opened(decide, FOREIGNER)}
    us_persons = {purpose for purpose, _ in opened(decide, us_person("US"))}
    assert foreigners - us_persons == FORCE | BODIES | NEITHER_FOREIGN_NOR_COUNTER
    assert us_persons <= foreigners


def test_a_statutory_exception_works_about_a_us_person(decide: Decide) -> None:
    """A military tenant supports law enforcement at home under an act of Congress, and under nothing else."""
    doors = opened(decide, us_person("US"))
    for purpose in ("law_enforcement", "domestic_law_enforcement_support"):
        assert {citation for citation, _ in doors[purpose, "dod"]} == set(DATA["authorities"]["domestic_support"])


def test_a_paper_that_opens_is_recorded(decide: Decide) -> None:
    """Where a purpose that looks at people is permitted about a US person, what permits it is on the record."""
    for (purpose, kind), ways in opened(decide, us_person("US")).items():
        if "people" in DATA["purposes"][purpose]["areas"]:
            for citation, decision in ways:
                recorded = {o.text for o in decision.obligations if o.kind == "record_authority"}
                assert recorded, (purpose, kind, citation)


def test_consent_to_a_record_of_expression_is_recorded(decide: Decide) -> None:
    """Where consent permits content about beliefs, whatever the purpose is, the consent is on the record."""
    facts = under_everything("administrative", "civil", None, FOREIGNER | {"geo": []})
    facts["signals"] = {**facts["signals"], "protected_expression": 1000}
    (made,) = decide([facts])
    assert isinstance(made, Decision)
    assert made.effect is Effect.ALLOW
    assert "consent / proof-1" in {o.text for o in made.obligations if o.kind == "record_authority"}


READING = {"name": "lookup", "effector": "read_only", "apparent": []}
WEAPON = {"name": "release", "effector": "weapon", "apparent": []}


def later(facts: Any) -> Iterator[Any]:
    """The stages after this request: what the answer shows, and a harmless tool that is called."""
    for shown in ({}, {"us_person": 1000}, {"protected_expression": 1000}):
        after = {**facts, "signals": {**facts["signals"], **shown}}
        yield {**after, "stage": "response"}
        yield {**after, "stage": "tool_call", "request": {**facts["request"], "tools": [READING]}}


def test_no_answer_needs_an_obligation_that_its_request_had_not(decide: Decide) -> None:
    """What permits an answer or a tool call was recorded at the request: later it is too late, and refused."""
    told = [{**about, "tools": tools} for about in (FOREIGNER, us_person("US")) for tools in ([], [READING, WEAPON])]
    kinds = ("dod", "intelligence")
    asked = [under_everything(p, k, c, t) for p in PURPOSES for k in kinds for c in CITATIONS for t in told]
    permitted = [(f, one) for f, one in zip(asked, decide(asked), strict=True) if effect(one) is Effect.ALLOW]
    stages = [(facts, before, after) for facts, before in permitted for after in later(facts)]
    made = decide([after for _, _, after in stages])
    late = {
        (facts["request"]["purpose"], (facts["request"]["authority"] or {}).get("citation"), after["stage"])
        for (facts, before, after), one in zip(stages, made, strict=True)
        if isinstance(before, Decision) and isinstance(one, Decision) and one.effect is Effect.ALLOW
        if not {*one.obligations} <= {*before.obligations}
    }
    assert len(stages) > 1000
    assert late == set()


def doubts() -> Iterator[Any]:
    """What is declared of persons who are US persons, or of whom the content shows it."""
    for involved in ("yes", "unknown", "unspecified", "no"):
        for place in ([], ["US"], ["SY", "US"]):
            for persons in (1, 1_000_000, None):
                for origin in ("agency_records", "commercial", "intelligence", "unspecified"):
                    yield {
                        "us_person": {"involved": involved, "basis": "", "process_id": ""},
                        "geo": place,
                        "volume": {"persons": persons, "records": None},
                        "data_origin": origin,
                    }


def effect(made: Made) -> Effect:
    return made.effect if isinstance(made, Decision) else Effect.DENY


def test_nothing_opens_the_use_of_force_against_us_persons(decide: Decide) -> None:
    """Where US persons are meant or shown, no paper permits support to the use of force, however it is declared."""
    asked = [under_everything(p, "dod", c, about) for p in sorted(FORCE) for c in CITATIONS for about in doubts()]
    for facts in asked:
        facts["signals"] = {**facts["signals"], "us_person": 1000}
    assert {effect(one) for one in decide(asked)} == {Effect.DENY}
