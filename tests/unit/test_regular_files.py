"""What stands in the place of a file and is none is refused at once, by everything that reads files of others."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError

from gateway import config, regular_files, release
from gateway.audit.disk import Whole
from gateway.audit.marks import Tail
from gateway.errors import StartError
from gateway.identity.reloading import UnreadableError, Watched
from gateway.release.fetching import FOLDER, Folder
from tests.support import releases


def a_pipe(path: Path) -> None:
    """Nobody ever writes into it."""
    os.mkfifo(path, 0o600)


def a_device(path: Path) -> None:
    """It never ends."""
    path.symlink_to("/dev/zero")


def a_folder(path: Path) -> None:
    """It has no bytes."""
    path.mkdir()


def configured(path: Path) -> None:
    config.load(path)


def private(path: Path) -> None:
    config.read_private(path, "audit.signing_key")


def public(path: Path) -> None:
    config.read_public(path, "listener.client_ca")


def marked(path: Path) -> None:
    Tail(path).read()


def kept(path: Path) -> None:
    Whole(path).read()


def fetched(path: Path) -> None:
    list(Folder(path.parent).fetch(f"{FOLDER}{path.name}"))


@pytest.mark.parametrize("instead", [a_pipe, a_device, a_folder])
@pytest.mark.parametrize("reads", [configured, private, public, fetched])
def test_what_is_no_file_is_refused_by_its_name(
    tmp_path: Path, instead: Callable[[Path], None], reads: Callable[[Path], None]
) -> None:
    """A pipe, a device or a folder in the place of a file is an error that names it, and nobody waits for it."""
    path = tmp_path / "file"
    instead(path)
    with pytest.raises((StartError, DownloadError), match=r"file: (cannot be read: Is |lies outside)"):
        reads(path)


@pytest.mark.parametrize("instead", [a_pipe, a_device, a_folder])
async def test_what_is_no_file_is_an_error_at_each_use(tmp_path: Path, instead: Callable[[Path], None]) -> None:
    """A list that is replaced by what is no file is refused, and read again once it is one."""
    path = tmp_path / "file"
    path.write_text("good")
    list_ = Watched(path, bytes.decode, 10)
    assert await list_.current() == "good"
    path.unlink()
    instead(path)
    for _ in range(2):
        with pytest.raises(UnreadableError, match=r"file: cannot be read: Is "):
            await list_.current()
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_text("again")
    assert await list_.current() == "again"


@pytest.mark.parametrize("instead", [a_pipe, a_device, a_folder])
def test_a_manifest_that_is_no_file_is_refused(tmp_path: Path, instead: Callable[[Path], None]) -> None:
    """A release whose manifest is a pipe, a device or a folder does not load, and its manifest is named."""
    folder = releases.write(tmp_path / "release", releases.files())
    (folder / "manifest.json").unlink()
    instead(folder / "manifest.json")
    with pytest.raises(StartError, match=r"manifest\.json: cannot be read: Is "):
        release.load(folder, None)


@pytest.mark.parametrize("instead", [a_pipe, a_device, a_folder])
@pytest.mark.parametrize("reads", [marked, kept])
def test_what_is_no_file_is_not_read_beside_a_log(
    tmp_path: Path, instead: Callable[[Path], None], reads: Callable[[Path], None]
) -> None:
    """A mark or a checkpoint that is a pipe, a device or a folder refuses the log, and takes no memory or time."""
    path = tmp_path / "file"
    instead(path)
    with pytest.raises(OSError, match=r"Is (a directory|not a regular file): .*file"):
        reads(path)


def test_a_file_is_looked_at_once_it_is_open(tmp_path: Path) -> None:
    """What is read is what was looked at: another file in its place meanwhile changes nothing."""
    path = tmp_path / "file"
    path.write_bytes(b"first")
    path.chmod(0o600)
    with regular_files.opened(path) as file:
        path.unlink()
        path.write_bytes(b"second")
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        assert regular_files.bounded(file) == b"first"


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A file that says it is larger than memory, and takes no room."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    path.chmod(0o600)
    yield path
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("reads", [configured, private, public])
def test_what_is_too_large_is_not_read(large: Path, reads: Callable[[Path], None]) -> None:
    """A file of a terabyte is refused by its name and the bound, before memory runs out."""
    with pytest.raises(StartError, match=f"file: cannot be read: Is larger than {regular_files.MAX_BYTES} bytes"):
        reads(large)
