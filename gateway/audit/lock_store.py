"""Where the latest checkpoint of a log is kept a second time, out of reach of whoever puts back an older log.

A lock store reads and replaces one note for each log. This one is a folder on another volume. It is never made: the
folder of a volume that is not mounted is missing or empty, and neither is taken for a log that just begins.
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
        """The note, None when there never was one. Raises OSError."""
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        return self._file.read()

    def write(self, note: bytes) -> None:
        """Put the note there, durably, in the place of an older one. Raises OSError."""
        self._file.write(note)

    @property
    def _file(self) -> disk.Whole:
        return disk.Whole(self.folder / f"{quote(self.origin, safe='')}.checkpoint")

    def __str__(self) -> str:
        return f"the lock store {self._file}"
