"""Reads files that others wrote. Everything here raises OSError.

Only regular files are read. Opening a pipe blocks until somebody writes, and a device may never end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

MAX_BYTES: Final = 16 << 20
"""The size limit of files that the configuration names, unless a file has a limit of its own."""


def opened(path: Path) -> BinaryIO:
    """Open a regular file to read. It is checked once open, so replacing the path meanwhile has no effect."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Is a directory" if stat.S_ISDIR(mode) else "Is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read(path: Path) -> bytes:
    """The content of a file. Raises OSError if it is longer than MAX_BYTES."""
    with opened(path) as file:
        return bounded(file)


def bounded(file: BinaryIO) -> bytes:
    """The content of an open file. Raises OSError if it is longer than MAX_BYTES."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"Is larger than {MAX_BYTES} bytes")
    return data
