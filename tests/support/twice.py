"""A service that sends every answer a second time, over the then idle connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

TURNS = 20
"""Turns of the event loop after which data written to a loopback socket has been read on its other side."""


@asynccontextmanager
async def answering_twice(
    answer: Callable[[Any], bytes], media_type: str = "application/json"
) -> AsyncIterator[tuple[str, list[Any]]]:
    """Its base URL, and the requests that it got, as JSON. answer: gives the body for a request."""
    asked: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                asked.append(json.loads(await reader.readexactly(length)))
                body = answer(asked[-1])
                said = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                for _ in range(2):
                    writer.write(said + body)
                    await writer.drain()
                    await turns()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone away, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def turns() -> None:
    """Let all other tasks run."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
