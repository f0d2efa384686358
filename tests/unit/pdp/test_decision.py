"""What an engine answered is a decision in every detail, or no decision at all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightline.v1 import message_pb2
from gateway.errors import GatewayError, Reason, Rule, Source
from gateway.pdp.decision import MAX_LIMIT, parse
from gateway.types import EFFECTORS, Decision, Effect, Obligation

REVISION = "r1"
RED_LINE: dict[str, Any] = {
    "id": "weapon_engage_autonomous",
    "class": "red_line",
    "title": "No autonomous engagement",
    "remedy": "No approval opens this.",
    "sources": [{"title": "A statement", "read": "first_hand"}],
    "effect": "deny",
}
APPROVAL = {**RED_LINE, "id": "weapon_human_judgment", "class": "directive", "effect": "require_approval"}
REMARK = {**RED_LINE, "id": "foreign_intel_analysis", "class": "provider_baseline", "effect": "allow", "sources": []}
MAX_TOKENS = {"kind": "max_tokens", "params": {"limit": 100}}


def answer(effect: str, *rules: object, **changes: object) -> dict[str, Any]:
    plain = {"effect": effect, "rules": list(rules), "obligations": [], "grants": [], "revision": REVISION}
    return copy.deepcopy({**plain, **changes})


def refused(result: object) -> str:
    with pytest.raises(GatewayError) as error:
        parse(result, REVISION)
    assert error.value.reason is Reason.POLICY_UNAVAILABLE
    assert error.value.detail not in error.value.message
    return error.value.detail


def test_an_allow_needs_no_rule() -> None:
    """A plain allow is a decision."""
    assert parse(answer("allow"), REVISION) == Decision(Effect.ALLOW, (), (), ())


def test_every_field_is_read() -> None:
    """Rules with their sources, every kind of obligation and grants arrive as they were sent."""
    obligations = [
        MAX_TOKENS,
        {"kind": "remove_tools", "params": {"effectors": ["weapon", "cyber"]}},
        {"kind": "output_marking", "params": {"text": "SECRET//NOFORN"}},
        *({"kind": kind, "params": {"text": kind}} for kind in ("label", "oversight_label", "record_authority")),
        {"kind": "seal_content", "params": {"class": "standard"}},
        {"kind": "route", "params": {"model": "small"}},
        {"kind": "incident", "params": {"text": "found", "report_within_hours": 24}},
    ]
    decision = parse(answer("allow", REMARK, obligations=obligations, grants=["g"]), REVISION)
    assert decision.rules == (
        Rule(
            "foreign_intel_analysis",
            "No autonomous engagement",
            "provider_baseline",
            "No approval opens this.",
            (),
            "allow",
        ),
    )
    assert decision.grants == ("g",)
    assert decision.obligations == (
        Obligation("max_tokens", limit=100),
        Obligation("remove_tools", effectors=("weapon", "cyber")),
        Obligation("output_marking", text="SECRET//NOFORN"),
        Obligation("label", text="label"),
        Obligation("oversight_label", text="oversight_label"),
        Obligation("record_authority", text="record_authority"),
        Obligation("seal_content", text="standard"),
        Obligation("route", text="small"),
        Obligation("incident", text="found", limit=24),
    )


@pytest.mark.parametrize("limit", [1, MAX_LIMIT])
def test_the_least_and_the_most_that_an_obligation_may_limit_are_read(limit: int) -> None:
    """A number at either end of what is accepted is a limit, of tokens and of hours."""
    incident = {"kind": "incident", "params": {"text": "found", "report_within_hours": limit}}
    read = parse(answer("allow", obligations=[{"kind": "max_tokens", "params": {"limit": limit}}, incident]), REVISION)
    assert [obligation.limit for obligation in read.obligations] == [limit, limit]


def test_rules_come_strictest_first() -> None:
    """The strictest effect comes first, then the class that others can't relax, then the id."""
    law = {**RED_LINE, "id": "a_law", "class": "law"}
    decision = parse(answer("deny", REMARK, APPROVAL, law, {**law, "id": "a"}, RED_LINE), REVISION)
    assert [rule.id for rule in decision.rules] == [
        "weapon_engage_autonomous",
        "a",
        "a_law",
        "weapon_human_judgment",
        "foreign_intel_analysis",
    ]
    assert decision.rules[0].sources == (Source("A statement", "first_hand"),)


@pytest.mark.parametrize("result", [None, True, "true", "allow", 1, 1.5, [], {}, {"allow": True}, [answer("allow")]])
def test_what_is_no_object_of_a_decision_is_refused(result: object) -> None:
    """Undefined, `true`, the text "true", numbers, arrays and other objects decide nothing."""
    assert "decision: " in refused(result)


@pytest.mark.parametrize("key", list(answer("allow")))
def test_a_decision_without_one_of_its_keys_is_refused(key: str) -> None:
    """Every key is required, and a key in another spelling is no key."""
    result = answer("allow")
    value = result.pop(key)
    refused(result)
    refused({**result, key.upper(): value})


@pytest.mark.parametrize("key", list(RED_LINE))
def test_a_rule_without_one_of_its_keys_is_refused(key: str) -> None:
    """A rule says everything that a refusal has to say."""
    rule = {name: value for name, value in RED_LINE.items() if name != key}
    refused(answer("deny", rule))
    refused(answer("deny", {**RED_LINE, key: None}))
    refused(answer("deny", {**RED_LINE, "threshold": 700}))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("effect", lambda d: d.update(effect="permit")),
        ("effect", lambda d: d.update(effect="ALLOW")),
        ("effect", lambda d: d.update(effect=1)),
        ("decision", lambda d: d.update(surprise=1)),
        ("rules", lambda d: d.update(rules={})),
        ("rules", lambda d: d.update(rules="")),
        ("rules", lambda d: d["rules"].append("rule")),
        ("rules.class", lambda d: d["rules"][0].update({"class": "provider"})),
        ("rules.effect", lambda d: d["rules"][0].update(effect="warn")),
        ("rules.effect", lambda d: d["rules"][0].update(effect=["deny"])),
        ("rules.id", lambda d: d["rules"][0].update(id="")),
        ("rules.title", lambda d: d["rules"][0].update(title="\ud800")),
        ("rules.remedy", lambda d: d["rules"][0].update(remedy=["ask"])),
        ("rules.sources", lambda d: d["rules"][0].update(sources="law")),
        ("rules.sources", lambda d: d["rules"][0].update(sources=["law"])),
        ("rules.sources.read", lambda d: d["rules"][0]["sources"][0].update(read="yes")),
        ("rules.sources", lambda d: d["rules"][0]["sources"][0].update(url="x")),
        ("obligations", lambda d: d.update(obligations={"max_tokens": 1})),
        ("obligations.kind", lambda d: d["obligations"].append({"kind": "redact", "params": {}})),
        ("obligations.kind", lambda d: d["obligations"].append({"kind": None, "params": {}})),
        ("obligations", lambda d: d["obligations"].append({"kind": "label"})),
        ("grants", lambda d: d.update(grants=None)),
        ("grants", lambda d: d.update(grants=[1])),
        ("grants", lambda d: d.update(grants=[""])),
        ("revision", lambda d: d.update(revision=None)),
        ("revision", lambda d: d.update(revision="r2")),
        ("revision", lambda d: d.update(revision="")),
    ],
)
def test_one_odd_detail_is_refused(place: str, change: Callable[[dict[str, Any]], None]) -> None:
    """An unknown word, a wrong type, an unknown key or another revision anywhere refuses the whole decision."""
    result = answer("deny", RED_LINE)
    change(result)
    assert f"{place}: " in refused(result)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("max_tokens", {"limit": 0}),
        ("max_tokens", {"limit": -1}),
        ("max_tokens", {"limit": MAX_LIMIT + 1}),
        ("max_tokens", {"limit": True}),
        ("max_tokens", {"limit": 5.0}),
        ("max_tokens", {"limit": "5"}),
        ("max_tokens", {"limit": 5, "soft": True}),
        ("max_tokens", {"text": "5"}),
        ("max_tokens", None),
        ("remove_tools", {"effectors": "weapon"}),
        ("remove_tools", {"effectors": ["weapons"]}),
        ("remove_tools", {"effectors": [None]}),
        ("label", {"text": ""}),
        ("label", {"text": 1}),
        ("label", {"limit": 1}),
        ("output_marking", {"text": "SECRTE"}),
        ("output_marking", {"text": ""}),
        ("output_marking", {"text": 1}),
        ("incident", {"text": "found", "report_within_hours": 0}),
        ("incident", {"text": "found", "report_within_hours": MAX_LIMIT + 1}),
        ("incident", {"text": "found", "report_within_hours": True}),
        ("incident", {"text": "", "report_within_hours": 24}),
        ("incident", {"text": "found"}),
        ("oversight_label", {}),
        ("seal_content", {"text": "standard"}),
        ("seal_content", {"class": ""}),
        ("record_authority", []),
        ("route", {"text": "small"}),
        ("route", {"model": ""}),
    ],
)
def test_an_obligation_that_cannot_be_met_exactly_is_refused(kind: str, params: object) -> None:
    """An obligation with a parameter that the gateway would not understand is never half applied."""
    assert "obligations.params" in refused(answer("allow", obligations=[{"kind": kind, "params": params}]))


@pytest.mark.parametrize(
    ("effect", "rules"),
    [
        ("allow", [RED_LINE]),
        ("allow", [APPROVAL]),
        ("require_approval", []),
        ("require_approval", [REMARK]),
        ("require_approval", [APPROVAL, RED_LINE]),
        ("deny", []),
        ("deny", [REMARK]),
        ("deny", [APPROVAL]),
    ],
)
def test_an_effect_that_its_rules_do_not_explain_is_refused(effect: str, rules: list[object]) -> None:
    """An allow beside a denying rule is refused, and so is a refusal without a rule that refuses."""
    assert "the strictest rule says" in refused(answer(effect, *rules))


LABEL = {"kind": "label", "params": {"text": "reviewed"}}
INCIDENT = {"kind": "incident", "params": {"text": "found", "report_within_hours": 24}}
SEALED = {"kind": "seal_content", "params": {"class": "standard"}}


@pytest.mark.parametrize("added", [{"grants": ["g"]}, {"obligations": [INCIDENT, LABEL]}], ids=["grant", "obligation"])
def test_a_denial_that_does_more_than_refuse_is_refused(added: dict[str, Any]) -> None:
    """A denial uses no grant and obliges to nothing of a permitted call."""
    assert "a refusal has none but" in refused({**answer("deny", RED_LINE), **added})


def test_a_denial_is_reported_and_kept() -> None:
    """A denial may oblige to report an incident and to seal what was asked."""
    assert parse(answer("deny", RED_LINE, obligations=[INCIDENT, SEALED]), REVISION).obligations == (
        Obligation("incident", text="found", limit=24),
        Obligation("seal_content", text="standard"),
    )


def test_the_known_effectors_are_those_of_the_contract() -> None:
    """Every effector that a tool can declare can be removed, and no other word is accepted."""
    assert {name.removeprefix("EFFECTOR_").lower() for name in message_pb2.Effector.keys()} == EFFECTORS  # noqa: SIM118 - an enum


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["allow", "deny", REVISION]),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4),
    max_leaves=20,
)
words = st.sampled_from(["allow", "deny", "require_approval", "red_line", "law", "first_hand", "max_tokens", "label"])
near_rule = st.fixed_dictionaries({key: st.just(value) | words | json_values for key, value in RED_LINE.items()})
near_obligation = st.fixed_dictionaries(
    {"kind": words, "params": json_values | st.fixed_dictionaries({"limit": json_values})}
)
near_decision = st.fixed_dictionaries(
    {
        "effect": words | json_values,
        "rules": json_values | st.lists(near_rule, max_size=3),
        "obligations": json_values | st.lists(near_obligation, max_size=3),
        "grants": st.lists(st.text() | json_values, max_size=2),
        "revision": st.just(REVISION) | json_values,
    }
)


@given(json_values | near_decision)
def test_any_json_is_a_decision_or_the_one_error(result: object) -> None:
    """Whatever JSON arrives, the parser returns a decision or raises POLICY_UNAVAILABLE."""
    try:
        decision = parse(result, REVISION)
    except GatewayError as error:
        assert error.reason is Reason.POLICY_UNAVAILABLE
    else:
        assert decision.effect is Effect.ALLOW or decision.rules


@given(st.permutations([RED_LINE, APPROVAL, REMARK]), st.data())
def test_a_decision_with_any_part_replaced_is_no_weaker(rules: list[object], data: st.DataObject) -> None:
    """Replacing any one value of a denial by any JSON never makes the answer anything but a denial or an error."""
    result = answer("deny", *rules)
    key = data.draw(st.sampled_from(sorted(result)))
    result[key] = data.draw(json_values)
    try:
        decision = parse(result, REVISION)
    except GatewayError as error:
        assert error.reason is Reason.POLICY_UNAVAILABLE
    else:
        assert decision.effect is Effect.DENY
