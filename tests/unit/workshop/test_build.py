"""What is built is what the policy says, byte for byte, and says which policy it is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import release
from gateway.canonical import digest
from gateway.errors import StartError
from gateway.workshop.build import BuildError, build, stale
from gateway.workshop.layout import files
from tests.support.policy import REGO, STARTER
from tests.support.releases import MODEL, TENANT


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in files(folder)}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the policy."""
    return Path(shutil.copytree(REGO, tmp_path / "rego"))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A copy of the starter, which is a built policy."""
    return Path(shutil.copytree(STARTER, tmp_path / "built"))


def test_two_builds_in_two_places_are_the_same_bytes(tmp_path: Path, policy: Path, built: Path) -> None:
    """A build depends on the sources alone: not on the time, the folder or what was there before."""
    (built / "rego/left_over.rego").write_text("package left_over\n")
    assert build(REGO, tmp_path / "one") == build(policy, built)
    assert contents(tmp_path / "one") == contents(built)


@pytest.mark.parametrize("name", ["OPA_BUILD_IGNORE", "OPA_BUILD_OPTIMIZE", "OPA_BUILD_SIGNING_KEY"])
def test_no_variable_leaves_a_rule_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What Open Policy Agent would take from the environment for an option changes nothing of a build."""
    monkeypatch.setenv(name, "2" if name.endswith("OPTIMIZE") else "weapon_engage_autonomous.rego")
    assert build(REGO, tmp_path / "out") == digest(json.loads((STARTER / "manifest.json").read_bytes()))


def test_the_digest_stands_for_every_byte(built: Path, policy: Path) -> None:
    """The digest is that of the manifest, and the manifest names every other file with its SHA-256."""
    made = build(policy, built)
    found = contents(built)
    manifest = json.loads(found.pop("manifest.json"))
    assert made == digest(manifest)
    assert manifest["files"] == {path: hashlib.sha256(raw).hexdigest() for path, raw in found.items()}
    assert manifest["revision"] == json.loads(found["data.json"])["release"]["revision"]


def test_a_built_policy_becomes_a_release(tmp_path: Path, built: Path) -> None:
    """A release takes any built policy, and none with a file that its manifest does not name so."""
    release.create(tmp_path / "release", 1, [TENANT], [MODEL], ["provider"], policy=built)
    assert release.load(tmp_path / "release", None).wasm == (built / "policy.wasm").read_bytes()
    with (built / "policy.wasm").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(StartError, match=r"policy\.wasm: is not the file that manifest\.json names"):
        release.create(tmp_path / "another", 1, [TENANT], [MODEL], ["provider"], policy=built)


def test_what_is_committed_is_current() -> None:
    """The starter that travels with the package is what rego/ says."""
    assert list(stale(REGO, STARTER)) == []


@pytest.mark.parametrize("path", ["policy.wasm", "data.json", "rego/brightline/decision.rego", "rego/added.rego"])
def test_a_changed_starter_is_named(built: Path, path: str) -> None:
    """A file of the starter that was edited or added is named with what repairs it."""
    with (built / path).open("ab") as file:
        file.write(b"\n")
    assert [(f.path, f.text) for f in stale(REGO, built)] == [(path, "is not what the policy says; build it again")]


def test_the_command_fails_on_a_missing_file(built: Path) -> None:
    """The command exits with 1 when what is built lacks a file."""
    (built / "policy.wasm").unlink()
    command = [sys.executable, "-m", "gateway", "policy", "build", "--check", "--rego", REGO, "--out", built]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{built}/policy.wasm: is not what the policy says; build it again\n"


def test_a_policy_that_does_not_compile_leaves_what_is_built_alone(policy: Path, built: Path) -> None:
    """A failed build says what opa says, and what was there stays."""
    before = contents(built)
    (policy / "brightline/facts/facts.rego").write_text("package brightline.facts\n\nx := \n")
    with pytest.raises(BuildError, match=r"facts\.rego"):
        build(policy, built)
    assert contents(built) == before


def test_nothing_but_a_built_policy_is_replaced(tmp_path: Path) -> None:
    """A folder that holds something else is left as it is."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BuildError, match="holds something else than a built policy; name a new folder"):
        build(REGO, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_revision_can_be_computed_from_what_is_built() -> None:
    """Whoever has a release's rego/ can tell which policy it is: the digest of its files but the one that says so."""
    sources = contents(STARTER / "rego")
    stated = json.loads(sources.pop("release/data.json"))
    assert stated == {"revision": digest({path: hashlib.sha256(text).hexdigest() for path, text in sources.items()})}
    assert json.loads((STARTER / "data.json").read_bytes())["release"] == stated


def test_a_change_of_a_source_changes_the_revision_and_a_change_of_a_test_does_not(policy: Path, built: Path) -> None:
    """The revision is of the policy and its data: tests, fixtures and schemas are not part of it."""

    def append(path: str, text: str) -> str:
        with (policy / path).open("a") as file:
            file.write(text)
        return build(policy, built)

    first = build(policy, built)
    assert append("brightline/decision_test.rego", "\n# more\n") == first
    assert append("fixtures/fixtures.rego", "\n# more\n") == first
    assert append("schemas/input.json", "\n") == first
    second = append("brightline/thresholds/data.yaml", "# more\n")
    assert second != first
    assert append("brightline/facts/facts.rego", "\n# more\n") not in {first, second}


def test_what_is_built_has_no_tests() -> None:
    """What travels is the policy: no tests, no fixtures, no schemas."""
    paths = files(STARTER)
    assert {Path(path).parts[0] for path in paths} == {"policy.wasm", "data.json", "manifest.json", "rego"}
    assert not [path for path in paths if path.endswith("_test.rego") or "fixtures" in path or "schemas" in path]
