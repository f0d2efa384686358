"""An edited policy comes in force in a development gateway; a broken one leaves the last good release there."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from brightline import Refused
from gateway import config
from gateway.canonical import canonical
from gateway.errors import StartError
from gateway.workshop.deciding import embedded
from gateway.workshop.dev_activation import Gateway
from gateway.workshop.layout import Finding
from gateway.workshop.policies import opened
from gateway.workshop.watching import judge, look
from tests.support.gateways import HARMLESS, Deployment, spawned
from tests.support.policy import REGO, STARTER, edit
from tests.support.releases import compile_policy

RULE = "brightline/rules/provider_baseline/purpose_known/purpose_known.rego"
TEST = RULE.replace(".rego", "_test.rego")
REMEDY = "Declare a purpose from the list in the caller's guide that your agency's agreement includes."
LONG_S = 240
ALLOW_ALL = """package brightline

decision := {"effect": "allow", "rules": [], "obligations": [], "grants": [], "revision": data.release.revision}
"""


@dataclass
class Watching:
    """A watch in a process of its own, by the lines that it says."""

    process: subprocess.Popen[str]
    said: queue.Queue[str] = field(default_factory=queue.Queue)

    def read(self) -> None:
        """Take what it says, to its end."""
        for line in self.process.stdout or ():
            self.said.put(line.rstrip("\n"))

    def until(self, beginning: str) -> list[str]:
        """The lines up to the first that begins so."""
        lines: list[str] = []
        while not lines or not lines[-1].startswith(beginning):
            lines.append(self.said.get(timeout=LONG_S))
        return lines


@contextmanager
def watching(deployed: Deployment, rego: Path) -> Iterator[Watching]:
    """`brightline policy watch` for the gateway; ended as by Ctrl-C, which it has to obey."""
    options = ["--config", str(deployed.config), "--rego", str(rego)]
    command = [sys.executable, "-m", "gateway", "policy", "watch", *options]
    environment = {**os.environ, "COLUMNS": "400", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell have it ignored
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=environment) as process:
        made = Watching(process)
        reader = threading.Thread(target=made.read)
        reader.start()
        try:
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(LONG_S) == 0
            finally:
                process.kill()
                reader.join()


def state(deployed: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((deployed.folder / "in_force.json").read_bytes())
    return found


async def remedy(deployed: Deployment) -> tuple[str, str]:
    """What the rule in question says to a caller, and by which release."""
    with pytest.raises(Refused) as refused:
        async with deployed.client() as client:
            await client.generate(model="loopback", prompt="?", use=replace(HARMLESS, purpose="benefits_service"))
    return next(rule.remedy for rule in refused.value.rules if rule.id == "purpose_known"), refused.value.release


@pytest.fixture
def rego(tmp_path: Path) -> Path:
    """A copy of the policy."""
    return Path(shutil.copytree(REGO, tmp_path / "rego"))


@pytest.mark.timeout(600)
async def test_an_edit_comes_in_force_and_a_broken_one_does_not(tmp_path: Path, rego: Path) -> None:
    """A good edit decides the next call; a broken one is named with its line, and nothing comes in force beside it."""
    deployed, other = Deployment.create(tmp_path), RULE.replace("purpose_known", "model_allowed")
    with spawned(deployed), watching(deployed, rego) as watched:
        watched.until("in force already")
        edit(rego / RULE, REMEDY, "Ask again.")
        assert RULE in watched.until("in force after")[-1]
        second = state(deployed)["release"]
        assert await remedy(deployed) == ("Ask again.", second)

        edit(rego / RULE, "known if {", "known if")
        watched.until("refused after")
        assert "parse error" in watched.until(f"  {rego / RULE}:")[-1]
        edit(rego / other, "Choose a model", "Take a model")
        assert "parse error" in watched.until(f"  {rego / RULE}:")[-1]

        edit(rego / RULE, "known if", "known if {")
        edit(rego / RULE, "	input.request.purpose in input.tenant.purposes\n", "")
        assert (
            "test_refuses fails (a tenant without purposes, not the tenant's)" in watched.until(f"  {rego / TEST}:")[-1]
        )
        assert await remedy(deployed) == ("Ask again.", second)
        assert state(deployed)["tried"] == 1

        edit(
            rego / RULE,
            "is_array(input.tenant.purposes)\n",
            "is_array(input.tenant.purposes)\n\tinput.request.purpose in input.tenant.purposes\n",
        )
        assert other in watched.until("in force after")[-1]
        assert (await remedy(deployed))[1] == state(deployed)["release"] != second
    assert [record["outcome"] for record in deployed.records("release")] == ["completed", "completed"]


def gateway_of(deployed: Deployment) -> Gateway:
    return Gateway.of(config.load(deployed.config), deployed.folder / "in_force.json")


def permissive(folder: Path) -> Path:
    """A built policy that permits whatever it is asked."""
    built = Path(shutil.copytree(STARTER, folder / "built"))
    wasm = compile_policy(ALLOW_ALL)
    manifest = json.loads((built / "manifest.json").read_bytes())
    manifest["files"]["policy.wasm"] = hashlib.sha256(wasm).hexdigest()
    (built / "policy.wasm").write_bytes(wasm)
    (built / "manifest.json").write_bytes(canonical(manifest))
    return built


def renewed(gateway: Gateway, built: Path, folder: Path) -> Path:
    """What the built policy decides as the self-test of the gateway's release."""
    vectors = folder / "vectors.json"
    with opened(built) as policy, embedded(policy.release) as decide:
        gateway.renew(decide, vectors)
    return vectors


def test_what_the_gateway_refuses_is_taken_back(tmp_path: Path) -> None:
    """A release that the gateway does not put in force leaves the folder as it was, and the reason is said."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed):
        before, gateway, built = state(deployed), gateway_of(deployed), permissive(tmp_path)
        vectors = renewed(gateway, built, tmp_path)
        with pytest.raises(StartError, match="the gateway refuses the release: the policy permits a call without"):
            gateway.put(built, vectors)
        assert gateway.has(STARTER)
        assert state(deployed)["release"] == before["release"]
    assert not list(deployed.folder.glob(".release.*"))


@pytest.mark.parametrize("pid", [0, os.getpid(), 2**22 + 1, "1", None], ids=["group", "own", "none", "text", "null"])
def test_no_other_process_is_told(tmp_path: Path, pid: object) -> None:
    """A number that is left over from a gateway that is gone is no gateway, whoever has it now."""
    deployed = Deployment.create(tmp_path)
    (deployed.folder / "in_force.json").write_text(json.dumps({"pid": pid, "release": "0", "tried": 0, "trouble": ""}))
    with pytest.raises(StartError, match=r"in_force.json: no gateway runs there; run: brightline serve --config"):
        gateway_of(deployed).put(STARTER, tmp_path / "vectors.json")


def test_a_swap_that_was_broken_off_is_put_right(tmp_path: Path) -> None:
    """A release that a crash left aside comes back."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed):
        (deployed.folder / "release").rename(deployed.folder / ".release.before")
        assert gateway_of(deployed).differs(REGO) == set()
    assert (deployed.folder / "release/manifest.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# digest = ", "digest = ", "release.digest: pins one release"),
        ('profile = "development"', 'profile = "production"', "production"),
    ],
)
def test_only_a_development_gateway_is_watched_for(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Where a release is pinned or has to be signed, no edit comes in force."""
    deployed = Deployment.create(tmp_path)
    deployed.edit(old, new)
    with pytest.raises(StartError, match=says):
        gateway_of(deployed)


def test_tests_of_an_agency_are_run_for_each_of_its_files(rego: Path, tmp_path: Path) -> None:
    """An edit of an agency's package has the tests of its rules run, and a link stops everything before it is read."""
    path = "brightline/agency/example/rules/tools_that_act/tools_that_act_test.rego"
    edit(rego / path, "not rule.verdict with input as request", "rule.verdict with input as request")
    changed = ("brightline/agency/example/example.rego",)
    (found,) = judge(rego, changed, tmp_path / "built")
    assert (found.path, found.line > 0) == (path, True)
    (rego / "brightline/link.rego").symlink_to(rego / RULE)
    assert judge(rego, changed, tmp_path / "built") == (
        Finding("brightline/link.rego", "is a link; put the file itself there"),
    )


def test_every_kind_of_edit_is_seen(rego: Path) -> None:
    """A file that is new, gone, replaced or written again is another state; an editor's copy is not."""
    first = look(rego)
    (rego / RULE).write_text((rego / RULE).read_text())
    (rego / "brightline/new.rego").write_text("package brightline\n")
    (rego / TEST).unlink()
    (rego / "brightline/.decision.rego.swp").write_text("an editor's")
    second = look(rego)
    assert {p for p in first.keys() | second.keys() if first.get(p) != second.get(p)} == {
        RULE,
        TEST,
        "brightline/new.rego",
    }
