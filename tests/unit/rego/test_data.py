"""What the policy's own data lacks opens nothing: a decision rests on it as it rests on facts."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.release import starter
from gateway.types import Decision, Effect
from gateway.workshop.deciding import Decide, Made, embedded
from gateway.workshop.policies import opened
from tests.support.policy import REGO
from tests.support.vectors import load

DATA = json.loads((starter() / "data.json").read_bytes())
SHARED = ("labels", "limits", "authorities", "levels", "thresholds", "tenant_thresholds")

Path = tuple[str, ...]


def keys() -> Iterator[Path]:
    """Every file of data, every key of those that rules read by key, and every level of a framework."""
    yield from [("purposes",), ("purposes", "administrative"), ("evidence",)]
    for name in SHARED:
        yield (name,)
        yield from ((name, key) for key in DATA["brightline"][name])
    yield from (("levels", framework, level) for framework, of in DATA["brightline"]["levels"].items() for level in of)


def without(path: Path) -> Any:
    less = copy.deepcopy(DATA)
    place = less["brightline"]
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return less


def effect(made: Made) -> Effect:
    return made.effect if isinstance(made, Decision) else Effect.DENY


def weaker(before: Made, after: Made) -> bool:
    """Whether an effect is weaker, or an obligation of what stays permitted is gone."""
    if effect(after) != effect(before):
        return effect(after) < effect(before)
    both = isinstance(before, Decision) and isinstance(after, Decision) and effect(after) is not Effect.DENY
    return both and bool(set(before.obligations) - set(after.obligations))  # type: ignore[union-attr] - by `both`


def test_without_a_key_of_the_data_no_vector_is_weaker(decide: Decide) -> None:
    """Without any one key of the policy's data every vector is decided as strictly as with it."""
    vectors = [vector for vector in load() if vector.effect != "allow" or vector.obligations]  # others can't be weaker
    asked = [vector.input for vector in vectors]
    whole = decide(asked)
    found = []
    with opened(starter()) as policy:
        for path in keys():
            with embedded(dataclasses.replace(policy.release, data=without(path))) as less:
                pairs = zip(vectors, whole, less(asked), strict=True)
                found += [f"{vector.id} without {'.'.join(path)}" for vector, b, a in pairs if weaker(b, a)]
    assert found == []


def schema(name: str) -> Any:
    return json.loads((REGO / f"schemas/data/{name}.json").read_bytes())


def test_a_word_by_which_rules_look_data_up_is_from_a_closed_list() -> None:
    """The gate refuses an area that no rule knows, and thresholds without a signal.

    With an area misspelled a purpose would be outside of what rules refuse.
    """
    rules = "".join(p.read_text() for p in REGO.rglob("*.rego") if not p.name.endswith("_test.rego"))
    areas = schema("purposes")["additionalProperties"]["properties"]["areas"]["items"]["enum"]
    assert set(areas) == {area for purpose in DATA["brightline"]["purposes"].values() for area in purpose["areas"]}
    assert [area for area in areas if f'"{area}"' not in rules] == []
    assert set(schema("thresholds")["required"]) == DATA["brightline"]["thresholds"].keys()


@pytest.mark.parametrize("name", ["labels", "limits", "authorities"])
def test_what_rules_read_has_to_be_there(name: str) -> None:
    """The schema of the data asks for every key that a rule reads, so that the gate refuses data without it."""
    rules = "".join(p.read_text() for p in REGO.rglob("*.rego") if not p.name.endswith("_test.rego"))
    read = set(re.findall(rf"\b{name}\.(\w+)", rules))
    assert set(schema(name)["required"]) == read
