"""Another release comes in force while calls are under way: whole, on the record, or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline import Answer, AsyncClient, Refused
from gateway import compiled_release, config, loader_client
from gateway.activation import Activation
from gateway.canonical import Json
from gateway.compiled_release import CompiledRelease
from gateway.inforce import InForce
from gateway.pdp import Engine
from gateway.types import Decision
from tests.support import opa
from tests.support.gateways import HARMLESS, LOGISTICS, Deployment, Running, serving, spawned
from tests.support.releases import compile_policy, starter_files
from tests.support.waiting import wait_for

ASK: Mapping[str, Any] = {"model": "loopback", "prompt": "How many trucks?", "use": HARMLESS}


def purposes(change: Callable[[set[str]], set[str]]) -> Callable[[bytes], bytes]:
    """Changes what the tenant may ask for."""

    def changed(text: bytes) -> bytes:
        document = json.loads(text)
        tenant = next(t for t in document["tenants"] if t["id"] == LOGISTICS)
        tenant["attributes"]["purposes"] = sorted(change(set(tenant["attributes"]["purposes"])))
        return json.dumps(document).encode()

    return changed


NARROWER = purposes(lambda agreed: agreed - {HARMLESS.purpose})
WIDER = purposes(lambda agreed: agreed | {HARMLESS.purpose})


def reloading(running: Running) -> Activation:
    assert running.gate is not None
    return Activation(config.load(running.config), running.gate)


def in_force(running: Running) -> InForce:
    assert running.gate is not None
    return running.gate.in_force


def verified(deployed: Deployment) -> bool:
    """Whether the whole log holds, for the program that auditors use."""
    command = [sys.executable, "-m", "gateway", "audit", "verify", "--config", str(deployed.config)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


class Held:
    """The engine of the gateway, which waits before it decides, and knows whether it was closed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.version = engine.name, engine.version
        self.asked, self.go, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        self.asked.set()
        await self.go.wait()
        return await self._engine.decide(input)

    async def close(self) -> None:
        self.closed.set()
        await self._engine.close()


async def test_a_call_under_way_keeps_its_release(tmp_path: Path) -> None:
    """A call is decided by the release that it began with, whose engine is closed after it; later ones by the other."""
    async with serving(Deployment.create(tmp_path)) as running:
        engine = Held(in_force(running).engine)
        assert running.gate is not None
        running.gate.in_force = replace(in_force(running), engine=engine)
        first, activation = in_force(running).release.digest, reloading(running)
        under_way = asyncio.create_task(running.client().generate(**ASK))
        await engine.asked.wait()
        running.change_release("tenants.json", NARROWER)
        await activation.reload()
        second = in_force(running).release.digest
        with pytest.raises(Refused) as refused:
            await running.client().generate(**ASK)
        assert refused.value.release == second != first
        assert not engine.closed.is_set()
        engine.go.set()
        assert (await under_way).release == first
        await engine.closed.wait()
        records = {record["kind"]: record for record in running.records()}
        assert (records["intent"]["release"], records["outcome"]["release"]) == (first, first)
        assert records["refusal"]["release"] == second
        assert records["release"]["outcome"] == "completed"
        assert (records["release"]["previous"], records["release"]["release"]["digest"]) == (first, second)


async def calling(client: AsyncClient, stop: asyncio.Event) -> list[tuple[str, bool]]:
    """Calls until told to stop: the release that each answer or refusal names, and whether it was permitted."""
    seen = []
    while not stop.is_set():
        try:
            answer: Answer = await client.generate(**ASK)
            seen.append((answer.release, True))
        except Refused as refused:
            assert [rule.id for rule in refused.rules] == ["purpose_known"]
            seen.append((refused.release, False))
    return seen


async def test_no_call_sees_two_releases(tmp_path: Path) -> None:
    """Under calls from several clients, every answer fits the release that it names, however often that changes."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[audit]\n", "[audit]\ndeadline_ms = 60000\n")  # on a busy machine, too
    deployed.edit('engine = "wasm"', 'engine = "wasm"\ndeadline_ms = 10000')
    async with serving(deployed) as running:
        activation, stop = reloading(running), asyncio.Event()
        permits = {in_force(running).release.digest: True}
        callers = [asyncio.create_task(calling(running.client(), stop)) for _ in range(4)]
        for change, permitted in [(NARROWER, False), (WIDER, True)] * 2:
            await asyncio.to_thread(running.change_release, "tenants.json", change)
            await activation.reload()
            assert activation.trouble == ""
            permits[in_force(running).release.digest] = permitted
        stop.set()
        seen = [one for caller in await asyncio.gather(*callers) for one in caller]
        await activation.close()
    assert len(permits) == 5
    assert {permitted for _, permitted in seen} == {True, False}
    assert all(permits[release] is permitted for release, permitted in seen)
    calls: dict[str, set[str]] = {}
    for record in running.records("intent", "outcome", "refusal"):
        calls.setdefault(record["decision_id"], set()).add(record["release"])
    assert all(len(releases) == 1 for releases in calls.values())
    assert len(running.records("release")) == 4
    assert verified(running)


ALLOW_ALL = """package brightline

decision := {"effect": "allow", "rules": [], "obligations": [], "grants": [], "revision": data.release.revision}
"""
NO_DECISION = "package brightline\n\ndecision := {}\n"
BROKEN: dict[str, tuple[Callable[[Deployment], object], str]] = {
    "a module that is none": (lambda d: d.change_release("policy.wasm", lambda _: b"\0asm"), "policy.wasm"),
    "no decision": (
        lambda d: d.change_release("policy.wasm", lambda _: compile_policy(NO_DECISION)),
        "the engine gives no decision with this release",
    ),
    "a policy that permits what it knows nothing of": (
        lambda d: d.change_release("policy.wasm", lambda _: compile_policy(ALLOW_ALL)),
        "the policy permits a call without facts",
    ),
    "a model without upstream": (
        lambda d: d.change_release("models.json", lambda t: t.replace(b'"upstream":"loopback"', b'"upstream":"other"')),
        "upstreams: the release names ['other']",
    ),
    "a file that was edited": (lambda d: d.damage_release("tenants.json"), "LengthOrHashMismatchError"),
    "no release": (lambda d: shutil.rmtree(d.folder / "repository"), "there is no such folder"),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_release_changes_nothing(tmp_path: Path, broken: str) -> None:
    """What can't be put in force is refused with its reason, on the record, and calls go on as before."""
    defect, says = BROKEN[broken]
    async with serving(Deployment.create(tmp_path)) as running:
        before, activation = in_force(running), reloading(running)
        defect(running)
        await activation.reload()
        assert says in activation.trouble
        assert in_force(running) is before
        assert (await running.client().generate(**ASK)).release == before.release.digest
    (record,) = running.records("release")
    assert (record["outcome"], record["release"], record["previous"]) == ("refused", None, before.release.digest)
    assert says in record["why"]
    assert verified(running)


FAILING = {"kill -9 $$": "ended with -9", "read order; echo nonsense": "said what is no answer"}


async def test_a_process_that_does_not_load_it_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what loads a release dies or talks nonsense, calls go on, and the record says so; later it comes in force.

    Nothing holds the old release then.
    """
    async with serving(Deployment.create(tmp_path)) as running:
        activation, stop = reloading(running), asyncio.Event()
        first, tenants = in_force(running).release.digest, weakref.ref(in_force(running).release.tenants)
        running.change_release("tenants.json", NARROWER)
        caller = asyncio.create_task(calling(running.client(), stop))
        for script, says in FAILING.items():
            with monkeypatch.context() as patched:
                patched.setattr(loader_client, "PROGRAM", ("/bin/sh", "-c", script))
                await activation.reload()
            assert says in activation.trouble
            assert in_force(running).release.digest == first
        await activation.reload()
        assert activation.trouble == ""
        stop.set()
        seen = await caller
        assert {(release == first, permitted) for release, permitted in seen} <= {(True, True), (False, False)}
        with pytest.raises(Refused):
            await running.client().generate(**ASK)
        await asyncio.to_thread(wait_for, lambda: tenants() is None)
    records = running.records("release")
    assert [record["outcome"] for record in records] == ["refused", "refused", "completed"]
    for record, says in zip(records, FAILING.values(), strict=False):
        assert says in record["why"]


async def test_the_self_test_is_not_kept(tmp_path: Path) -> None:
    """Once an OPA server has passed it, neither the gateway nor what it hands to its workers has it."""
    deployed = Deployment.create(tmp_path)
    async with opa.serving(starter_files()) as url:
        deployed.edit('engine = "wasm"', f'engine = "opa"\nopa_url = "{url}"\ndeadline_ms = 10000')
        deployed.edit("[listener]\n", "[listener]\nworkers = 2\n")
        async with serving(deployed) as running:
            activation, before = reloading(running), in_force(running)
            running.change_release("tenants.json", NARROWER)
            await activation.reload()
            fresh = in_force(running)
            assert (activation.trouble, fresh.release.digest == before.release.digest) == ("", False)
            for one in (before, fresh):
                handed = compiled_release.parse(one.handed)
                assert isinstance(handed, CompiledRelease)
                assert (handed.release.digest, handed.release.checks) == (one.release.digest, ())
                assert one.release.checks == one.attributes.release.checks == ()


async def test_a_pinned_release_stays(tmp_path: Path) -> None:
    """With a digest pinned, as production requires, no other release comes in force; the attempt is recorded."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("# digest = ", "digest = ")
    async with serving(deployed) as running:
        before, activation = in_force(running), reloading(running)
        running.change_release("tenants.json", NARROWER)
        await activation.reload()
        assert in_force(running) is before
        assert f"and {before.release.digest} is pinned" in activation.trouble
        assert (await running.client().generate(**ASK)).release == before.release.digest
    assert [r["outcome"] for r in running.records("release")] == ["refused"]


async def test_the_same_release_is_not_put_in_force_again(tmp_path: Path) -> None:
    """A reload of what is in force changes nothing and leaves no record."""
    async with serving(Deployment.create(tmp_path)) as running:
        before, activation = in_force(running), reloading(running)
        await activation.reload()
        assert in_force(running) is before
        assert activation.tried == 1
    assert running.records("release") == []


async def test_what_is_not_on_the_record_does_not_come_in_force(tmp_path: Path) -> None:
    """While the log can't be written, no release is put in force."""
    async with serving(Deployment.create(tmp_path)) as running:
        before, activation = in_force(running), reloading(running)
        running.change_release("tenants.json", NARROWER)
        with locked(running):
            await activation.reload()
        assert in_force(running) is before
        assert "could not be recorded" in activation.trouble


@contextmanager
def locked(deployed: Deployment) -> Iterator[None]:
    """The log can't be written, as with another writer at it."""
    with closing(sqlite3.connect(deployed.folder / "audit/log.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def state(deployed: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((deployed.folder / "in_force.json").read_bytes())
    return found


def test_a_signal_puts_the_release_folder_in_force(tmp_path: Path) -> None:
    """A served gateway reads its repository again on SIGHUP, says what is in force, and survives a broken one."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed) as gateway:
        first = state(deployed)
        assert (first["pid"], first["tried"], first["trouble"]) == (gateway.pid, 0, "")
        deployed.change_release("tenants.json", NARROWER)
        gateway.send_signal(signal.SIGHUP)
        wait_for(lambda: state(deployed)["tried"] == 1)
        second = state(deployed)
        assert (second["trouble"], second["release"] == first["release"]) == ("", False)
        deployed.damage_release("models.json")
        gateway.send_signal(signal.SIGHUP)
        wait_for(lambda: state(deployed)["tried"] == 2)
        assert state(deployed)["release"] == second["release"]
        assert "LengthOrHashMismatchError" in state(deployed)["trouble"]
    assert gateway.returncode == 0
    assert [r["outcome"] for r in deployed.records("release")] == ["completed", "refused"]
