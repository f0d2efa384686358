"""Both engines decide generated inputs alike, every rule has its part in them, and a difference would be shrunk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tests.engines import sweep
from tests.support.generate import inputs, made
from tests.support.policy import REGO
from tests.support.vectors import load

INPUTS = 2000
SCHEMA = Draft7Validator(json.loads((REGO / "schemas/input.json").read_bytes()))


@pytest.mark.timeout(300)
def test_the_engines_decide_generated_inputs_alike() -> None:
    """No input is decided differently, down to obligations and grants, and every rule that can refuse some does."""
    found = sweep.sweep(INPUTS, seed=1)
    assert not found.differences, "\n".join(sweep.smallest(found))
    assert found.inputs == INPUTS
    assert set(found.effects) >= {"allow", "require_approval", "deny"}
    rules = {rule for vector in load() for rule in vector.rules}
    assert rules <= set(found.rules), f"never fired: {sorted(rules - set(found.rules))}"


def test_a_difference_is_shrunk() -> None:
    """Of the changes of an input only those stay that the difference needs."""
    small = sweep.shrink((7, [1, 2, 3, 4, 5]), lambda numbers: {2, 4} <= set(numbers[1]))
    assert small == (7, [2, 4])


def test_differences_are_told_with_their_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is the smallest input and both decisions."""
    monkeypatch.setattr(sweep, "decide", lambda numbers: (["late"], [len(numbers[0][1])]))
    (text,) = sweep.smallest(sweep.Found(1, differences=[(3, [1, 2])]))
    assert text == f"input: {json.dumps(made(3, []))}\n  wasm: late\n  opa:  0"


@given(st.integers(0, 2**32), st.lists(st.integers(0, 2**32), max_size=6))
def test_the_same_numbers_are_the_same_input(base: int, changes: list[int]) -> None:
    """An input can be made again from its numbers."""
    assert made(base, changes) == made(base, changes)


def test_most_inputs_are_well_formed_and_some_are_not() -> None:
    """Generated inputs are mostly of the shape that rules act on, and sometimes not."""
    valid = [SCHEMA.is_valid(made(number, [number + step for step in range(4)])) for number in range(500)]
    assert 0.6 < sum(valid) / len(valid) < 0.98


@given(inputs())
def test_every_input_is_json(facts: Any) -> None:
    """Whatever is generated can be written down."""
    assert json.loads(json.dumps(facts)) == facts
