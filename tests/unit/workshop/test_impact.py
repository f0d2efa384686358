"""What counts as looser, and what is told of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Rule
from gateway.types import Decision, Effect, Obligation
from gateway.workshop.impact import NO_DECISION, Impact, as_json, by_rule, by_tenant, looser
from gateway.workshop.lines import Line
from gateway.workshop.page import page
from tests.support.pages import Elements

LABEL, OTHER = Obligation("label", "one"), Obligation("label", "other")
REFUSAL = Rule("r", "t", "law", "m", (), "deny")


def decision(effect: Effect = Effect.ALLOW, *obligations: Obligation, rules: tuple[Rule, ...] = ()) -> Decision:
    return Decision(effect, rules, obligations, ())


def limit(count: int) -> Obligation:
    return Obligation("max_tokens", limit=count)


def incident(hours: int) -> Obligation:
    return Obligation("incident", "what happened", hours)


CYBER, MORE = (Obligation("remove_tools", effectors=e) for e in (("cyber",), ("physical", "cyber")))
ALLOW, APPROVAL, DENY = Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (decision(DENY), decision(ALLOW), True),
        (decision(DENY), decision(APPROVAL), True),
        (decision(APPROVAL), decision(ALLOW, LABEL), True),
        (decision(ALLOW), decision(DENY), False),
        (decision(), decision(), None),
        (decision(ALLOW, LABEL), decision(), True),
        (decision(), decision(ALLOW, LABEL), False),
        (decision(ALLOW, LABEL), decision(ALLOW, OTHER), True),
        (decision(ALLOW, LABEL), decision(ALLOW, OTHER, LABEL), False),
        (decision(ALLOW, limit(9)), decision(ALLOW, limit(8)), False),
        (decision(ALLOW, limit(8)), decision(ALLOW, limit(9)), True),
        (decision(ALLOW, CYBER), decision(ALLOW, MORE), False),
        (decision(ALLOW, MORE), decision(ALLOW, CYBER), True),
        (decision(ALLOW, Obligation("route", "small")), decision(ALLOW, Obligation("route", "large")), True),
        (decision(DENY, incident(24)), decision(DENY), True),
        (decision(DENY, incident(24)), decision(DENY, incident(48)), True),
        (decision(DENY, incident(24)), decision(DENY, incident(2)), False),
        (decision(DENY, rules=(REFUSAL,)), decision(DENY), None),
    ],
)
def test_what_is_looser(before: Decision, after: Decision, expected: bool | None) -> None:
    """A weaker effect is looser; with the same effect, an obligation that is gone, replaced or asks for less."""
    assert looser(before, after) is expected


_decisions = st.builds(
    lambda effect, obligations: decision(effect, *obligations),
    st.sampled_from(list(Effect)),
    st.lists(
        st.sampled_from([LABEL, OTHER, limit(1), limit(2)]),
        max_size=3,
        unique=True,
    ),
)


@given(_decisions, _decisions)
def test_a_change_and_its_reversal_are_never_both_stricter(one: Decision, other: Decision) -> None:
    """What is stricter one way is looser the other way, and what is neither one way is neither the other way."""
    there, back = looser(one, other), looser(other, one)
    assert there is not False or back is True
    assert (there is None) == (back is None)


def compared(*pairs: tuple[Any, Any], facts: dict[str, Any] | None = None) -> Impact:
    impact = Impact()
    facts = {"tenant": {"id": "a"}, "request": {"purpose": "p"}} if facts is None else facts
    for number, (old, new) in enumerate(pairs, 1):
        impact.add(Line(str(number), facts), old, new)
    return impact


def test_a_flip_names_what_is_behind_it() -> None:
    """A looser decision names the rules and obligations that are gone, a stricter one those that are new."""
    denied, labelled = decision(DENY, rules=(REFUSAL,)), decision(ALLOW, LABEL)
    impact = compared((denied, decision()), (labelled, denied), (labelled, decision()))
    rows = [(row.name, row.loosened, row.tightened) for row in by_rule(impact)]
    assert rows == [("r", 1, 1), ("obligation label", 1, 0)]
    assert [(row.name, row.loosened, row.tightened, row.of) for row in by_tenant(impact)] == [("a", 2, 1, 3)]
    assert [flip.id for flip in impact.ordered()] == ["1", "3", "2"]


def test_a_rule_that_asks_for_less_is_behind_its_flip() -> None:
    """A rule that refused and now waits for an approval is the rule that made the difference."""
    waits = Rule("r", "t", "law", "m", (), "require_approval")
    impact = compared((decision(Effect.DENY, rules=(REFUSAL,)), decision(Effect.REQUIRE_APPROVAL, rules=(waits,))))
    assert by_rule(impact)[0].name == "r"


def test_no_decision_is_a_refusal() -> None:
    """An engine without a decision refuses the call, so that losing the decision is stricter and gaining one looser."""
    impact = compared(("late", decision()), (decision(), "late"), ("late", "broken"))
    told = [(flip.loosened, flip.behind()) for flip in impact.ordered()]
    assert told == [(True, (NO_DECISION,)), (False, (NO_DECISION,))]


ODD: list[dict[str, Any]] = [{}, {"tenant": None, "request": []}, {"tenant": {"id": 1}, "request": {"purpose": ""}}]


@pytest.mark.parametrize("facts", ODD)
def test_facts_of_any_shape_are_counted(facts: dict[str, Any]) -> None:
    """An input without a tenant or a purpose is counted beside the others."""
    impact = compared((decision(Effect.DENY), decision()), facts=facts)
    assert [row.name for row in by_tenant(impact)] == ["(none)"]


def test_merging_is_adding() -> None:
    """What two processes compared is what one would have."""
    pairs = [(decision(Effect.DENY), decision()), (decision(), decision())]
    both, second = compared(pairs[0]), compared(pairs[1])
    both.merge(second)
    whole = as_json(compared(*pairs))
    assert {**as_json(both), "flips": 0} == {**whole, "flips": 0}
    assert whole["decisions"] == 2


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>&$old'


def test_the_page_stands_alone_and_obeys_nobody() -> None:
    """Whatever ids, tenants and purposes say, the page has no script, loads nothing, and shows them as text."""
    facts = {"stage": HOSTILE, "tenant": {"id": HOSTILE}, "request": {"purpose": HOSTILE}}
    rule = Rule(HOSTILE, "t", "law", "m", (), "deny")
    impact = compared((decision(Effect.DENY, rules=(rule,)), decision()), facts=facts)
    made = Elements()
    made.feed(text := page(impact, HOSTILE, "new", "1" * 64, "2" * 64))
    assert not made.tags & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    assert not [name for name, _ in made.attributes if name in {"src", "href"} or name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text
    assert HOSTILE in made.text


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([], "No decision changes"),
        ([(decision(), decision(Effect.DENY))], "No decision becomes looser"),
        ([(decision(Effect.DENY), decision())], "1 decision becomes looser"),
        ([(decision(Effect.DENY), decision())] * 1200, "1,200 decisions become looser"),
    ],
)
def test_the_page_opens_with_its_verdict(pairs: list[Any], verdict: str) -> None:
    """The heading says in words whether anything is looser; what is too much to list is counted."""
    text = page(compared(*pairs), "old", "new", "1", "2")
    assert f">{verdict}</h1>" in text
    assert ("100 of 1,200; --json has them all" in text) == (len(pairs) == 1200)


def test_what_is_told_is_json() -> None:
    """Everything that was compared can be written as JSON."""
    told = json.loads(json.dumps(as_json(compared((decision(Effect.DENY, rules=(REFUSAL,)), decision())))))
    assert told["flips"][0] == {
        "id": "1",
        "tenant": "a",
        "purpose": "p",
        "stage": "",
        "before": "deny",
        "after": "allow",
        "loosened": True,
        "gone": ["r"],
        "new": [],
    }
