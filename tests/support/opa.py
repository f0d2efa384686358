"""A real Open Policy Agent server on the loopback interface, stopped by its process id."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.releases import opa

READY_S = 180


def free_port() -> int:
    """A port of the loopback interface that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(paths: Iterable[Path], port: int = 0, *more: str) -> AsyncIterator[str]:
    """The URL of a server that serves the policy and data files in `paths`, ready. port: 0 for a free one.

    more: further options.
    """
    address = f"127.0.0.1:{port or free_port()}"
    options = ["--skip-version-check", "--log-level", "error", "--addr", address, *more]
    process = subprocess.Popen([opa(), "run", "--server", *options, *map(str, paths)], stderr=subprocess.PIPE)  # noqa: ASYNC220 - returns at once
    try:
        await ready(process, f"http://{address}")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.communicate()


async def ready(process: subprocess.Popen[bytes], url: str) -> None:
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
        while True:
            assert process.poll() is None, f"opa ended: {process.communicate()[1]!r}"
            try:
                async with session.get(f"{url}/health") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)  # between two checks of the condition
