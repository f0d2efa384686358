"""A release is loaded by another process. It may die, hang or talk nonsense: then there is none, within bounds."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import compiled_release, config, facts, loader_client
from gateway.errors import StartError
from gateway.inforce import InForce
from tests.support.gateways import Deployment
from tests.support.releases import release
from tests.support.waiting import wait_for


class Engine:
    """Decides nothing."""

    name = version = "none"


def in_force(digest: str = "0" * 64) -> InForce:
    made = replace(release(b""), digest=digest)
    return InForce(made, facts.prepare(made, "CUI", ""), Engine())  # type: ignore[arg-type]  # nobody asks it


SETTINGS = config.Config.model_construct()


def instead(patched: pytest.MonkeyPatch, script: str) -> None:
    """This is run instead of the gateway's own program."""
    patched.setattr(loader_client, "PROGRAM", ("/bin/sh", "-c", script))


def ended(pid: Path) -> bool:
    return not Path(f"/proc/{pid.read_text().strip()}").exists()


WRONG = {
    "it is killed": ("kill -9 $$", "ended with -9"),
    "it fails": ("read order; exit 3", "ended with 3"),
    "it is killed after an answer": ("read order; cat {same}; kill -9 $$", "ended with -9"),
    "it says nothing": ("read order", "said what is no answer"),
    "it talks nonsense": ("read order; echo nonsense", "said what is no answer"),
    "it says half of it": ("read order; head -c -1 {same}", "said what is no answer"),
    "it says more": ("read order; cat {same} {same}", "said what is no answer"),
    "it talks without end": ("read order; exec cat /dev/zero", "says more than 20000000 bytes"),
    "it hangs": ("read order; exec sleep 1000", "was not loaded within 1 s"),
    "it hangs after an answer": ("read order; cat {same}; exec >&-; exec sleep 1000", "was not loaded within 1 s"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_no_answer_is_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """Whatever it does but answer and end well, there is no release, and it is over."""
    script, says = WRONG[wrong]
    (tmp_path / "same").write_bytes(compiled_release.unchanged(None, ()))
    instead(monkeypatch, f"echo $$ >{tmp_path}/pid; {script.format(same=tmp_path / 'same')}")
    monkeypatch.setattr(loader_client, "LONGEST", 20_000_000)
    if "within 1 s" in says:
        monkeypatch.setattr(loader_client, "PATIENCE_S", 1.0)
    with pytest.raises(StartError, match=says):
        await loader_client.load(SETTINGS, in_force())
    assert ended(tmp_path / "pid")


async def test_a_process_that_can_not_be_started_is_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such program, or no room for another, that is said."""
    monkeypatch.setattr(loader_client, "PROGRAM", ("/nowhere",))
    with pytest.raises(StartError, match=r"can't be started: No such file"):
        await loader_client.load(SETTINGS, in_force())


async def test_an_answer_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is told what is in force, and what it answers is believed once it has ended well."""
    (tmp_path / "same").write_bytes(compiled_release.unchanged(7, ("d", 1)))
    instead(monkeypatch, f"head -n 1 >{tmp_path}/order; cat {tmp_path}/same")
    assert await loader_client.load(SETTINGS, in_force("1" * 64)) == compiled_release.Same(7, ("d", 1))
    order = json.loads((tmp_path / "order").read_bytes())
    assert (order["digest"], order["state"]) == ("1" * 64, [])


async def test_it_ends_when_nobody_waits_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that stops while a release is loaded does not wait for it."""
    instead(monkeypatch, f"echo $$ >{tmp_path}/draft; mv {tmp_path}/draft {tmp_path}/pid; exec sleep 1000")
    loading = asyncio.create_task(loader_client.load(SETTINGS, in_force()))
    await asyncio.to_thread(wait_for, (tmp_path / "pid").exists)
    loading.cancel()
    await asyncio.wait({loading})
    assert loading.cancelled()
    await asyncio.to_thread(wait_for, lambda: ended(tmp_path / "pid"))


def test_it_ends_with_its_gateway(tmp_path: Path) -> None:
    """Where the gateway is gone, what it started to load a release is soon gone, too, however long loading takes."""
    deployed = Deployment.create(tmp_path)
    timestamp = deployed.folder / "repository/metadata/timestamp.json"
    timestamp.unlink()
    os.mkfifo(timestamp)  # nobody ever writes to it
    settings = config.load(deployed.config)
    order = {"config": settings.model_dump_json(exclude_unset=True), "digest": "", "state": []}
    process = subprocess.Popen(loader_client.PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.close()  # as when whoever holds it dies
        wait_for(lambda: process.poll() is not None)
        assert process.stdout.read() == b""
    assert process.returncode == 1
