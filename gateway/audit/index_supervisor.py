"""Runs the indexing process once a log is long enough to need an index, and restarts it if it ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from brightline_verify.report import UnreadableError
from gateway.audit.index import Held

NEEDED: Final = 1000
"""A search quickly scans this many records without an index. No process is started for fewer."""
TICK_S: Final = 0.5
SEVERAL: Final = 2
PROGRAM: Final = (sys.executable, "-P", "-m", "gateway.audit.indexing")
_AGAIN_S: Final = 5.0
_LOOK_EVERY: Final = 60
"""Ticks between looks for logs of new gateways."""
_PATIENCE_S: Final = 5.0

log = structlog.get_logger()


@asynccontextmanager
async def following(logs: Callable[[], Sequence[Held]], size: Callable[[], int]) -> AsyncIterator[None]:
    """Keep indexes of these logs within the context. size: how many records the gateway's own log has."""
    watching = asyncio.create_task(_watch(logs, size))
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(logs: Callable[[], Sequence[Held]], size: Callable[[], int]) -> None:
    ticks = 0
    while size() < NEEDED and (ticks % _LOOK_EVERY or len(await _there(logs)) < SEVERAL):
        await asyncio.sleep(TICK_S)
        ticks += 1
    while True:
        if there := await _there(logs):
            await _one(there, logs)
        await asyncio.sleep(_AGAIN_S)


async def _there(logs: Callable[[], Sequence[Held]]) -> Sequence[Held]:
    """The current logs; none if they can't be listed."""
    try:
        return await asyncio.to_thread(logs)
    except (UnreadableError, RuntimeError) as error:  # RuntimeError: no thread is available now
        log.warning("audit index waits", detail=str(error))
        return []


async def _one(there: Sequence[Held], logs: Callable[[], Sequence[Held]]) -> None:
    """Run one process until it ends or the list of logs changes."""
    try:
        process = subprocess.Popen(PROGRAM, stdin=subprocess.PIPE)  # noqa: S603, ASYNC220 - ours; returns at once
        told = base64.b64encode(pickle.dumps(list(there))) + b"\n"  # not as an argument, which other users can read
        with contextlib.suppress(BrokenPipeError):
            os.write(process.stdin.fileno() if process.stdin else -1, told)
    except OSError as error:
        log.warning("audit index not started", detail=str(error))
        return
    ticks = 0
    try:
        while process.poll() is None:
            await asyncio.sleep(TICK_S)
            ticks += 1
            if ticks % _LOOK_EVERY == 0 and (now := await _there(logs)) and list(now) != list(there):
                return
        log.warning("audit index ended", code=process.returncode)
    finally:
        await asyncio.shield(asyncio.to_thread(_end, process))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()  # this ends the process
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
