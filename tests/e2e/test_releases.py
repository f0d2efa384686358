"""A gateway and the releases that two holders sign: what comes in force, what does not, and what the log says of it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brightline import BrightlineError, Refused
from gateway import app, config, deployment
from gateway.activation import Activation
from gateway.canonical import canonical
from gateway.clock import Clock, system_us
from gateway.errors import StartError
from gateway.release.parts import HOLDERS
from gateway.release.repository import Repository
from tests.e2e.test_activation import ASK, NARROWER, WIDER, reloading, verified
from tests.support.gateways import Deployment, Running, serving, spawned
from tests.support.waiting import wait_for

DAY = timedelta(days=1)


def repository(deployed: Deployment) -> Repository:
    return Repository(deployed.folder / "repository")


def forced(deployed: Deployment, holders: set[str]) -> None:
    """What is staged is signed by these holders, and published."""
    for holder in holders:
        repository(deployed).sign(deployment.signer(deployed.folder, holder, "release"))
    online = deployment.signer(deployed.folder, "agency", "online")
    repository(deployed).publish(online, datetime.now(UTC), deployment.LASTING)


async def refused_start(deployed: Deployment) -> str:
    with pytest.raises(StartError) as error:
        async with app.opened(config.load(deployed.config), Clock()):
            raise AssertionError("it started")
    return str(error.value)


async def test_an_activation_says_who_signed(tmp_path: Path) -> None:
    """Start and activation name the holders, their keys, the version of every role and when it expires."""
    async with serving(Deployment.create(tmp_path)) as running:
        running.change_release("tenants.json", NARROWER)
        await reloading(running).reload()
    start, activation = (r["release"] for r in running.records("start", "release"))
    for found, version in ((start, 1), (activation, 2)):
        assert found["signers"] == ["agency", "provider"]
        assert {(s["holder"], s["role"]) for s in found["signatures"]} == {
            (h, r) for h in HOLDERS for r in ("targets", h)
        }
        assert found["metadata"]["targets"] == version
        assert found["expires_us"] > system_us()
    assert verified(running)


async def test_an_older_release_is_refused_after_a_restart(tmp_path: Path) -> None:
    """A gateway that lost its trusted metadata and is served an older repository does not start: its log remembers."""
    deployed = Deployment.create(tmp_path)
    shutil.copytree(deployed.folder / "repository", tmp_path / "first")
    deployed.change_release("tenants.json", NARROWER)
    async with serving(deployed):
        pass
    for name in ("repository", "state"):
        shutil.rmtree(deployed.folder / name)
    shutil.copytree(tmp_path / "first", deployed.folder / "repository")
    assert "is older than 2, which the log says was in force" in await refused_start(deployed)


async def test_an_older_release_is_refused_while_running(tmp_path: Path) -> None:
    """The same without a restart: what is in force stays, and the attempt is on the record."""
    deployed = Deployment.create(tmp_path)
    shutil.copytree(deployed.folder / "repository", tmp_path / "first")
    deployed.change_release("tenants.json", NARROWER)
    async with serving(deployed) as running:
        for name in ("repository", "state"):
            shutil.rmtree(deployed.folder / name)
        shutil.copytree(tmp_path / "first", deployed.folder / "repository")
        activation = reloading(running)
        await activation.reload()
        assert "is older than 2, which the log says was in force" in activation.trouble
        with pytest.raises(Refused):
            await running.client().generate(**ASK)
    assert [r["outcome"] for r in running.records("release")] == ["refused"]


async def test_one_holder_alone_tightens(tmp_path: Path) -> None:
    """What one holder takes away comes in force without the other; its record names what both signed."""
    async with serving(Deployment.create(tmp_path)) as running:
        before, activation = running.records("start")[0]["release"]["digest"], reloading(running)
        document = canonical({"format": 1, "purposes": [ASK["use"].purpose]})
        repository(running).restrict("provider", document, datetime.now(UTC))
        forced(running, {"provider"})
        await activation.reload()
        assert activation.trouble == ""
        with pytest.raises(Refused) as refused:
            await running.client().generate(**ASK)
        assert [rule.id for rule in refused.value.rules] == ["purpose_known"]
    (record,) = running.records("release")
    assert record["release"]["base"] == before
    assert verified(running)


class Shifted:
    """A clock that is put forward, wall and monotonic together: time went by."""

    def __init__(self) -> None:
        self.by_us = 0

    def __call__(self) -> int:
        return system_us() + self.by_us


async def test_an_expired_release_decides_nothing(tmp_path: Path) -> None:
    """Once the signatures expire every call is refused, health says so, and there is one record of it."""
    time_ = Shifted()
    clock = Clock(time_, time_)
    async with serving(Deployment.create(tmp_path), clock) as running:
        assert running.gate is not None
        await running.client().generate(**ASK)
        expires = running.gate.in_force.expires_us
        assert expires is not None
        activation = reloading(running)
        time_.by_us = expires - system_us() - 3_600_000_000
        await activation._watch()
        assert running.gate.ready
        assert running.records("release") == []
        time_.by_us += 3_700_000_000
        assert not running.gate.ready
        with pytest.raises(BrightlineError) as error:
            await running.client().check(**ASK)
        assert str(error.value.reason).endswith("POLICY_UNAVAILABLE")
        for _ in range(2):
            await activation._watch()
    (record,) = running.records("release")
    assert (record["outcome"], record["why"]) == (
        "refused",
        "the release in force has expired; every call is refused until it is renewed",
    )


async def test_a_start_with_an_expired_release_is_refused(tmp_path: Path) -> None:
    """A clock that went forward a year beyond what was signed, or a repository that nobody renewed: no start."""
    deployed = Deployment.create(tmp_path)
    deployment.signer(deployed.folder, "agency", "online")
    ago = datetime.now(UTC) - 30 * DAY
    repository(deployed).publish(deployment.signer(deployed.folder, "agency", "online"), ago)
    said = await refused_start(deployed)
    assert "ExpiredMetadataError" in said


async def test_renewed_times_are_taken_over(tmp_path: Path) -> None:
    """Who renews the timestamp alone keeps the release in force for longer: no activation, the same digest."""
    deployed = Deployment.create(tmp_path)
    online = deployment.signer(deployed.folder, "agency", "online")
    repository(deployed).publish(online, datetime.now(UTC), {"snapshot": 2, "timestamp": 1})
    async with serving(deployed) as running:
        assert running.gate is not None
        before = running.gate.in_force
        first = before.expires_us
        repository(deployed).publish(online, datetime.now(UTC), {"snapshot": 9, "timestamp": 9})
        await reloading(running).refresh()
        assert running.gate.in_force is before
        assert (before.expires_us or 0) > (first or 0) + 7 * 86_400_000_000
    assert running.records("release") == []


async def test_a_refresh_that_stays_refused_is_recorded_once(tmp_path: Path) -> None:
    """A gateway that looks again and again at a broken repository does not fill its log with it."""
    async with serving(Deployment.create(tmp_path)) as running:
        activation = reloading(running)
        running.damage_release("tenants.json")
        for _ in range(3):
            await activation.refresh()
    assert [r["outcome"] for r in running.records("release")] == ["refused"]


FAILING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another effect": (lambda v: v["vectors"][0].update(effect="require_approval"), "self-test: "),
    "another rule": (lambda v: v["vectors"][0].update(rules=["purpose_known"]), "self-test: "),
    "a base that is not there": (lambda v: v["vectors"][0].update(base="nobody"), "its base or what it leaves out"),
}


@pytest.mark.parametrize("failing", FAILING)
async def test_a_release_that_fails_its_self_test(tmp_path: Path, failing: str) -> None:
    """A policy that does not decide as the release itself says does not come in force."""
    change, says = FAILING[failing]

    def changed(text: bytes) -> bytes:
        document = json.loads(text)
        change(document)
        return json.dumps(document).encode()

    async with serving(Deployment.create(tmp_path)) as running:
        assert running.gate is not None
        before, activation = running.gate.in_force, reloading(running)
        running.change_release("vectors.json", changed)
        await activation.reload()
        assert says in activation.trouble
        assert running.gate.in_force is before


def test_a_gateway_looks_at_its_repository_by_itself(tmp_path: Path) -> None:
    """Without a signal, what both signed is in force after the interval."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[release]\n", "[release]\nrefresh_s = 1\n")
    with spawned(deployed):
        deployed.change_release("tenants.json", NARROWER)
        wait_for(lambda: len(deployed.records("release")) == 1)
        deployed.change_release("tenants.json", WIDER)
        wait_for(lambda: len(deployed.records("release")) == 2)
    assert [r["outcome"] for r in deployed.records("release")] == ["completed", "completed"]
    assert verified(deployed)


async def test_unsigned_releases_are_for_development(tmp_path: Path) -> None:
    """A folder that nobody signed is served in development alone; its record has no signatures."""
    deployed = Deployment.create(tmp_path)
    signed = 'repository = "repository"\nroot = "root.json"\nmetadata = "state"'
    deployed.edit(signed, 'path = "release"')
    async with serving(deployed) as running:
        with pytest.raises(Refused) as refused:
            await running.client().generate(**ASK)
        assert [rule.id for rule in refused.value.rules] == ["policy_change_dual_signed"]
    assert "signatures" not in running.records("start")[0]["release"]


async def test_a_refresh_beside_calls(tmp_path: Path) -> None:
    """Calls go on while releases change at the gateway's own interval."""
    deployed = Deployment.create(tmp_path)
    async with serving(deployed) as running:
        activation, wanted = reloading(running), asyncio.Event()
        loop = asyncio.create_task(activation.whenever(wanted, lambda _: None))
        wanted.set()
        await asyncio.gather(*(running.client().generate(**ASK) for _ in range(3)))
        loop.cancel()
        await asyncio.wait({loop})
        await activation.close()
    assert isinstance(running, Running)
    assert isinstance(activation, Activation)
