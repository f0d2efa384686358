"""A port with few connections at once, for a moment each.

Who reaches such a port has shown nothing yet, and the files that its connections take are those of the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

CONNECTIONS: Final = 16
"""How many there are at once: of one more the oldest ends, so that who only holds some keeps nobody out."""
LONGEST_S: Final = 10.0
"""How long a connection lasts at most, from before a word is said: as long as Prometheus waits."""
_AGAIN_S: Final = 1.0
"""After how long it is tried again, where the system has no file for a connection."""


async def taken(listener: socket.socket, make: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> None:
    """Take connections until cancelled, and give each to a protocol of `make`: CONNECTIONS at once, LONGEST_S each."""
    there: dict[asyncio.Task[None], None] = {}
    try:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:
                await asyncio.sleep(_AGAIN_S)
                continue
            if len(there) >= CONNECTIONS:
                oldest = next(iter(there))
                del there[oldest]
                oldest.cancel()
            task = asyncio.create_task(_serve(connection, _Protocol(make()), context))
            there[task] = None
            task.add_done_callback(lambda done: there.pop(done, None))
    finally:
        for task in there:
            task.cancel()


async def _serve(connection: socket.socket, protocol: _Protocol, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    try:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LONGEST_S):
                await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
                await protocol.over.wait()
    finally:
        protocol.close()
        connection.close()


class _Protocol(asyncio.Protocol):
    """Hands all on to `inner`, and says when the connection is over."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.over = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._inner = inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being of its class
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self.over.set()

    def close(self) -> None:
        """End the connection, if there is one, whatever was not sent yet."""
        if self._transport is not None:
            self._transport.abort()
