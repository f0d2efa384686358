"""What is carried across an air gap: from a repository to a disk, and from there to where gateways read it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app, release_transfer
from gateway.errors import StartError
from gateway.release.client import Client
from gateway.release.fetching import FOLDER, Folder
from gateway.release.holders import SNAPSHOT, TIMESTAMP
from gateway.release.parts import AGENCY, HOLDERS, PROVIDER
from gateway.release.repository import DAYS
from tests.support.failing import failing_at
from tests.support.signing import Signing

OVER = {**DAYS, SNAPSHOT: -1, TIMESTAMP: -1}


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    """One release."""
    made = Signing.create(tmp_path)
    made.release()
    return made


def carried(signing: Signing, source: Path, to: Path, way: str = "import") -> Result:
    root = str(signing.folder / "root.json")
    return CliRunner().invoke(app, ["release", way, str(source), str(to), "--root", root])


def refused(done: Result) -> str:
    assert isinstance(done.exception, StartError), done.output
    return str(done.exception)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def expired(signing: Signing, there: Path) -> None:
    """Carried while its time was on; that is over now."""
    signing.publish(OVER)
    (there / "metadata/timestamp.json").write_bytes(signing.newest(TIMESTAMP).read_bytes())
    for path in signing.metadata.glob("*.snapshot.json"):
        (there / "metadata" / path.name).write_bytes(path.read_bytes())


def damaged(_: Signing, there: Path) -> None:
    cut(there / "metadata/timestamp.json")


def gone(_: Signing, there: Path) -> None:
    for path in (there / "targets").rglob("*.json"):
        cut(path)


@pytest.mark.parametrize("way", ["export", "import"])
@pytest.mark.parametrize("state", [expired, damaged, gone])
def test_what_is_newer_is_taken_whatever_is_there(
    signing: Signing, state: Callable[[Signing, Path], None], way: str
) -> None:
    """A newer release replaces what expired or was cut off at the destination; an older one is refused as ever."""
    old, there = signing.kept(), signing.folder / "there"
    signing.release()
    assert carried(signing, signing.repository.folder, there, way).exit_code == 0
    state(signing, there)
    before = files(there)
    assert "BadVersionNumberError" in refused(carried(signing, old, there, way))
    assert files(there) == before
    signing.release()
    done = carried(signing, signing.repository.folder, there, way)
    assert done.exit_code == 0, done.exception
    assert "release version 3" in done.stdout


def test_older_keys_are_not_carried_back(signing: Signing) -> None:
    """A disk from before a key was replaced is refused, also where all that is there has expired."""
    old, there = signing.kept(), signing.folder / "there"
    stolen = signing.signer(AGENCY, "online")
    key = signing.key(AGENCY, "online", at="new")
    signing.repository.replace_key(stolen.public_key.keyid, key, signing.now, revoked=True)
    signing.sign(HOLDERS, ("root",))
    signing.repository.publish(signing.signer(AGENCY, "online", at="new"), signing.now, OVER)
    there.mkdir()
    for path, raw in files(signing.repository.folder).items():
        to = there / path.relative_to(signing.repository.folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(raw)
    before = files(there)
    signing.now += timedelta(seconds=1)
    assert "UnsignedMetadataError" in refused(carried(signing, old, there))
    assert files(there) == before


def test_another_repository_is_not_written_over(signing: Signing, tmp_path: Path) -> None:
    """A folder with the metadata of other holders is refused by name, and stays as it is."""
    other = Signing.create(tmp_path / "other")
    other.release()
    old = other.signer(AGENCY, "online").public_key.keyid
    other.repository.replace_key(old, other.key(AGENCY, "online", at="new"), other.now, revoked=False)
    other.sign(HOLDERS, ("root",))
    other.repository.publish(other.signer(AGENCY, "online", at="new"), other.now)
    before = files(other.repository.folder)
    said = refused(carried(signing, signing.repository.folder, other.repository.folder))
    assert said == f"{other.repository.folder}: has a root that is not of this repository; name a new folder"
    assert files(other.repository.folder) == before


def test_a_file_that_can_not_be_written_is_named(signing: Signing) -> None:
    """Where a copy fails it is the destination that is named, not the file that was read."""
    there = signing.folder / "there"
    there.write_text("a file")
    assert refused(carried(signing, signing.repository.folder, there)).startswith(f"{there}/")


def test_a_root_that_is_none_is_named(signing: Signing) -> None:
    """What --root names and is no root.json is refused by the option's name."""
    (signing.folder / "root.json").write_text("garbage")
    said = refused(carried(signing, signing.repository.folder, signing.folder / "there"))
    assert said == f"--root: {signing.folder}/root.json: is no root.json; `brightline release init` made the first"


@pytest.mark.parametrize("days", ["-1", "0", "3651", "99999999"])
def test_times_that_help_nobody_are_refused(signing: Signing, days: str) -> None:
    """What is published lasts a day at least and ten years at most."""
    key = str(signing.folder / "keys/agency/online.key")
    before = files(signing.repository.folder)
    done = CliRunner().invoke(app, ["release", "publish", str(signing.repository.folder), "--key", key, "--days", days])
    assert done.exit_code == 2
    assert "--days" in done.stderr
    assert files(signing.repository.folder) == before


def test_an_extracted_release_is_on_the_disk_before_it_has_its_name(
    signing: Signing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power leaves no folder of the release's name with files that are empty: each was synced before."""
    sync, rename, to = os.fsync, os.rename, tmp_path / "out"
    synced, named = set[int](), set[int]()

    def syncing(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def renaming(source: Path, target: Path) -> None:
        if Path(target) == to:
            named.update(synced)
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    signing.client("auditor").extract(to)
    files = {path.stat().st_ino for path in (to, *to.rglob("*"))}
    assert len(files) > 5
    assert files <= named
    assert tmp_path.stat().st_ino in synced


@pytest.mark.parametrize("way", ["export", "import"])
def test_another_key_comes_when_all_that_it_signed_is_there(
    signing: Signing, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A copy that breaks off before its last two files leaves what gateways load; the same again completes any."""
    there, fresh = signing.folder / "there", signing.folder / "fresh"
    assert carried(signing, signing.repository.folder, there, way).exit_code == 0
    old, new = signing.signer(AGENCY, "release").public_key.keyid, signing.key(AGENCY, "release", "new")
    signing.repository.replace_key(old, new, signing.now, revoked=False)
    signing.sign(names=["root"])
    signing.sign({PROVIDER})
    signing.sign({AGENCY}, at="new")
    signing.publish()
    before, broken = Path(shutil.copytree(there, signing.folder / "before")), []
    for step in itertools.count(1):
        shutil.rmtree(there)
        shutil.copytree(before, there)
        with monkeypatch.context() as patch:
            done = failing_at(step, patch, [(release_transfer, "put")])
            whole = carried(signing, signing.repository.folder, there, way).exit_code == 0
        if whole and len(done) < step:
            break
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            Client(str(there), Folder(there), FOLDER, signing.root, fresh).load()
        except StartError:
            broken.append(step)
        assert carried(signing, signing.repository.folder, there, way).exit_code == 0
    assert broken == [step - 1]
