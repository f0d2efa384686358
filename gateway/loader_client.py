"""Has a separate process load a release (loader.py), and takes over the result.

The gateway trusts the result for three reasons. The process runs the gateway's own program with the same interpreter.
It makes the same checks of the same files as a start does. The gateway starts it for one answer, and nobody else holds
the pipe. Its time and the size of its answer are bounded. If it dies, hangs or sends garbage, there is no new release,
and the release in force stays. The process ends when the gateway dies.
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
"""Generous, because the process has a lower priority on a perhaps busy machine, and fetches every file."""
PROGRAM: Final = (sys.executable, "-P", "-m", "gateway.loader")
_PIECE: Final = 1 << 20


async def load(config: Config, before: InForce) -> CompiledRelease | Same:
    """The release at the source now; tested if a Wasm module decides. before: what is in force. Raises StartError."""
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
    """A process that loads a release. Call `answer` in a thread; `end` may be called from anywhere."""

    def __init__(self, order: bytes) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def answer(self) -> CompiledRelease | Same | Refused:
        """Start the process, and wait for its answer and its end. Blocks; raises StartError."""
        try:
            # Not forked and not from a pool, so that it holds nothing of the gateway's memory.
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
        """Kill the process if it has not ended."""
        self._over = True
        if self._process is not None:
            self._process.kill()

    def _said(self, process: subprocess.Popen[bytes]) -> bytes:
        give_up = time.monotonic() + PATIENCE_S
        if self._over or process.stdin is None or process.stdout is None:
            raise StartError("release: the gateway ends")
        with contextlib.suppress(BrokenPipeError):  # the process died; its status is reported below
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
