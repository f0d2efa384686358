"""What an operator hands over is verified where there is nothing of ours but the verifier, and `cryptography`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import brightline_verify
from brightline import BrightlineError
from gateway.cli import trail
from gateway.cli.demo_steps import STEPS
from tests.support.gateways import Deployment, serving

NEEDED = ("cryptography", "cffi", "_cffi_backend", "pycparser")
BARE = """
import sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p] + [sys.argv.pop(1)]
from brightline_verify.cli import main
main()
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that has the verifier and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "brightline_verify").symlink_to(Path(brightline_verify.__file__).parent)
    for name in NEEDED:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            place = Path(found.origin)
            place = place.parent if found.submodule_search_locations else place
            (folder / place.name).symlink_to(place)
    return folder


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment after the questions of the demo."""
    made = Deployment.create(tmp_path_factory.mktemp("gateway"))
    made.edit("learned = false", "learned = true")
    asyncio.run(asked(made))
    return made


async def asked(made: Deployment) -> None:
    """Ask what the demo asks."""
    async with serving(made) as gateway:
        for step in STEPS:
            client = gateway.client(step.tenant, token=gateway.token(step.token_of or step.tenant))
            try:
                await client.generate(model="loopback", prompt=step.ask, use=step.use)
                assert not issubclass(step.expected, BrightlineError)
            except BrightlineError as error:
                assert isinstance(error, step.expected)


def elsewhere(bare: Path, *arguments: str, code: str = BARE) -> subprocess.CompletedProcess[str]:
    """Run the verifier where nothing else is."""
    program = [sys.executable, "-I", "-S", "-c", code, str(bare), *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=120, cwd=bare)


def operator(deployed: Deployment, *arguments: str) -> None:
    """`brightline audit` of the operator."""
    done = CliRunner().invoke(trail, [*arguments, "--config", str(deployed.config)])
    assert done.exit_code == 0, done.output


def test_there_is_nothing_else(bare: Path) -> None:
    """The place where it is verified has neither the gateway nor the client."""
    code = BARE.replace("from brightline_verify.cli import main\nmain()", "import {}")
    assert elsewhere(bare, code=code.format("brightline_verify")).returncode == 0
    for name in ("gateway", "brightline", "orjson", "grpc"):
        assert "ModuleNotFoundError" in elsewhere(bare, code=code.format(name)).stderr


def test_an_export_verifies_elsewhere(deployed: Deployment, bare: Path, tmp_path: Path) -> None:
    """With the export and the public key alone; a word of a record changed, that record is named."""
    operator(deployed, "export", str(tmp_path / "export.jsonl"))
    key = str(deployed.folder / "audit" / "log.key.pub")
    told = elsewhere(bare, "log", str(tmp_path / "export.jsonl"), "--key", key, "--json")
    report = json.loads(told.stdout)
    assert (told.returncode, report["ok"], report["size"]) == (0, True, len(deployed.records()))
    data = (tmp_path / "export.jsonl").read_bytes()
    (tmp_path / "spoilt.jsonl").write_bytes(data.replace(b'"weapon_engagement"', b'"weapon_maintenance"', 1))
    told = elsewhere(bare, "log", str(tmp_path / "spoilt.jsonl"), "--key", key, "--json")
    problem = json.loads(told.stdout)["problem"]
    refused = deployed.records()[problem["index"]]
    assert (told.returncode, refused["input"]["request"]["purpose"]) == (1, "weapon_engagement")
    assert problem["decision_id"] == refused["decision_id"]


def test_a_refusal_is_proved_elsewhere(deployed: Deployment, bare: Path, tmp_path: Path) -> None:
    """With its record, its proof and the public key alone."""
    refusal = next(r for r in deployed.records("refusal") if r["rules"])
    operator(deployed, "prove", refusal["decision_id"], "--to", str(tmp_path))
    (proof,), (record,) = tmp_path.glob("*.tlog-proof"), tmp_path.glob("*.json")
    key = str(deployed.folder / "audit" / "log.key.pub")
    told = elsewhere(bare, "proof", str(proof), "--record", str(record), "--key", key)
    assert (told.returncode, refusal["decision_id"] in told.stdout) == (0, True)
