"""The starter is what rego/ says, byte for byte, and says which policy it is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.canonical import digest
from tools import rego

STARTER = rego.ROOT / rego.STARTER


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in rego.files(folder)}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a copy of the policy and of the starter."""
    shutil.copytree(rego.ROOT / "rego", tmp_path / "rego")
    shutil.copytree(STARTER, tmp_path / rego.STARTER)
    return tmp_path


def test_two_builds_in_two_places_are_the_same_bytes(tmp_path: Path, checkout: Path) -> None:
    """A build depends on the sources alone: not on the time, the folder or what was there before."""
    rego.build(rego.ROOT / "rego", tmp_path / "one")
    (tmp_path / "two/rego").mkdir(parents=True)
    (tmp_path / "two/rego/left_over.rego").write_text("package left_over\n")
    rego.build(checkout / "rego", tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_committed_is_current() -> None:
    """The starter that travels with the package is what rego/ says."""
    assert list(rego.stale(rego.ROOT)) == []


@pytest.mark.parametrize("path", ["policy.wasm", "data.json", "rego/brightline/decision.rego", "rego/added.rego"])
def test_a_changed_starter_is_named(checkout: Path, path: str) -> None:
    """A file of the starter that was edited or added is named with the command that repairs it."""
    with (checkout / rego.STARTER / path).open("ab") as file:
        file.write(b"\n")
    assert list(rego.stale(checkout)) == [f"{rego.STARTER / path}: is not what rego/ says; run: make starter"]


def test_the_command_fails_on_a_missing_file(checkout: Path) -> None:
    """The command exits with 1 when the starter lacks a file."""
    (checkout / rego.STARTER / "policy.wasm").unlink()
    command = [sys.executable, str(rego.ROOT / "tools/rego.py"), "--root", str(checkout), "build", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{rego.STARTER}/policy.wasm: is not what rego/ says; run: make starter\n"


def test_a_policy_that_does_not_compile_leaves_the_starter_alone(checkout: Path) -> None:
    """A failed build says what opa says, and what was there stays."""
    before = contents(checkout / rego.STARTER)
    (checkout / "rego/brightline/facts/facts.rego").write_text("package brightline.facts\n\nx := \n")
    with pytest.raises(rego.BuildError, match=r"facts\.rego"):
        rego.build(checkout / "rego", checkout / rego.STARTER)
    assert contents(checkout / rego.STARTER) == before


def test_the_revision_can_be_computed_from_the_starter() -> None:
    """Whoever has a release's rego/ can tell which policy it is: the digest of its files but the one that says so."""
    sources = contents(STARTER / "rego")
    stated = json.loads(sources.pop("release/data.json"))
    assert stated == {"revision": digest({path: hashlib.sha256(text).hexdigest() for path, text in sources.items()})}
    assert json.loads((STARTER / "data.json").read_bytes())["release"] == stated


def test_a_change_of_a_source_changes_the_revision_and_a_change_of_a_test_does_not(checkout: Path) -> None:
    """The revision is of the policy and its data: tests, fixtures and schemas are not part of it."""

    def revision() -> str:
        rego.build(checkout / "rego", checkout / rego.STARTER)
        data = json.loads((checkout / rego.STARTER / "data.json").read_bytes())
        return str(data["release"]["revision"])

    def append(path: str, text: str) -> None:
        with (checkout / "rego" / path).open("a") as file:
            file.write(text)

    first = revision()
    append("brightline/decision_test.rego", "\n# more\n")
    append("fixtures/fixtures.rego", "\n# more\n")
    append("schemas/input.json", "\n")
    assert revision() == first
    append("brightline/thresholds/data.yaml", "# more\n")
    second = revision()
    assert second != first
    append("brightline/facts/facts.rego", "\n# more\n")
    assert revision() not in {first, second}


def test_the_starter_has_no_tests() -> None:
    """What travels is the policy: no tests, no fixtures, no schemas."""
    paths = rego.files(STARTER)
    assert {Path(path).parts[0] for path in paths} == {"policy.wasm", "data.json", "rego"}
    assert not [path for path in paths if path.endswith("_test.rego") or "fixtures" in path or "schemas" in path]
