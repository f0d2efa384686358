"""What a tool's own words say that it does, whatever it declares."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.effectors import apparent, beyond
from gateway.effectors.words import DEEDS
from gateway.types import EFFECTORS, Effector, Tool

TEXT = st.text(max_size=80)
WORDS = st.sampled_from([word for _, *lists in DEEDS for some in lists for word in some.replace("-", " ").split()])
SPOKEN = st.lists(st.one_of(WORDS, st.sampled_from(["the", "to", "is", ". ", "returns"])), max_size=12).map(" ".join)


def says(name: str = "t", description: str = "", **properties: object) -> tuple[Effector, ...]:
    return apparent(name, description, json.dumps({"type": "object", "properties": properties}))


@pytest.mark.parametrize(
    ("effector", "name", "description"),
    [
        ("weapon", "launchMissile", ""),
        ("weapon", "fc", "Fires the selected gun at the position."),
        ("weapon", "x", "Use this tool to engage the target."),
        ("weapon", "x", "The munition is released at once."),
        ("nuclear", "arm_warhead", ""),
        ("nuclear", "x", "Transmits the nuclear release to the boats."),
        ("cyber", "port_scan", ""),
        ("cyber", "x", "Quarantines the host by cutting its network off."),
        ("physical", "valve-open", ""),
        ("physical", "x", "Starts and stops the pump."),
        ("sensor_tasking", "slew_camera", ""),
        ("communication", "x", "Sends a message to the customer."),
        ("digital_write", "delete_record", ""),
    ],
)
def test_a_tool_says_what_it_does(effector: str, name: str, description: str) -> None:
    """By its name or by its description, in any voice, a tool that acts is found."""
    assert effector in says(name, description)


@pytest.mark.parametrize("end", [".", "\uff01", "\uff1b", "\r", "\u2028", "\x85", "\u2026"])
def test_a_sentence_ends_where_a_reader_sees_its_end(end: str) -> None:
    """What stands after a sentence that only looks is a sentence of its own, however the first one ends."""
    assert "weapon" in says("x", f"Returns the status{end} Fires the gun at the position.")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("get_missile_launch_history", "Returns past launches of the missile, by site."),
        ("missile_status", ""),
        ("search", "Looks up when a weapon was fired, and by whom."),
        ("manual", "Explains how the breaker is opened."),
        ("what_if", "If the valve were opened, how high would the water rise?"),
        ("simulate_pump_start", "Simulates starting the pump."),
        ("answers", "Answers questions, e.g. who may release the weapon, i.e. fire the gun."),
        ("weather", "Forecast for a place, three days."),
        ("", ""),
    ],
)
def test_looking_is_not_doing(name: str, description: str) -> None:
    """A tool that reads, explains or simulates says nothing, whatever it is about."""
    assert says(name, description) == ()


def test_an_action_to_choose_is_one_that_the_tool_does() -> None:
    """The values of an action, and of any list that offers looking beside doing, are done to what the tool is about."""
    assert says("valve_control", "", action={"enum": ["status", "start", "stop"]}) == ("physical",)
    assert says("station", "Gun station.", what={"enum": ["status", "fire"]}) == ("weapon",)
    assert says("station", "Gun station.", colour={"enum": ["fire", "grass"]}) == ()


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"action": {"const": "fire"}}},
        {"properties": {"action": {"oneOf": [{"const": "safe"}, {"const": "fire"}]}}},
        {"properties": {"action": {"anyOf": [{"enum": ["safe", "fire"]}, {"type": "null"}]}}},
        {"properties": {"actions": {"type": "array", "items": {"enum": ["safe", "fire"]}}}},
        {"properties": {"action": {"$ref": "#/$defs/Do"}}, "$defs": {"Do": {"enum": ["safe", "fire"]}}},
    ],
)
def test_a_choice_counts_however_the_schema_offers_it(schema: dict[str, object]) -> None:
    """An action to choose is one that the tool does, as a list, a constant, a part of the property or a definition."""
    assert apparent("weapon_control", "", json.dumps(schema)) == ("weapon",)


@pytest.mark.parametrize("word", ["title", "description"])
@pytest.mark.parametrize(
    "where",
    [
        lambda said: said,
        lambda said: {"properties": {"a": said}},
        lambda said: {"properties": {"a": {"items": said}}},
        lambda said: {"properties": {"a": {"oneOf": [said]}}},
        lambda said: {"patternProperties": {"a": said}},
        lambda said: {"$defs": {"A": said}},
    ],
)
def test_every_part_of_a_schema_is_read(where: Callable[[object], object], word: str) -> None:
    """What a schema says of itself, or of any part, is said by the tool: a model reads all of it."""
    assert apparent("t", "", json.dumps(where({word: "Launches the rocket."}))) == ("weapon",)


def test_a_description_deep_in_a_schema_counts() -> None:
    """What a property of a property says is said."""
    deep = {"type": "object", "properties": {"b": {"type": "array", "items": {"properties": {"c": {}}}}}}
    deep["properties"]["b"]["items"]["properties"]["c"]["description"] = "Launches the rocket."  # type: ignore[index]  # nested
    assert says("t", "", a=deep) == ("weapon",)


@pytest.mark.parametrize(
    "schema", ["", "null", "[1, 2]", '{"properties": 3}', '{"properties": {"a": 1}}', "[" * 100_000]
)
def test_what_is_no_schema_says_nothing(schema: str) -> None:
    """Whatever stands where a schema should, nothing breaks."""
    assert apparent("t", "", schema) == ()


@given(TEXT, TEXT, TEXT)
def test_no_text_breaks_it(name: str, description: str, schema: str) -> None:
    """Of any texts the answer is effectors, in their order, each once, and the same again."""
    found = apparent(name, description, schema)
    assert found == apparent(name, description, schema)
    assert set(found) <= EFFECTORS - {"unspecified", "read_only"}
    assert len(set(found)) == len(found)


@given(SPOKEN, SPOKEN, SPOKEN)
def test_more_words_take_nothing_back(name: str, before: str, more: str) -> None:
    """Whatever else a description says in another sentence, what it says already is said."""
    name = name.replace(" ", "_")
    assert set(says(name, before)) <= set(says(name, f"{before}. {more}"))
    assert set(says(name, before)) <= set(says(name, f"{more}. {before}"))


@pytest.mark.parametrize(
    ("declared", "spoken", "graver"),
    [
        ("read_only", ("digital_write", "weapon"), "weapon"),
        ("weapon", ("weapon",), ""),
        ("nuclear", ("weapon",), ""),
        ("physical", ("cyber",), ""),
        ("read_only", (), ""),
        ("unspecified", ("weapon",), ""),
    ],
)
def test_what_is_graver_than_declared(declared: str, spoken: tuple[Effector, ...], graver: str) -> None:
    """A tool is told of as the gravest that it speaks of, where that is more than it declares; unstated is refused."""
    assert beyond(Tool("t", "", "{}", declared, spoken)) == graver


def test_words_are_whole() -> None:
    """A word is letters, two at least, or a pair of such, so that none was cut where a line was."""
    words = [word for _, *lists in DEEDS for some in lists for word in some.split()]
    assert [word for word in words if not re.fullmatch(r"[a-z]{2,}(-[a-z]{2,})?", word)] == []


@pytest.mark.parametrize(
    "description",
    [
        "L\u0430unches the missil\u0435",
        "Launches the m\u200bissile",
        "La\u00adunches the missile",
        "\uff2caunches the \U0001d426issile",
        "\u13deaunches the missile",
    ],
)
def test_letters_that_look_alike_are_read_as_they_look(description: str) -> None:
    """A tool says what a reader of its words sees, whatever characters they are made of."""
    assert apparent("run", description, "{}") == ("weapon",)
