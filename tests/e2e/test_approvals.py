"""A held back request is approved by another person, and sent once: what was approved, by who asked, in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from brightline import (
    Answer,
    Approval,
    ApprovalInvalid,
    ApprovalRequired,
    AsyncClient,
    DuplicateRequest,
    Effect,
    InvalidRequest,
    NotFound,
    RoleRequired,
    Use,
    UsPerson,
)
from brightline_verify.record import pattern
from gateway.audit.approval import decision_of
from gateway.canonical import Json
from gateway.pdp import Engine
from gateway.types import Decision, Obligation
from gateway.types import Effect as Decided
from tests.support.gateways import INTELLIGENCE, LOGISTICS, Deployment, Running, refused, serving
from tests.support.waiting import Passing

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "List what a nomination board needs to see before it reviews a target folder."
WHY = "Reviewed by the board's chair."


def use(**rest: Any) -> Use:
    """A use that a rule holds back until a person approves."""
    declared = {"marking": "UNCLASSIFIED", "autonomy": "recommend", "us_person": UsPerson(involved="no")}
    return Use(purpose="targeting_support", data_origin="agency_records", channel="internal", **{**declared, **rest})


def ask(prompt: str = QUESTION, **rest: Any) -> dict[str, Any]:
    return {"model": "loopback", "max_tokens": 50, "prompt": prompt, "use": use(**rest)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway of which only the log changes."""
    deployed = Deployment.create(tmp_path_factory.mktemp("gateway"))
    async with serving(deployed) as gateway:
        yield gateway


def approver(
    running: Running, tenant: str = LOGISTICS, subject: str = "colonel", role: str = "approver"
) -> AsyncClient:
    return running.client(tenant, token=running.token(tenant, roles=(role,), subject=subject))


async def held_back(running: Running, **rest: Any) -> str:
    """The decision id of a request that waits for an approval."""
    return (await refused(running.client().generate(**ask(**rest)), ApprovalRequired)).decision_id


async def approved(running: Running, **rest: Any) -> Approval:
    return await approver(running).approve(await held_back(running), why=WHY, **{**ask(), **rest})


async def test_an_approved_request_is_sent_once(running: Running) -> None:
    """It is answered with the approval, once; a check before does not use it up, and all is recorded."""
    decision_id = await held_back(running)
    (waiting,) = [one for one in await approver(running).pending() if one.id == decision_id]
    assert (waiting.purpose, waiting.model, waiting.rules) == (
        "targeting_support", "loopback", ("weapon_human_judgment",)
    )  # fmt: skip
    given = await approver(running).approve(decision_id, why=WHY, valid_s=60, **ask())
    with_it = ask(approval_id=given.approval_id)
    assert (await running.client().check(**with_it)).effect is Effect.ALLOW
    assert isinstance(await running.client().generate(**with_it), Answer)
    again = await refused(running.client().generate(**with_it), DuplicateRequest)
    assert "approval" in again.message

    (record,) = (r for r in running.records("approval") if r["decision_id"] == given.decision_id)
    pattern(record)
    assert (record["about"], record["principal"]["subject"], record["approval"]["why"]) == (decision_id, "colonel", WHY)
    assert record["approval"]["until_us"] == given.expires_us <= record["time_us"] + 60_000_000
    intents = [r for r in running.records("intent") if r["input"]["request"]["approval"]]
    assert [i["input"]["request"]["approval"]["id"] for i in intents] == [given.decision_id]


async def test_a_stream_may_be_approved_as_well(running: Running) -> None:
    """The same request as a stream is the same request."""
    given = await approved(running)
    async with running.client().stream(**ask(approval_id=given.approval_id)) as events:
        assert isinstance([event async for event in events][-1], Answer)


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": QUESTION + " Name the targets."},
        {"max_tokens": 51},
        {"system": "Answer as a colonel."},
        {"use": use(autonomy="semi_autonomous")},
        {"use": use(geo=("DE",))},
    ],
    ids=["question", "tokens", "system", "autonomy", "place"],
)
async def test_another_request_is_not_approved(running: Running, changed: dict[str, Any]) -> None:
    """Neither can it be sent with the approval of this one, nor does an approver who read it approve this one."""
    given = await approved(running)
    other = {**ask(), **changed}
    declared = {f: getattr(other["use"], f) for f in ("autonomy", "geo")}
    sent = {**other, "use": use(**declared, approval_id=given.approval_id)}
    error = await refused(running.client().generate(**sent), ApprovalInvalid)
    assert error.field == "prompt.use.approval_id"
    decision_id = await held_back(running)
    assert (await refused(approver(running).approve(decision_id, why=WHY, **other), ApprovalInvalid)).field == "prompt"


async def test_an_approval_serves_who_asked_alone(running: Running) -> None:
    """Another caller of the tenant, and another tenant, are refused; so is an identifier with one digit changed."""
    given = await approved(running)
    other = running.client(token=running.token(LOGISTICS, subject="somebody else"))
    with_it = ask(approval_id=given.approval_id)
    assert "another caller" in (await refused(other.generate(**with_it), ApprovalInvalid)).message
    await refused(running.client(INTELLIGENCE).generate(**with_it), ApprovalInvalid)
    digit = "1" if given.approval_id[-1] == "0" else "0"
    for forged in (given.approval_id[:-1] + digit, decision_of(given.approval_id), "0" * 64, "x"):
        await refused(running.client().generate(**ask(approval_id=forged)), ApprovalInvalid)
    assert isinstance(await running.client().generate(**with_it), Answer)


async def test_a_subject_of_another_issuer_is_another_caller(tmp_path: Path) -> None:
    """What two issuers call alike are two callers: the approval of the one is none of the other."""
    deployed = Deployment.create(tmp_path)
    other = "https://other.example"
    section = "\n[[identity.issuers]]\n"
    config = (deployed.folder / "gateway.toml").read_text()
    (jwks,) = (line for line in config.splitlines() if line.startswith("jwks_file"))
    deployed.edit(section, f'{section}issuer = "{other}"\n{jwks}\n{section}')
    async with serving(deployed) as running:
        given = await approved(running)
        with_it = ask(approval_id=given.approval_id)
        namesake = running.client(token=running.token(LOGISTICS, issuer=other))
        assert "this caller" in (await refused(namesake.generate(**with_it), ApprovalInvalid)).message
        assert isinstance(await running.client().generate(**with_it), Answer)


async def test_who_may_approve(running: Running) -> None:
    """Not who asked, nobody without the role, nobody of another tenant, and each attempt leaves its record."""
    decision_id = await held_back(running)
    asker = running.records("refusal")[-1]["principal"]["subject"]
    own = approver(running, subject=asker.upper())
    assert "their own" in (await refused(own.approve(decision_id, why=WHY, **ask()), ApprovalInvalid)).message
    await refused(approver(running, role="auditor").approve(decision_id, why=WHY, **ask()), RoleRequired)
    await refused(approver(running, role="auditor").pending(), RoleRequired)
    await refused(approver(running, INTELLIGENCE).approve(decision_id, why=WHY, **ask()), NotFound)
    assert decision_id not in [one.id for one in await approver(running, INTELLIGENCE).pending()]
    last = running.records("approval")[-3:]
    assert [r["reason"] for r in last] == ["APPROVAL_INVALID", "ROLE_REQUIRED", "NOT_FOUND"]
    assert [(r["outcome"], r["approval"]) for r in last] == [("refused", None)] * 3
    assert [r["about"] for r in last] == [decision_id, "", decision_id]
    for record in last:
        pattern(record)


async def test_what_can_be_approved(running: Running) -> None:
    """A request that was refused for good can't, nor one that was answered, nor the same one twice."""
    given = await approved(running)
    about = running.records("approval")[-1]["about"]
    again = await refused(approver(running).approve(about, why=WHY, **ask()), DuplicateRequest)
    assert again.field == "id"
    await running.client().generate(**ask(approval_id=given.approval_id))
    answered = running.records("intent")[-1]["decision_id"]
    await refused(approver(running).approve(answered, why=WHY, **ask()), NotFound)
    await refused(approver(running).approve("0" * 32, why=WHY, **ask()), NotFound)


async def test_an_approval_is_over_in_time(running: Running) -> None:
    """It holds no longer than the configuration lets it, and what the approver said counts."""
    decision_id = await held_back(running)
    longer = await refused(approver(running).approve(decision_id, why=WHY, valid_s=901, **ask()), InvalidRequest)
    assert longer.field == "valid_s"
    given = await approver(running).approve(decision_id, why=WHY, valid_s=1, **ask())
    with_it = ask(approval_id=given.approval_id)

    async def ask_until_refused() -> None:
        while True:  # a check uses nothing up
            await running.client().check(**with_it)

    assert "time" in (await refused(asyncio.wait_for(ask_until_refused(), 60), ApprovalInvalid)).message


class Long:
    """An engine that takes its time."""

    def __init__(self, engine: Engine, passing: Passing, seconds: int) -> None:
        self._engine, self._passing, self._us = engine, passing, seconds * 1_000_000
        self.name, self.version = engine.name, engine.version

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        self._passing.by_us += self._us
        return await self._engine.decide(input)

    async def close(self) -> None:
        await self._engine.close()


async def test_an_approval_that_is_over_before_the_decision_is_there_permits_nothing(tmp_path: Path) -> None:
    """Reading and deciding may take long: who is out of time by then is refused, and nothing is forwarded."""
    passing = Passing()
    async with serving(Deployment.create(tmp_path), passing.clock) as running:
        given = await approved(running)
        assert running.gate is not None
        running.gate.in_force = replace(running.gate.in_force, engine=Long(running.gate.in_force.engine, passing, 901))
        error = await refused(running.client().generate(**ask(approval_id=given.approval_id)), ApprovalInvalid)
        assert "over" in error.message
        assert running.calls == 0
        assert not running.records("intent")


class Routing:
    """An engine that has another model asked in the place of one, and decides about that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.version = engine.name, engine.version

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        decision, request = await self._engine.decide(input), input["request"]
        if not isinstance(request, Mapping) or request["model"] != "small":
            return decision
        return replace(decision, effect=Decided.ALLOW, rules=(), obligations=(Obligation("route", text="loopback"),))

    async def close(self) -> None:
        await self._engine.close()


async def test_a_request_that_goes_to_another_model_can_be_approved(tmp_path: Path) -> None:
    """What is approved is what was asked, for the model that it named; where it goes the rules decide each time."""
    async with serving(Deployment.create(tmp_path)) as running:
        assert running.gate is not None
        running.gate.in_force = replace(running.gate.in_force, engine=Routing(running.gate.in_force.engine))
        asked = {**ask(), "model": "small"}
        decision_id = (await refused(running.client().generate(**asked), ApprovalRequired)).decision_id
        other = {**asked, "model": "loopback"}
        await refused(approver(running).approve(decision_id, why=WHY, **other), ApprovalInvalid)
        given = await approver(running).approve(decision_id, why=WHY, **asked)
        with_it = {**asked, "use": use(approval_id=given.approval_id)}
        assert isinstance(await running.client().generate(**with_it), Answer)
        (intent,) = running.records("intent")
        assert (intent["declared"]["model"], intent["input"]["request"]["model"]) == ("small", "loopback")
