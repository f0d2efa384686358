"""The folder of a gateway's trusted metadata: one refresh at a time, and durable."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway import atomic_files
from gateway.errors import StartError

LOCK: Final = ".lock"
LOCK_WAIT_S: Final = 60.0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else refreshes into this folder meanwhile; what a crash of theirs left half written is removed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > give_up:
                    raise StartError(f"release.metadata: {folder}: another gateway refreshes without end") from error
                time.sleep(0.02)
        for left in folder.glob("tmp*"):
            left.unlink()
        yield
    finally:
        os.close(descriptor)


def durable(folder: Path) -> None:
    """Have the disk keep what was written there. A crash meanwhile leaves old and new files, each whole or missing."""
    for path in (*folder.glob("*.json"), folder / "root_history", *folder.glob("root_history/*.json"), folder):
        atomic_files.sync(path)
