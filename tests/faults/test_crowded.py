"""A gateway where no process and no thread is to be had."""

from __future__ import annotations

import subprocess
import sys


def test_a_process_that_can_not_be_started_leaves_grpc_as_it_is() -> None:
    """Where the system refuses a process, whoever wanted it is told, and calls are answered as before."""
    command = [sys.executable, "-m", "tests.faults.crowded"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "gateway: no process UNIMPLEMENTED\n"), done.stderr
