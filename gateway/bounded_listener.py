"""Serves a port with few connections at a time, each for a short time.

Peers of such a port are not authenticated yet, and their connections use file descriptors that the log needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

CONNECTIONS: Final = 16
"""The most connections at once. One more ends the oldest, so that idle connections can't keep others out."""
LONGEST_S: Final = 10.0
"""The most seconds that a connection lasts, handshake included: as long as Prometheus waits."""
_AGAIN_S: Final = 1.0
"""Seconds until the next try after the system could not accept a connection, for example for lack of descriptors."""


async def taken(listener: socket.socket, make: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> None:
    """Accept connections until cancelled, and give each to a protocol from `make`. CONNECTIONS and LONGEST_S apply."""
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
    """Delegates everything to `inner`, and sets `over` when the connection is over."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.over = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._inner = inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self.over.set()

    def close(self) -> None:
        """Abort the connection, if there is one. Unsent data is lost."""
        if self._transport is not None:
            self._transport.abort()
