"""A lock store: a second place for a log's latest checkpoint, out of reach of anyone who restores an older log.

A lock store reads and replaces one note per log. This one is a folder on another volume. The gateway never creates the
folder: on a volume that is not mounted it would be missing or empty, which must not pass for a new log.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.audit import disk


@dataclass(frozen=True, slots=True)
class Folder:
    """The lock store of the log `origin` in a folder."""

    folder: Path
    origin: str

    def read(self) -> bytes | None:
        """The note; None if there never was one. Raises OSError."""
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        return self._file.read()

    def write(self, note: bytes) -> None:
        """Replace the note durably. Raises OSError."""
        self._file.write(note)

    @property
    def _file(self) -> disk.Whole:
        return disk.Whole(self.folder / f"{quote(self.origin, safe='')}.checkpoint")

    def __str__(self) -> str:
        return f"the lock store {self._file}"
