"""A log with a lock store in a process that is to be killed, when a file is replaced for the nth time.

Arguments: the folder of the log, which replacement, counted from 1 over all files, and 1 for after it, 0 for before.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

from gateway.audit import disk
from tests.support import logs
from tests.unit.audit.test_lock_store import opened

folder, which, after = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"
passages = itertools.count(1)
real = disk.replace


def replace(path: Path, data: bytes) -> None:
    """Replace the file, or die."""
    last = next(passages) == which
    if after or not last:
        real(path, data)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)


disk.replace = replace
store = opened(folder)
for _ in range(2):
    store.append(logs.entries(3, first=store.frontier.size))
    store.checkpoint()
store.close()
