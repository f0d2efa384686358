"""Creates and replaces files completely or not at all, even on a full disk. Everything here raises OSError."""

from __future__ import annotations

import glob
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file that is complete and durable at the end. An error removes it; the OSError names its path."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    try:
        # Crash from here on: an empty file, which fails the next try until somebody removes it, and a hidden draft.
        with _draft_of(path, mode) as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


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
        path.write_bytes(data)
        return
    path = path.resolve()
    with _draft_of(path, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666) as file:
        file.write(data)


def sync(path: Path) -> None:
    """Make the content of this file, or the entries of this folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _draft_of(path: Path, mode: int) -> Iterator[BinaryIO]:
    """A draft that replaces `path` at the end, durably; after an error `path` is unchanged. Drafts have random names:
    another process that writes the same file may delete this draft, but can't put half of it in place.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.draft"):
        left.unlink(missing_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        # Crash before this line: a hidden draft remains, which the next write removes.
        draft.replace(path)
        sync(path.parent)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise
