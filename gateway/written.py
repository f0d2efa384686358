"""Files that are made whole or not at all, also where the disk is full. Everything here raises OSError."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file that is not there yet, durable at the end. An error meanwhile removes it, and names it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            # Crash before this: a part of the file, which stops the next try until somebody removes it.
            file.flush()
            os.fsync(descriptor)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
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
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with new(draft, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666) as file:
        file.write(data)
    # Crash before this: a hidden draft, which the next time removes.
    draft.replace(path)
