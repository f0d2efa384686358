from __future__ import annotations

import errno
import os
import resource
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightline_verify.database import File
from brightline_verify.merkle import Frontier, leaf_hash
from brightline_verify.note import open_checkpoint
from brightline_verify.report import UnreadableError
from brightline_verify.tiles import WIDTH, path_of
from gateway.audit import disk
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.tiles import publish
from tests.support import logs


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 999, 256, "tile/1/999"),
        (0, 1000, 3, "tile/0/x001/000.p/3"),
        ("entries", 1_234_067, 256, "tile/entries/x001/x234/067"),
    ],
)
def test_paths_are_those_of_the_specification(level: int | str, number: int, width: int, path: str) -> None:
    """Numbers are cut into threes of digits, and a partial tile names its width."""
    assert path_of(level, number, width) == path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty log."""
    return Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))


def grow(store: Store, size: int) -> None:
    """Append records up to that many, and sign."""
    for first in range(store.frontier.size, size, 250):
        store.append(logs.entries(min(250, size - first), first=first))
    store.checkpoint()


def published(folder: Path) -> int:
    """Publish the log in `folder`."""
    return publish(File(folder / "audit.db"), logs.verifier(folder), folder / "tiles")


def files(folder: Path) -> dict[str, bytes]:
    """Everything that is published."""
    place = folder / "tiles"
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def test_what_is_published_is_the_log(tmp_path: Path, store: Store) -> None:
    """Bundles hold the records, level 0 their hashes, level 1 the roots of its tiles, and the checkpoint signs them."""
    grow(store, 600)
    assert published(tmp_path) == 600
    found = files(tmp_path)
    leaves = [e.leaf for e in logs.entries(600)]
    names = ["000", "001", "002.p/88"]
    assert set(found) == {"checkpoint", "tile/1/000.p/2", *(f"tile/{x}/{n}" for x in (0, "entries") for n in names)}
    assert b"".join(found[f"tile/0/{n}"] for n in names) == b"".join(map(leaf_hash, leaves))
    bundles = b"".join(found[f"tile/entries/{n}"] for n in names)
    assert bundles == b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves)
    roots = [Frontier(), Frontier()]
    for n, leaf in enumerate(leaves[:512]):
        roots[n // WIDTH].append(leaf)
    assert found["tile/1/000.p/2"] == b"".join(root.root() for root in roots)
    signed = open_checkpoint(found["checkpoint"], logs.verifier(tmp_path))
    assert (signed.size, signed.root) == (600, store.frontier.root())
    store.close()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 1100), min_size=1, max_size=4, unique=True).map(sorted))
def test_it_makes_no_difference_how_often_a_log_is_published(sizes: list[int]) -> None:
    """What is published in steps is what is published at once, beside partial tiles that are not full yet."""
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        folder, other = Path(one), Path(two)
        for place, steps in ((folder, sizes), (other, sizes[-1:])):
            log = Store(Sqlite(logs.settings(place).path), logs.signer(place))
            for size in steps:
                grow(log, size)
                assert published(place) == size
            log.close()
        once, often = files(other), files(folder)
        assert {n: d for n, d in often.items() if n in once and n != "checkpoint"} == {
            n: d for n, d in once.items() if n != "checkpoint"
        }
        assert all(".p/" in name for name in set(often) - set(once))


def test_a_crash_before_the_checkpoint_is_made_good(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles without their checkpoint are written again, and readers of the old checkpoint find all they need."""
    grow(store, 300)
    published(tmp_path)
    before = files(tmp_path)
    grow(store, 600)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", lambda *_: (_ for _ in ()).throw(OSError("no power")))
        with pytest.raises(OSError, match="no power"):
            published(tmp_path)
    assert before.items() <= files(tmp_path).items()
    assert published(tmp_path) == 600
    assert "tile/0/001.p/44" not in files(tmp_path)
    store.close()


def test_a_folder_of_another_or_a_later_log_is_refused(tmp_path: Path, store: Store) -> None:
    """A log is not published over another one, nor over more of itself than it has."""
    grow(store, 10)
    store.close()
    (tmp_path / "old").mkdir()
    for path in tmp_path.glob("*.*"):
        shutil.copy(path, tmp_path / "old")
    again = Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))
    grow(again, 20)
    published(tmp_path)
    shutil.copytree(tmp_path / "tiles", tmp_path / "old" / "tiles")
    with pytest.raises(UnreadableError, match="has 10 records under a checkpoint, and 20 are published"):
        published(tmp_path / "old")
    other = Store(Sqlite(logs.settings(tmp_path / "old").path), logs.signer(tmp_path / "old"))
    other.append(logs.entries(20, first=10, tenant="other"))
    other.close()
    with pytest.raises(UnreadableError, match="does not go on"):
        published(tmp_path / "old")
    (tmp_path / "tiles" / "checkpoint").write_bytes(b"x")
    with pytest.raises(UnreadableError):
        published(tmp_path)
    again.close()


def test_what_can_not_be_read_is_not_published(tmp_path: Path, store: Store) -> None:
    """A log without a checkpoint, or with a record gone, is not published."""
    with pytest.raises(UnreadableError, match="no checkpoint yet"):
        published(tmp_path)
    grow(store, 10)
    with logs.reading(tmp_path) as db:
        db.execute("DELETE FROM entries WHERE idx = 4")
    with pytest.raises(UnreadableError, match="records are missing"):
        published(tmp_path)
    store.close()


def test_one_process_publishes_at_a_time(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A published checkpoint is never replaced by an older one: who comes while another publishes is told so."""
    grow(store, 300)
    published(tmp_path)
    real, refused = disk.replace, []

    def overtaken(path: Path, data: bytes) -> None:
        """Another one publishes more of the log, just before this one puts its checkpoint in place."""
        monkeypatch.setattr(disk, "replace", real)
        grow(store, 600)
        try:
            published(tmp_path)
        except OSError as error:
            refused.append(str(error))
        real(path, data)

    grow(store, 400)
    monkeypatch.setattr("gateway.audit.tiles.disk.replace", overtaken)
    published(tmp_path)
    assert "another process publishes there" in refused[0]
    assert "tile/0/001.p/144" in files(tmp_path)
    assert published(tmp_path) == 600
    store.close()


def test_a_tile_that_there_is_no_room_for_is_named(tmp_path: Path, store: Store) -> None:
    """While no file can grow, the error names the tile; once files can, the same command publishes."""
    grow(store, 10)
    before = resource.prlimit(0, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        with pytest.raises(OSError, match="File too large") as told:
            published(tmp_path)
    finally:
        resource.prlimit(0, resource.RLIMIT_FSIZE, before)
    assert told.value.filename == str(tmp_path / "tiles/tile/0/000.p/10")
    assert published(tmp_path) == 10
    store.close()


def test_a_tile_that_the_disk_did_not_take_is_not_published(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is put in place only when the disk said of each new tile that it has it."""
    grow(store, 10)
    real = os.fsync

    def failing(descriptor: int) -> None:
        if "/tile/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output error"):
            published(tmp_path)
    assert "checkpoint" not in files(tmp_path)
    assert published(tmp_path) == 10
    store.close()
