"""Starts the process that keeps the index (indexing), once a log is long enough to need one, and again if it ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from brightline_verify.stored import Source

NEEDED: Final = 1000
"""Records that a search looks through at once without an index: no process is started for fewer."""
TICK_S: Final = 0.5
_AGAIN_S: Final = 5.0
_PATIENCE_S: Final = 5.0

log = structlog.get_logger()


@asynccontextmanager
async def following(source: Source, index: Path, size: Callable[[], int]) -> AsyncIterator[None]:
    """While it is entered, the log has an index. size: how many records there are."""
    watching = asyncio.create_task(_watch(source, index, size))
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(source: Source, index: Path, size: Callable[[], int]) -> None:
    while size() < NEEDED:  # noqa: ASYNC110 - nobody tells how long a log is
        await asyncio.sleep(TICK_S)
    while True:
        await _one(source, index)
        await asyncio.sleep(_AGAIN_S)


async def _one(source: Source, index: Path) -> None:
    """One process, until it ends."""
    program = [sys.executable, "-m", "gateway.audit.indexing", str(index)]
    try:
        process = subprocess.Popen(program, stdin=subprocess.PIPE)  # noqa: S603, ASYNC220 - ours; it returns at once
        told = base64.b64encode(pickle.dumps(source)) + b"\n"  # not as an argument, which everybody can read
        with contextlib.suppress(BrokenPipeError):
            os.write(process.stdin.fileno() if process.stdin else -1, told)
    except OSError as error:
        log.warning("audit index not started", detail=str(error))
        return
    try:
        while process.poll() is None:  # noqa: ASYNC110 - nor when a process ends, without a thread for each
            await asyncio.sleep(TICK_S)
        log.warning("audit index ended", code=process.returncode)
    finally:
        await asyncio.shield(asyncio.to_thread(_end, process))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()  # which ends it
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
