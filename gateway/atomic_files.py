"""Creates and replaces files completely or not at all, even on a full disk. Everything here raises OSError."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
"""What a file system says that has no hard links, as on many disks that are carried."""


@contextmanager
def new(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file, which is there once it is complete and durable. Whatever has that name already stays as it is."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _draft_of(path, mode, _named) as file:
        yield file


def create(*files: tuple[Path, bytes, int]) -> None:
    """Create files that don't exist yet, given as path, content and mode: all of them or none."""
    made: list[Path] = []
    try:
        for path, data, mode in files:
            with new(path, mode) as file:
                file.write(data)
            made.append(path)
    except BaseException:
        for path in made:
            path.unlink()
        raise


def replace(path: Path, data: bytes) -> None:
    """Write a file, or replace it atomically. If the path is not a regular file, write into it."""
    if path.exists() and not path.is_file():  # a terminal, a pipe
        with told_of(path, path):
            path.write_bytes(data)
        return
    path = path.resolve()
    with _draft_of(path, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666, _replaced) as file:
        file.write(data)


def sync(path: Path) -> None:
    """Make the content of this file, or the entries of this folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told_of(path: Path, draft: Path) -> Iterator[None]:
    """Let an error name `path`: on a full disk the system names no file, and else it may name the draft."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename in {None, str(draft)}:
            error.filename = str(path)
        raise


@contextmanager
def _draft_of(path: Path, mode: int, put: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
    """A draft that `put` gives the name `path` at the end; an error leaves `path` unchanged. Drafts have random names:
    another process that writes the same file may delete this draft, but can't put half of it in place.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.draft"):
        left.unlink(missing_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with told_of(path, draft):
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            # Crash before this line: a hidden draft remains, which the next write removes.
            put(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _replaced(draft: Path, path: Path) -> None:
    draft.replace(path)
    sync(path.parent)


def _named(draft: Path, path: Path) -> None:
    """Give the draft its name, which nothing may have by now."""
    try:
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        # Crash before the next step: an empty file, which fails the next try until somebody removes it.
        _or_nothing(path, lambda: draft.replace(path))
    else:
        _or_nothing(path, draft.unlink)
    _or_nothing(path, lambda: sync(path.parent))


def _or_nothing(path: Path, step: Callable[[], object]) -> None:
    try:
        step()
    except BaseException:
        path.unlink(missing_ok=True)
        raise
