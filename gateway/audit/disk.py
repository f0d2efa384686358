"""Two services of the file system for the log: locks that admit one writer, and files that are replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import atomic_files, regular_files
from gateway.errors import StartError


def lock(path: Path) -> int:
    """Lock the file at `path` until the returned descriptor is closed or the process ends, however it ends.

    Raises StartError if another process holds the lock.
    """
    try:
        return hold(path)
    except BlockingIOError as error:
        raise StartError(f"audit.path: {path}: another process writes this log") from error
    except OSError as error:
        raise StartError(f"audit.path: {path}: cannot be opened: {error.strerror}") from error


def hold(path: Path) -> int:
    """As `lock`. Raises OSError, and BlockingIOError if another process holds the lock."""
    return _locked(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _locked(descriptor: int) -> int:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def held(path: Path, *, folder: bool = False) -> Iterator[None]:
    """Hold a lock on the file at `path`, or on an existing folder, within the context. Raises as `hold` does."""
    descriptor = _locked(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) if folder else hold(path)
    try:
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """Replace the content of the file at `path` atomically and durably. Raises OSError."""
    temporary = path.with_name(path.name + ".tmp")
    with atomic_files.told_of(path, temporary):
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Crash before this: the old file, and a draft that the next call overwrites. Crash after it: old or new, whole.
        temporary.replace(path)
        atomic_files.sync(path.parent)


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that is read and replaced as a whole."""

    path: Path

    def read(self) -> bytes | None:
        """The content; None if there is no file. Raises OSError."""
        try:
            return regular_files.read(self.path)
        except FileNotFoundError:
            return None

    def write(self, data: bytes) -> None:
        """Replace the content durably. Raises OSError."""
        replace(self.path, data)

    def __str__(self) -> str:
        return str(self.path)
