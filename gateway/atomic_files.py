"""Files that are made whole or not at all, also where the disk is full. Everything here raises OSError."""

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
    """A file that is not there yet, whole and durable at the end. An error meanwhile removes it, and names it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    try:
        # Crash from here on: an empty file, which stops the next try until somebody removes it, and a hidden draft.
        with _draft_of(path, mode) as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def create(*files: tuple[Path, bytes, int]) -> None:
    """Files that are not there yet, with their modes: all of them or none."""
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
    """A file that may be there already, and stays as it was until all is written. Into what is no file: written."""
    if path.exists() and not path.is_file():  # a terminal, a pipe
        path.write_bytes(data)
        return
    path = path.resolve()
    with _draft_of(path, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666) as file:
        file.write(data)


def sync(path: Path) -> None:
    """Have the disk keep what is in this file, or the names in this folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _draft_of(path: Path, mode: int) -> Iterator[BinaryIO]:
    """What `path` is at the end, whole and durable; as it was after an error. Its own name: who writes the same file
    meanwhile may take the draft away, and never puts half of one in place.
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
        # Crash before this: a hidden draft, which the next time removes.
        draft.replace(path)
        sync(path.parent)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise
