"""How far a log has been sent, in a durable file. One process uses it at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.audit import disk
from gateway.errors import StartError

MOST: Final = (1 << 63) - 1
"""An upper bound on the records of a log: its database can count no further."""


@dataclass(slots=True)
class Cursor:
    """The record to send next, and the digest of the one before it, which reveals a log that was rolled back."""

    path: Path
    origin: str
    next: int = 0
    before: str = ""

    @classmethod
    def load(cls, path: Path, origin: str, first: int = 0) -> Cursor:
        """The cursor in the file, or one that begins with `first` if there is no file. Raises StartError."""
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return cls(path, origin, first)
        except OSError as error:
            raise StartError(f"--cursor: {path}: cannot be read: {error.strerror}") from error
        try:
            match json.loads(text):
                case {"origin": str(of), "next": int(at), "before": str(before)} if 0 <= at <= MOST:
                    if of != origin:
                        raise StartError(f"--cursor: {path}: is of the log {of}, not of {origin}")
                    return cls(path, origin, at, before)
        except (ValueError, RecursionError):
            pass
        raise StartError(f"--cursor: {path}: is no cursor; it holds origin, next and before as JSON")

    def past(self, index: int, leaf: bytes) -> None:
        """Move the cursor past a record that was sent. Raises OSError."""
        self.next, self.before = index + 1, hashlib.sha256(leaf).hexdigest()

    def save(self) -> None:
        """Save it durably. Raises OSError."""
        text = json.dumps({"origin": self.origin, "next": self.next, "before": self.before})
        # A crash before the save: records sent since the last save are sent again.
        disk.replace(self.path, text.encode() + b"\n")

    def fits(self, leaf: bytes | None) -> None:
        """Check the record before the next one. Raises StartError if the log is not the one that was sent."""
        if self.before and (leaf is None or hashlib.sha256(leaf).hexdigest() != self.before):
            raise StartError(
                f"--cursor: {self.path}: record {self.next - 1} was sent, and the log has another or none there: it "
                "was set back; verify it, and remove the cursor to send it from the beginning"
            )
