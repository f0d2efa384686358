"""Files that are made whole or not at all: a crash and an error at each step, and two who write the same file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway import atomic_files
from tests.support.failing import failing_at

OLD, DATA = b"old\n", b"a line\n" * 20_000
STEPS = ("open", "fsync", "link", "replace", "unlink", "fdopen", "close")
"""What of `os` a write goes through; each may be the last thing that happens, or fail."""
FAILING = [(os, name) for name in ("open", "fsync", "replace", "link")]
CRASHES = f"""
import os, sys
from itertools import count
from pathlib import Path
from gateway import atomic_files
path, step, data = Path(sys.argv[1]), int(sys.argv[3]), b"a line\\n" * 20_000
passed = count(1)
def stopping(real):
    def call(*arguments, **options):
        if next(passed) == step:
            os._exit(9)
        return real(*arguments, **options)
    return call
for name in {STEPS}:
    setattr(os, name, stopping(getattr(os, name)))
if sys.argv[2] == "new":
    with atomic_files.new(path) as file:
        file.write(data[:70_000])
        file.flush()
        if next(passed) == step:
            os._exit(9)
        file.write(data[70_000:])
else:
    atomic_files.replace(path, data)
"""


def new(path: Path) -> None:
    """A file in two pieces, of which the first has left the process."""
    with atomic_files.new(path) as file:
        file.write(DATA[:70_000])
        file.flush()
        file.write(DATA[70_000:])


def replaced(path: Path) -> None:
    """The same in the place of another."""
    atomic_files.replace(path, DATA)


@pytest.mark.parametrize(("how", "before"), [("new", None), ("replace", OLD)])
def test_a_crash_leaves_no_half_of_a_file(tmp_path: Path, how: str, before: bytes | None) -> None:
    """Wherever the process ends, a file that is to be is not there or whole, one that was is old or new, and the same
    again makes it and takes away what was left beside it.
    """
    for step in count(1):
        path = tmp_path / str(step) / "file"
        path.parent.mkdir()
        if before is not None:
            path.write_bytes(before)
        done = subprocess.run([sys.executable, "-c", CRASHES, str(path), how, str(step)], check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 9
        assert (path.read_bytes() if path.exists() else None) in {before, DATA}
        (replaced if path.exists() else new)(path)
        assert path.read_bytes() == DATA
        assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert step > 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize(("write", "before"), [(new, None), (replaced, OLD)])
def test_an_error_at_any_step_leaves_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None], before: bytes | None, number: int
) -> None:
    """Whichever step fails once, who writes is told, nothing is left beside, and the next try succeeds."""
    for step in count(1):
        path = tmp_path / str(step) / "file"
        path.parent.mkdir()
        if before is not None:
            path.write_bytes(before)
        with monkeypatch.context() as patch:
            failing_at(step, patch, FAILING, number)
            try:
                write(path)
            except OSError as error:
                assert error.errno == number
            else:
                break
        assert [p.name for p in path.parent.iterdir()] in ([], ["file"])
        assert (path.read_bytes() if path.exists() else None) in {before, *([DATA] if before else [])}
        write(path)
        assert path.read_bytes() == DATA
    assert step > 4


@pytest.mark.parametrize("links", [True, False])
def test_a_file_of_another_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    """A file that another process made meanwhile stays, on a file system without links, too; else the file is made."""
    if not links:
        failing_at(1, monkeypatch, [(os, "link")], errno.EPERM)
    path = tmp_path / "file"

    def overtaken() -> None:
        with atomic_files.new(path) as file:
            file.write(DATA)
            path.write_bytes(OLD)

    for attempt in (overtaken, lambda: new(path)):
        with pytest.raises(FileExistsError) as told:
            attempt()
        assert told.value.filename == str(path)
        assert path.read_bytes() == OLD
    path.unlink()
    new(path)
    assert path.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [path]


def test_of_files_that_belong_together_none_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever step fails, a key and its public half are both there or neither, and can be made again."""
    pair = (tmp_path / "a.key", DATA, 0o600), (tmp_path / "a.key.pub", OLD, 0o644)
    for step in count(1):
        with monkeypatch.context() as patch:
            failing_at(step, patch, FAILING)
            try:
                atomic_files.create(*pair)
            except OSError:
                assert list(tmp_path.iterdir()) == []
            else:
                break
    assert step > 8
    assert [(p.read_bytes(), p.stat().st_mode & 0o777) for p, *_ in pair] == [(DATA, 0o600), (OLD, 0o644)]
    with pytest.raises(FileExistsError):
        atomic_files.create(*pair)


def test_of_two_who_replace_a_file_none_puts_half_of_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one has written all and another has begun, the file that the first one puts in place is whole."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    begun, over = threading.Event(), threading.Event()
    sync, opened = os.fsync, os.fdopen

    def second() -> None:
        atomic_files.replace(path, DATA)

    other = threading.Thread(target=second)

    def synced(descriptor: int) -> None:
        sync(descriptor)
        if threading.current_thread() is not other and not begun.is_set():
            other.start()
            assert begun.wait(60)

    def open_(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is other:
            begun.set()
            assert over.wait(60)
        return opened(*arguments, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "fdopen", open_)
    try:
        atomic_files.replace(path, DATA)
    except FileNotFoundError:  # told that it was overtaken
        assert path.read_bytes() == OLD
    else:
        assert path.read_bytes() == DATA
    finally:
        over.set()
        other.join()
    assert path.read_bytes() == DATA
