"""What is counted: closed lists, numbers that add up, and nothing taken from another process but numbers."""

from __future__ import annotations

from bisect import bisect_left
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightline.v1 import approval_pb2, audit_pb2, inference_pb2, policy_pb2
from gateway.errors import GatewayError, Reason, Rule
from gateway.pdp.decision import CLASSES as DECIDED
from gateway.telemetry.meters import (
    BOUNDS_S,
    CLASSES,
    METHODS,
    NAMES,
    OTHER,
    Counted,
    Meters,
    histogram,
    method_of,
    took,
)
from gateway.types import Decision, Effect, Reading, Stage

FULL = [
    f"/{service.full_name}/{method.name}"
    for file in (inference_pb2, policy_pb2, approval_pb2, audit_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
NS = st.integers(min_value=0, max_value=10**13)


def test_every_method_of_the_contract_has_its_place() -> None:
    """The closed list of methods is that of the contract, and the last place is for all others."""
    assert [METHODS[method_of(name)] for name in FULL] == [name.rpartition("/")[2] for name in FULL]
    assert sorted(METHODS) == sorted([*(name.rpartition("/")[2] for name in FULL), OTHER])


@given(st.text())
def test_a_method_that_nobody_serves_is_other(name: str) -> None:
    """What a caller makes up has no place of its own."""
    assert METHODS[method_of(name)] == OTHER or name in FULL


def test_every_class_of_rules_has_its_place() -> None:
    """The classes are those that a decision can have, and one for decisions without a rule."""
    assert (*DECIDED, "none") == CLASSES


@given(st.lists(NS))
def test_a_histogram_has_every_measurement_in_its_bucket(taken: list[int]) -> None:
    """Each is counted once, where the first bound is not below it, and the sum is that of all."""
    numbers = histogram()
    for ns in taken:
        took(numbers, ns)
    expected = [0] * (len(BOUNDS_S) + 1)
    for ns in taken:
        expected[bisect_left([round(bound * 10**9) for bound in BOUNDS_S], ns)] += 1
    assert numbers == [*expected, sum(taken)]


def filled(seed: int, model: str = "one") -> Meters:
    """Numbers of every kind."""
    meters = Meters()
    rule = Rule("r", "", CLASSES[seed % 5], "", (), "deny")
    for number in range(seed % 7 + 1):
        meters.ended(number % len(METHODS), [None, Reason.OVERLOADED][number % 2], number * 10**6)
        meters.decided(Stage.REQUEST, Decision(Effect.DENY, (rule,), (), ()))
        meters.decided(Stage.RESPONSE, Decision(Effect.ALLOW, (), (), ()))
        meters.read((Reading("cbrn", "1", None), Reading("cyber", "1", 3)))
        took(meters.of_model(model).whole, number)
        meters.failed(model, GatewayError(Reason.UPSTREAM_FAILED, ""))
        meters.failed(model, ValueError())
    return meters


@given(st.lists(st.integers(0, 100), max_size=5))
def test_several_processes_count_together(seeds: list[int]) -> None:
    """What several said, by way of the wire, is the sum, whichever of them have ended."""
    said = [
        Counted.heard(orjson.loads(orjson.dumps(Counted(filled(s), s, 2 * s, {"lexical": bool(s)}, bool(s)).said())))
        for s in seeds
    ]
    past, living = Meters(), said[1:]
    for one in said[:1]:
        past.add(one.meters.said())
    together = Counted.together(living, past)
    assert sum(map(sum, together.meters.calls)) == sum(s % 7 + 1 for s in seeds)
    assert sum(together.meters.refusals) == sum((s % 7 + 1) // 2 for s in seeds)
    assert sum(together.meters.decisions) == 2 * sum(s % 7 + 1 for s in seeds)
    assert (together.flying, together.waiting) == (sum(seeds[1:]), 2 * sum(seeds[1:]))
    assert together.ready == (len(seeds) > 1 and all(seeds[1:]))
    assert together.detectors == ({"lexical": all(seeds[1:])} if seeds[1:] else {})


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, st.sampled_from(["meters", "flying", "waiting", "detectors", "ready"]), st.data())
def test_what_is_no_count_is_not_taken(odd: Any, name: str, data: st.DataObject) -> None:
    """Another process says numbers of the agreed shape, or it raises one of the errors for which it is hung up on."""
    said: dict[str, Any] = deepcopy(Counted(filled(3), 1, 1, {"lexical": True}, True).said())
    if name == "meters":
        said[name][data.draw(st.sampled_from(sorted(said[name])))] = odd
    else:
        said[name] = odd
    try:
        heard = Counted.heard(said)
    except (ValueError, TypeError, LookupError, AttributeError):
        return
    assert all(type(number) is int and number >= 0 for number in (*heard.meters.refusals, heard.flying, heard.waiting))
    assert {type(is_so) for is_so in (heard.ready, *heard.detectors.values())} == {bool}


def test_models_beyond_the_bound_are_counted_together() -> None:
    """However many models releases name over time, there are never more than so many labels."""
    meters = Meters()
    for number in range(3 * NAMES):
        took(meters.of_model(f"model-{number}").whole, 1)
    assert len(meters.models) == NAMES + 1
    assert sum(meters.models[OTHER].whole[:-1]) == 2 * NAMES


@pytest.mark.parametrize("error", [GeneratorExit(), KeyboardInterrupt()])
def test_what_was_broken_off_has_not_failed(error: BaseException) -> None:
    """An exchange that was ended from this side is no failure of the model."""
    meters = Meters()
    meters.failed("one", error)
    assert not meters.models
