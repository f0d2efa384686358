"""Has a release loaded by a process of its own (loader.py), and takes from it what the gateway needs.

Why it is believed: it is the gateway's own program, run by the same interpreter, which makes the same checks of the
same files as a start does; it is started here, for one answer, and nobody else holds the pipe that this comes through.
How long it may take and how much it may say is bounded. It may die, hang or talk nonsense at any moment: then there is
no release, and what is in force stays. When the gateway dies, it ends, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from typing import Final

from gateway.compiled_release import LONGEST, CompiledRelease, GarbageError, Refused, Same, parse
from gateway.config import Config
from gateway.errors import StartError
from gateway.inforce import InForce

PATIENCE_S: Final = 600.0
"""It has a lower priority on what may be a busy machine, and fetches every file of the release."""
PROGRAM: Final = (sys.executable, "-P", "-m", "gateway.loader")
_PIECE: Final = 1 << 20


async def load(config: Config, before: InForce) -> CompiledRelease | Same:
    """What is there now, whole, tested where a module decides. before: what is in force. Raises StartError."""
    order = {
        "config": config.model_dump_json(exclude_unset=True),
        "digest": before.release.digest,
        "state": before.state,
    }
    process = _Process(json.dumps(order).encode() + b"\n")
    try:
        answer = await asyncio.to_thread(process.answer)
    finally:
        process.end()
    if isinstance(answer, Refused):
        raise StartError(answer.why or f"release: it could not be loaded: {answer.failed}")
    return answer


class _Process:
    """A process that loads a release: `answer` in a thread, `end` from anywhere."""

    def __init__(self, order: bytes) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def answer(self) -> CompiledRelease | Same | Refused:
        """Start it, and wait for its answer and its end. Blocks; raises StartError."""
        try:
            # Not forked from here and not one of a pool: nothing of the gateway's memory is in it.
            with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:  # noqa: S603 - ours
                self._process = process
                try:
                    return parse(self._said(process))
                finally:
                    process.kill()
        except OSError as error:
            raise StartError(f"release: the process that loads it can't be started: {error.strerror}") from error
        except GarbageError as error:
            raise StartError(f"release: the process that loads it said what is no answer: {error}") from error

    def end(self) -> None:
        """Kill it, if it has not ended."""
        self._over = True
        if self._process is not None:
            self._process.kill()

    def _said(self, process: subprocess.Popen[bytes]) -> bytes:
        give_up = time.monotonic() + PATIENCE_S
        if self._over or process.stdin is None or process.stdout is None:
            raise StartError("release: the gateway ends")
        with contextlib.suppress(BrokenPipeError):  # it has died; how, is told below
            process.stdin.write(self._order)
        pieces, left, output = [], LONGEST, process.stdout.fileno()
        readable = select.poll()
        readable.register(output, select.POLLIN)
        while readable.poll(max(0.0, give_up - time.monotonic()) * 1000):
            piece = os.read(output, _PIECE)
            left -= len(piece)
            if left < 0:
                raise StartError(f"release: the process that loads it says more than {LONGEST} bytes")
            if not piece:
                break
            pieces.append(piece)
        try:
            status = process.wait(max(0.0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise StartError(f"release: it was not loaded within {PATIENCE_S:.0f} s") from error
        if status != 0:
            raise StartError(f"release: the process that loads it ended with {status}")
        return b"".join(pieces)
