"""What both engines do with the starter policy: the same, and never anything but a decision or a refusal to decide."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings

from gateway.canonical import Json
from gateway.errors import GatewayError, Reason
from gateway.pdp import Engine
from gateway.types import Decision, Effect, Obligation
from tests.support.engines import ENGINES, both
from tests.support.generate import inputs
from tests.support.inputs import output, plain

EXAMPLES = int(os.environ.get("BRIGHTLINE_EXAMPLES", "200"))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines() -> AsyncIterator[dict[str, Engine]]:
    """Both engines with the starter policy."""
    async with both() as made:
        yield made


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    """One engine, then the other."""
    return engines[request.param]


async def outcome(engine: Engine, facts: dict[str, Any]) -> Decision | Reason:
    try:
        return await engine.decide(facts)
    except GatewayError as error:
        return error.reason


async def test_an_engine_says_what_it_is(engine: Engine, engines: dict[str, Engine]) -> None:
    """Records can name the engine and its version."""
    assert engines[engine.name] is engine
    assert engine.version


async def test_a_permitted_use_is_allowed(engine: Engine) -> None:
    """A plain use within the tenant's bounds is allowed, with no rule against it, and its output is marked."""
    marked = Obligation("output_marking", text="UNCLASSIFIED")
    assert await engine.decide(plain()) == Decision(Effect.ALLOW, (), (marked,), ())


@pytest.mark.parametrize(
    ("changes", "effect", "rule"),
    [
        ({"signals": {"autonomous_targeting": 900}}, Effect.DENY, "weapon_engage_autonomous"),
        ({"signals": {"autonomous_targeting": None}}, Effect.DENY, "weapon_engage_autonomous"),
        ({"signals": {"domestic_surveillance": 900}}, Effect.DENY, "us_person_mass_surveillance"),
        ({"request": {"purpose": "unheard_of"}}, Effect.DENY, "purpose_known"),
        ({"request": {"output_marking": output("TOP SECRET")}}, Effect.DENY, "marking_dominance"),
        ({"request": {"marking": None}}, Effect.DENY, "marking_dominance"),
        (
            {"request": {"tools": [{"name": "t", "effector": "nuclear", "apparent": []}]}},
            Effect.DENY,
            "nuclear_employment_human",
        ),
        (
            {"request": {"tools": [{"name": "t", "effector": "unspecified", "apparent": []}]}},
            Effect.DENY,
            "tool_effector_stated",
        ),
        ({"model": None}, Effect.DENY, "model_allowed"),
        ({"tenant": {"policy": "absent"}}, Effect.DENY, "agency_policy_present"),
        (
            {"request": {"autonomy": "recommend", "tools": [{"name": "t", "effector": "weapon", "apparent": []}]}},
            Effect.REQUIRE_APPROVAL,
            "weapon_human_judgment",
        ),
    ],
)
async def test_each_kind_of_refusal(engine: Engine, changes: dict[str, Any], effect: Effect, rule: str) -> None:
    """A refusal names its rule, with a remedy and sources."""
    decision = await engine.decide(plain(**changes))
    assert decision.effect is effect
    found = {r.id: r for r in decision.rules}[rule]
    assert found.title
    assert found.remedy
    assert found.sources


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"stage": "request"},
        dict.fromkeys(plain()),
        dict.fromkeys(plain(), "x"),
        {key: [] for key in plain()},
        {key: value for key, value in plain().items() if key != "request"},
        plain(request=None),
        plain(tenant={"purposes": "general_assistance"}),
        plain(signals={"autonomous_targeting": "0"}),
        plain(now="today"),
        plain(stage="later"),
    ],
)
async def test_empty_and_mistyped_facts_are_never_permitted(engine: Engine, facts: dict[str, Any]) -> None:
    """A missing part, an empty input or a wrong type denies or leaves no decision; it never permits."""
    made = await outcome(engine, facts)
    assert made is Reason.POLICY_UNAVAILABLE or (isinstance(made, Decision) and made.effect is Effect.DENY)


@pytest.mark.parametrize(
    "facts", [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}, {"x": b"bytes"}, {"x": "y" * (1 << 20)}]
)
async def test_what_cannot_be_sent_is_not_decided(engine: Engine, facts: dict[str, Json]) -> None:
    """Facts that are no JSON, and too many of them, leave no decision, and the engine decides on."""
    with pytest.raises(GatewayError) as refused:
        await engine.decide(facts)
    assert refused.value.reason is Reason.POLICY_UNAVAILABLE
    assert (await engine.decide(plain())).effect is Effect.ALLOW


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=inputs())
async def test_both_engines_decide_alike(engines: dict[str, Engine], facts: dict[str, Any]) -> None:
    """For any facts the two engines give equal decisions, down to rules, obligations and grants."""
    made = [await outcome(engine, facts) for engine in engines.values()]
    assert made[0] == made[1]
