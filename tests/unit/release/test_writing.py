"""A release that was written loads again, or nothing was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import release
from gateway.canonical import digest
from gateway.clock import system_us
from gateway.errors import StartError
from tests.support.releases import MODEL, TENANT


def test_what_is_written_loads(tmp_path: Path) -> None:
    """The digest that is returned is the one that loads, with the starter policy and the tenants and models given."""
    folder = tmp_path / "releases" / "1"
    made = release.create(folder, 7, [TENANT], [MODEL], ["provider"])
    loaded = release.load(folder, made)
    assert (loaded.version, loaded.signers) == (7, ("provider",))
    assert (loaded.tenants, loaded.models) == ({TENANT.id: TENANT}, {MODEL.id: MODEL})
    assert loaded.wasm == (release.starter() / "policy.wasm").read_bytes()
    assert made == digest(json.loads((folder / "manifest.json").read_bytes()))


def test_the_same_release_has_the_same_digest(tmp_path: Path) -> None:
    """What is in a release decides its digest, not when or where it was written."""
    made = [release.create(tmp_path / name, 1, [TENANT], [MODEL], ["provider"]) for name in "ab"]
    assert made[0] == made[1]


def test_only_the_release_is_left(tmp_path: Path) -> None:
    """The folder appears whole, and no draft stays beside it."""
    release.create(tmp_path / "release", 1, [TENANT], [MODEL], ["provider"])
    assert [p.name for p in tmp_path.iterdir()] == ["release"]


@pytest.mark.parametrize(
    "tenant",
    [
        replace(TENANT, id="Not An Id"),
        replace(TENANT, certificates=("spiffe://agency.example",)),
        replace(TENANT, attributes={}),
        replace(TENANT, attributes={**TENANT.attributes, "é": 1}),
    ],
)
def test_what_could_not_load_is_not_written(tmp_path: Path, tenant: object) -> None:
    """A release that the gateway would refuse is refused when it is made, and leaves nothing."""
    with pytest.raises(StartError):
        release.create(tmp_path / "release", 1, [tenant], [MODEL], ["provider"])  # type: ignore[list-item]  # parametrised
    assert list(tmp_path.iterdir()) == []


def test_an_expired_grant_is_not_written(tmp_path: Path) -> None:
    """A grant that is over is refused by tenant and id when a release is made; one that still holds is not."""
    grant = {"id": "addendum-1", "rule": "weapons_design", "purposes": ["p"], "conditions": [], "addendum": "a"}

    def create(expires: int) -> str:
        grants = [{**grant, "not_before": 0, "expires": expires}]
        tenant = replace(TENANT, attributes={**TENANT.attributes, "grants": grants})
        return release.create(tmp_path / "release", 1, [tenant], [MODEL], ["provider"])

    with pytest.raises(StartError, match=r"agency: grant addendum-1: expired at 1790000000000 .*\n.*leave it out"):
        create(1_790_000_000_000)
    assert list(tmp_path.iterdir()) == []
    assert create(system_us() // 1000 + 3_600_000)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder, a file or a dangling link in the place of the release is left as it is."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("folder", "file", "link"):
        with pytest.raises(StartError, match="already there"):
            release.create(tmp_path / name, 1, [TENANT], [MODEL], ["provider"])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An error of the file system is reported with the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="file/release: cannot be written"):
        release.create(tmp_path / "file" / "release", 1, [TENANT], [MODEL], ["provider"])
