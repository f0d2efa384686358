"""The folder of a gateway's trusted metadata: one refresh at a time, written durably."""

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
    """Hold the folder's lock, so that no other gateway refreshes into it, and remove drafts that a crash left."""
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
    """Sync the folder to disk. After a crash each file is old, new or missing, and never partial."""
    for path in (*folder.glob("*.json"), folder / "root_history", *folder.glob("root_history/*.json"), folder):
        atomic_files.sync(path)
