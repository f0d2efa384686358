"""Keeps HTTP connections for later requests, unless data arrived on them that nobody asked for."""

from __future__ import annotations

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Connector(aiohttp.TCPConnector):
    """A connector that drops kept connections with unread data, which aiohttp's own (3.14.5) would reuse. A second
    response to one request would then answer the next request, perhaps another caller's, before it was even sent.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None
