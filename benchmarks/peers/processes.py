"""The processes of a run. Each has a process group of its own, which ends with the block that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PATIENT_S = 300.0
ENDING_S = 20.0


class NotHereError(Exception):
    """A system can't be measured here; the text says why. The other systems still are."""


@contextmanager
def started(
    command: Sequence[object], log: Path, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A running process. Standard error, and standard output if nobody reads it, go to `log`. Raises NotHereError."""
    try:
        with log.open("wb") as said:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
    except OSError as error:
        raise NotHereError(f"{command[0]} did not start: {error.strerror}") from error
    try:
        yield process
    finally:
        ended(process)


def finished(
    command: Sequence[object],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    within_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its output. Raises NotHereError if it can't start or does not end."""
    words = [str(part) for part in command]
    piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(words, **piped, text=True, cwd=folder, env=environment, start_new_session=True)
    except OSError as error:
        raise NotHereError(f"{words[0]} did not start: {error.strerror}") from error
    with process:
        try:
            output, errors = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            raise NotHereError(f"{Path(words[0]).name} did not end within {within_s} s") from None
        finally:
            if process.returncode is None:
                ended(process)
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def ended(process: subprocess.Popen[str]) -> None:
    """End the process and its group: first SIGTERM, then SIGKILL."""
    if exit_status(process) is None:
        os.killpg(process.pid, signal.SIGTERM)
    end = time.monotonic() + ENDING_S
    while exit_status(process) is None and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)  # also kills what the leader left behind
    process.wait()
    if process.stdin:
        process.stdin.close()


def exit_status(process: subprocess.Popen[str]) -> int | None:
    """The exit status, or None while it runs.

    The process is not reaped, so its id can't be reused before its group is gone.
    """
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found.si_status if found else None


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str], log: Path, within_s: float = PATIENT_S) -> None:
    """Wait until it is ready. Raises NotHereError with the end of its log if it exits or is not ready in time."""
    give_up = time.monotonic() + within_s
    while not ready():
        status = exit_status(process)
        if status is not None:
            raise NotHereError(f"ended with {status} while it started: {last_words(log)}")
        if time.monotonic() > give_up:
            raise NotHereError(f"was not ready after {within_s:.0f} s: {last_words(log)}")
        time.sleep(0.1)


def last_words(log: Path) -> str:
    """The last line of a log with text, shortened for a table."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free at the moment, for programs that can't choose a free one."""
    with ExitStack() as probes:
        held = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in held]
