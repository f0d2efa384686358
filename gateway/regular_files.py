"""Reads files that somebody else put there. Everything here raises OSError.

A pipe in the place of a file keeps who opens it until somebody writes, and a device never ends: neither is read.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

MAX_BYTES: Final = 16 << 20
"""The most that a file holds which the configuration names, and which has no bound of its own."""


def opened(path: Path) -> BinaryIO:
    """The file, to be read. Looked at once it is open: what is put in its place meanwhile changes nothing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Is a directory" if stat.S_ISDIR(mode) else "Is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read(path: Path) -> bytes:
    """All of a file that holds no more than MAX_BYTES."""
    with opened(path) as file:
        return bounded(file)


def bounded(file: BinaryIO) -> bytes:
    """All of an open file that holds no more than MAX_BYTES."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"Is larger than {MAX_BYTES} bytes")
    return data
