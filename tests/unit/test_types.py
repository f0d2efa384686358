"""The values of the path: what may be forwarded is made in one place only."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason, Rule
from gateway.types import (
    Decision,
    Document,
    Effect,
    Facts,
    Message,
    Model,
    Obligation,
    Permitted,
    Prompt,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    content_bytes,
    judged_texts,
    new_decision_id,
)

RULE = Rule("r", "R", "law", "", (), "deny")
MODEL = Model("m", "", "u", "um", {})
FACTS = Facts({}, MODEL)
PROMPT = Prompt(
    model="m",
    system="be brief",
    messages=(
        Message("user", (Text("hello"), Document("plan", "by road", "CUI"))),
        Message("assistant", (ToolUse("1", "look", '{"at":"map"}'),)),
        Message("user", (ToolResult("1", "a map", is_error=False),)),
    ),
    tools=(Tool("look", "looks", '{"type":"object"}', "read_only", ()), Tool("aim", "aims", "{}", "weapon", ())),
    max_tokens=500,
    temperature_milli=None,
    use={},
)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [(Effect.DENY, Reason.POLICY_DENIED), (Effect.REQUIRE_APPROVAL, Reason.APPROVAL_REQUIRED)],
)
def test_only_allow_permits(effect: Effect, reason: Reason) -> None:
    """Any other effect raises its reason with the rules, and makes nothing that could be forwarded."""
    with pytest.raises(GatewayError) as refused:
        Decision(effect, (RULE,), (), ()).permit(PROMPT, FACTS)
    assert (refused.value.reason, refused.value.rules) == (reason, (RULE,))


def test_a_permission_cannot_be_made_by_hand() -> None:
    """Only Decision.permit makes a Permitted."""
    with pytest.raises(TypeError):
        Permitted(PROMPT, MODEL, (), object())


def test_an_allowed_call_without_a_model_is_a_fault() -> None:
    """An allow for a model that the release does not have forwards nothing."""
    with pytest.raises(GatewayError) as refused:
        Decision(Effect.ALLOW, (), (), ()).permit(PROMPT, Facts({}, None))
    assert refused.value.reason is Reason.INTERNAL


def test_obligations_are_applied_before_anything_is_forwarded() -> None:
    """A token limit only lowers, tools that are or seem of these effectors go, a route leads, and all of it is told."""
    obligations = (
        Obligation("max_tokens", limit=100),
        Obligation("max_tokens", limit=900),
        Obligation("remove_tools", effectors=("weapon",)),
        Obligation("label", text="AI-assisted"),
        Obligation("route", text="small"),
    )
    asked = replace(PROMPT, tools=(*PROMPT.tools, Tool("drive", "drives", "{}", "read_only", ("weapon",))))
    permitted = Decision(Effect.ALLOW, (), obligations, ()).permit(asked, FACTS)
    assert permitted.prompt.model == "small"
    assert permitted.prompt.max_tokens == 100
    assert [t.name for t in permitted.prompt.tools] == ["look"]
    assert permitted.obligations == obligations
    assert permitted.prompt.messages is PROMPT.messages


def test_every_string_that_a_model_would_see_is_read() -> None:
    """What is counted, and what detectors read, hold each string of every part, tool and instruction."""
    said = {"be brief", "look", "looks", "hello", "plan", "by road", "a map"}
    assert said | {'{"type":"object"}', '{"at":"map"}'} <= set(PROMPT.texts())
    assert said | {"type", "object", "at", "map"} <= set(PROMPT.judged())


@pytest.mark.parametrize("escaped", ["two\nwords", 'a "word"', "a\\b", "\x01", "\u2028"])
def test_detectors_read_what_json_means(escaped: str) -> None:
    """A string in arguments is read as it is there for a model, wherever it stands, not as it is written out."""
    arguments = json.dumps({"a": [{"b": escaped}], escaped: 1})
    assert [*judged_texts([ToolUse("1", "look", arguments)])] == [escaped, "a", escaped, "b", "1", "look"]


@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_no_string_of_json_is_left_out(value: object) -> None:
    """Each string and each name is read, as often as it is there."""

    def held(value: object) -> list[str]:
        match value:
            case str():
                return [value]
            case list():
                return [text for item in value for text in held(item)]
            case dict():
                return [*value, *(text for item in value.values() for text in held(item))]
        return []

    assert sorted([*judged_texts([ToolUse("", "", json.dumps(value))])][:-2]) == sorted(held(value))


def test_what_is_no_json_is_read_as_it_stands() -> None:
    """Nothing goes unread for not being JSON."""
    assert [*judged_texts([ToolUse("1", "look", "{fire")])] == ["{fire", "1", "look"]


@pytest.mark.parametrize(
    "other",
    [
        replace(PROMPT, model="n"),
        replace(PROMPT, system="be long"),
        replace(PROMPT, max_tokens=501),
        replace(PROMPT, temperature_milli=0),
        replace(PROMPT, tools=PROMPT.tools[:1]),
        replace(PROMPT, messages=PROMPT.messages[:2]),
        replace(
            PROMPT,
            messages=(
                Message(
                    "user",
                    (Text("hello"), Text("plan")),
                ),
                *PROMPT.messages[1:],
            ),
        ),
        replace(PROMPT, messages=(*PROMPT.messages[:2], Message("user", (ToolResult("1", "a map", is_error=True),)))),
    ],
)
def test_what_is_forwarded_differs_in_bytes_when_it_differs(other: Prompt) -> None:
    """Two prompts that a model could tell apart have other content bytes, so a commitment tells them apart too."""
    assert content_bytes(other) != content_bytes(PROMPT)


def test_decision_ids_sort_by_time_and_never_repeat() -> None:
    """Identifiers of a later millisecond sort later, and a thousand of one moment are a thousand."""
    now = 1_800_000_000_000_000
    assert new_decision_id(now) < new_decision_id(now + 1_000)
    assert len({new_decision_id(now) for _ in range(1000)}) == 1000
