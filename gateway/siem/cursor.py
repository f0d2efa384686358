"""How far a log was sent, in a file that survives. One process uses it at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.audit import disk
from gateway.errors import StartError

MOST: Final = (1 << 63) - 1
"""No log has more records: that is what its database can count."""


@dataclass(slots=True)
class Cursor:
    """The record to send next, and the digest of the one before it: a log that was set back is noticed."""

    path: Path
    origin: str
    next: int = 0
    before: str = ""

    @classmethod
    def load(cls, path: Path, origin: str, first: int = 0) -> Cursor:
        """The cursor in the file, or one that begins with `first` where there is no file. Raises StartError."""
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
        """The record was sent. Raises OSError."""
        self.next, self.before = index + 1, hashlib.sha256(leaf).hexdigest()

    def save(self) -> None:
        """Make it durable. Raises OSError."""
        text = json.dumps({"origin": self.origin, "next": self.next, "before": self.before})
        # Crash before it is there: what was sent since the last time is sent again.
        disk.replace(self.path, text.encode() + b"\n")

    def fits(self, leaf: bytes | None) -> None:
        """Check the record before the next one. Raises StartError when the log is not the one that was sent."""
        if self.before and (leaf is None or hashlib.sha256(leaf).hexdigest() != self.before):
            raise StartError(
                f"--cursor: {self.path}: record {self.next - 1} was sent, and the log has another or none there: it "
                "was set back; verify it, and remove the cursor to send it from the beginning"
            )
