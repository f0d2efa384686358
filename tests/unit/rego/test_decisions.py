"""Properties of every decision, on the sources as an OPA server loads them from the starter."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tests.support.generate import inputs
from tests.support.inputs import plain
from tests.support.opa import serving
from tests.support.policy import REGO, STARTER

EXAMPLES = int(os.environ.get("BRIGHTLINE_EXAMPLES", "100"))

SCHEMAS = REGO / "schemas"
STRICTNESS = ["allow", "require_approval", "deny"]
INPUT = Draft7Validator(json.loads((SCHEMAS / "input.json").read_bytes()))
DECISION = Draft7Validator(json.loads((SCHEMAS / "decision.json").read_bytes()))

Server: TypeAlias = tuple[aiohttp.ClientSession, str]

pytestmark = pytest.mark.asyncio(loop_scope="module")
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
some = settings(many, max_examples=EXAMPLES // 4)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    """An OPA server with the starter's rego/, as the operator's page starts it but for the bundle flag."""
    async with serving([STARTER / "rego"]) as url, aiohttp.ClientSession() as session:
        yield session, url


async def query(server: Server, path: str, facts: Any) -> Any:
    session, url = server
    async with session.post(f"{url}/v1/data/{path}", json={"input": facts}) as answer:
        assert answer.status == 200
        return (await answer.json()).get("result")


async def decide(server: Server, facts: Any) -> dict[str, Any]:
    decision: dict[str, Any] = await query(server, "brightline/decision", facts)
    return decision


@many
@given(facts=inputs())
async def test_well_formed_is_what_the_schema_says(server: Server, facts: dict[str, Any]) -> None:
    """The policy and rego/schemas/input.json agree on which facts have the right shape."""
    assert bool(await query(server, "brightline/facts/well_formed", facts)) == INPUT.is_valid(facts)


@many
@given(facts=inputs())
async def test_every_answer_is_a_decision(server: Server, facts: dict[str, Any]) -> None:
    """Whatever the facts, the answer is a decision by the schema, and only facts of the right shape are not denied."""
    decision = await decide(server, facts)
    DECISION.validate(decision)
    assert decision["effect"] == "deny" or INPUT.is_valid(facts)
    assert (decision["effect"] == "allow") == (decision["rules"] == [])
    effects = [STRICTNESS.index(rule["effect"]) for rule in decision["rules"]]
    assert effects == sorted(effects, reverse=True)
    assert decision["effect"] == STRICTNESS[max(effects, default=0)]


@many
@given(facts=inputs(), stage=st.sampled_from(["response", "tool_call"]))
async def test_every_stage_is_decided_alike(server: Server, facts: dict[str, Any], stage: str) -> None:
    """The same facts get the same decision at every stage: no stage goes round a rule."""
    first, later = {**facts, "stage": "request"}, {**facts, "stage": stage}
    assert await decide(server, first) == await decide(server, later)


@many
@given(facts=inputs())
async def test_the_example_agency_never_weakens_a_decision(server: Server, facts: dict[str, Any]) -> None:
    """With the example agency's policy a decision is at least as strict as with none."""
    assert await never_weaker(server, facts, "example")


async def put(server: Server, verdicts: list[Any]) -> None:
    """Make these the verdicts of the agency policy "trial"."""
    session, url = server
    said = f"{{{', '.join(map(json.dumps, verdicts))}}}" if verdicts else "set()"
    module = f"package brightline.agency.trial\n\nverdicts := {said}\n"
    async with session.put(f"{url}/v1/policies/trial", data=module) as answer:
        assert answer.status == 200, await answer.text()


async def never_weaker(server: Server, facts: dict[str, Any], policy: str) -> bool:
    """Whether a decision with the agency's policy is at least as strict, and keeps its rules and obligations."""
    if not isinstance(facts.get("tenant"), dict):
        facts = plain()
    alone = await decide(server, {**facts, "tenant": {**facts["tenant"], "policy": ""}})
    with_it = await decide(server, {**facts, "tenant": {**facts["tenant"], "policy": policy}})
    return (
        STRICTNESS.index(with_it["effect"]) >= STRICTNESS.index(alone["effect"])
        and all(rule in with_it["rules"] for rule in alone["rules"])
        and (with_it["effect"] == "deny" or all(o in with_it["obligations"] for o in alone["obligations"]))
    )


def rule(cls: str, ident: str) -> dict[str, Any]:
    custom = {"id": ident, "class": cls, "remedy": "m", "sources": [{"title": "s", "read": "first_hand"}]}
    return {"title": "t", "custom": custom}


agencies: st.SearchStrategy[list[Any]] = st.lists(
    st.fixed_dictionaries(
        {
            "effect": st.sampled_from(["allow", "require_approval", "deny", "permit", ""]),
            "rule": st.builds(
                rule,
                st.sampled_from(["agency", "red_line", "law", "none"]),
                st.sampled_from(["own", "marking_dominance", "weapon_engage_autonomous"]),
            ),
        },
        optional={
            "obligations": st.just([{"kind": "label", "params": {"text": "t"}}])
            | st.sampled_from(["odd", None, [], {}]),
            "grants": st.sampled_from([["foreign_intel_analysis"], ["weapon_engage_autonomous"], [], "odd", None]),
        },
    )
    | st.sampled_from(["allow", True, None, {}, {"effect": "allow"}]),
    max_size=4,
)


@some
@given(facts=inputs(), agency=agencies)
async def test_no_agency_policy_weakens_a_decision(server: Server, facts: dict[str, Any], agency: list[Any]) -> None:
    """Whatever the verdicts of an agency's policy, the decision is at least as strict as without it."""
    await put(server, agency)
    assert await never_weaker(server, facts, "trial")


async def test_an_agency_is_heard(server: Server) -> None:
    """The property above is not empty: an agency's refusal refuses what would be allowed."""
    await put(server, [{"effect": "deny", "rule": rule("agency", "own")}])
    assert (await decide(server, plain()))["effect"] == "allow"
    refused = await decide(server, plain(tenant={"policy": "trial"}))
    assert [refused["effect"], [r["id"] for r in refused["rules"]]] == ["deny", ["own"]]
