"""PolicyService: what is in force and what changed, for any proved caller, and nothing of another tenant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brightline import Direction, InForce, InvalidRequest, NotFound, Unauthenticated
from brightline_verify.record import pattern
from gateway import deployment
from gateway.clock import system_us
from gateway.release import staging
from gateway.release.parts import HOLDERS
from gateway.release.repository import Repository
from gateway.workshop.changes import changes
from tests.e2e.test_activation import ASK, reloading
from tests.support.gateways import HEALTH, INTELLIGENCE, LOGISTICS, Deployment, serving

GONE = ASK["use"].purpose


def without(text: bytes) -> bytes:
    """The tenants with a purpose less each: the one of everybody for logistics, another for intelligence."""
    document = json.loads(text)
    for tenant in document["tenants"]:
        gone = {LOGISTICS: GONE, INTELLIGENCE: "research"}.get(tenant["id"])
        if gone:
            tenant["attributes"]["purposes"].remove(gone)
    return json.dumps(document).encode()


def narrower(deployed: Deployment) -> None:
    """A release of both with these tenants, whose metadata says what it changes, as `release stage` computes it."""
    repository, now = Repository(deployed.folder / "repository"), datetime.now(UTC)
    before = repository.agreed()
    path = deployed.folder / "narrower.json"
    path.write_bytes(without(before["tenants.json"]))
    after = staging.files(before, tenants=path)
    old, new = staging.release(before), staging.release(after)
    found = [[change.direction, change.text, change.about] for change in changes(old, new, before, after)]
    repository.stage(after, {"version": new.version, "from": old.digest, "changes": found, "effect": {}}, now)
    for holder in HOLDERS:
        repository.sign(deployment.signer(deployed.folder, holder, "release"))
    repository.publish(deployment.signer(deployed.folder, "agency", "online"), now, deployment.LASTING)


async def test_what_is_in_force_and_what_changed(tmp_path: Path) -> None:
    """Release, signers, time and terms are told to each tenant, and of a change only what is its own; all recorded."""
    deployed = Deployment.create(tmp_path)
    began = system_us()
    async with serving(deployed) as running:
        first = await running.client().in_force()
        assert began <= first.since_us <= system_us()
        with pytest.raises(NotFound):
            await running.client().changes()
    async with serving(deployed) as running:
        again = await running.client().in_force()
        assert (again.since_us, again.release) == (first.since_us, first.release)
        narrower(running)
        activation = reloading(running)
        await activation.reload()
        assert activation.trouble == ""
        found = {tenant: await running.client(tenant).in_force() for tenant in (LOGISTICS, INTELLIGENCE, HEALTH)}
        told = {tenant: await running.client(tenant).changes(first.release) for tenant in found}
        for tenant, now in found.items():
            check_standing(now, first, tenant)
        assert GONE not in found[LOGISTICS].terms.purposes
        assert [g.rule for g in found[INTELLIGENCE].terms.grants] == ["foreign_intel_analysis"]
        lines = {t: [(c.direction, c.text) for s in all_.steps for c in s.changes] for t, all_ in told.items()}
        assert lines == {
            LOGISTICS: [(Direction.STRICTER, f"tenant {LOGISTICS}: purpose removed: {GONE}")],
            INTELLIGENCE: [(Direction.STRICTER, f"tenant {INTELLIGENCE}: purpose removed: research")],
            HEALTH: [],
        }
        assert [len(all_.steps) for all_ in told.values()] == [1, 1, 1]
        kept = {record["decision_id"]: record for record in running.records("access")}
        assert {all_.decision_id for all_ in (*found.values(), *told.values())} <= set(kept)
        assert running.calls == 0
        await activation.close()
        assert all(pattern(record) for record in kept.values())


def check_standing(now: InForce, first: InForce, tenant: str) -> None:
    """It is the second release, signed by both, with the terms of this tenant."""
    assert (now.version, now.terms.tenant) == (first.version + 1, tenant)
    assert now.release != first.release
    assert now.since_us > first.since_us
    assert {(s.holder, s.role) for s in now.signatures} == {(h, r) for h in HOLDERS for r in ("targets", h)}


async def test_who_is_not_proved_is_told_nothing(tmp_path: Path) -> None:
    """A token of another tenant, and a digest that is none, get a reason and leave a refusal."""
    async with serving(Deployment.create(tmp_path)) as running:
        stranger = running.client(HEALTH, token=running.token(LOGISTICS))
        with pytest.raises(Unauthenticated) as refused:
            await stranger.in_force()
        assert refused.value.reason == "TOKEN_NOT_BOUND"
        with pytest.raises(ValueError, match="before: must be 64 hexadecimal digits"):
            await running.client().changes("latest")
        with pytest.raises(InvalidRequest) as odd:
            await raw_changes(running.client(), "latest")
        assert odd.value.field == "before"
        reasons = {record["decision_id"]: record["reason"] for record in running.records("refusal")}
        assert reasons == {refused.value.decision_id: "TOKEN_NOT_BOUND", odd.value.decision_id: "INVALID_REQUEST"}


async def raw_changes(client: Any, before: str) -> Any:
    """The call as another language's client might send it."""
    from brightline.v1 import policy_pb2

    return await client._call(client._policy.GetChanges, policy_pb2.GetChangesRequest(before=before), 30)
