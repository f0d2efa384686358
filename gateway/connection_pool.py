"""Connections to HTTP services that are kept for the next question, as long as nothing came that nobody asked for."""

from __future__ import annotations

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace


class Connector(aiohttp.TCPConnector):
    """aiohttp's own (3.14.5) takes a kept connection whatever came on it since. A second answer to one question would
    be the answer to the next one, which may be another caller's, and would not even be sent.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None
