"""A line to an HTTP service: whatever a library or the environment would do, these hold.

1 one attempt: no retry, no redirect, no proxy, no cookie, a URL that is https or loopback
2 only the headers that the protocol needs leave the gateway, and that of a trace; the key is added here
3 a failure to connect (nothing was sent) is told from every later one (something may have been sent)
4 only 200 with the media type that was asked for, not compressed, is read at all: error texts are never read
5 no more is held in memory than a multiple of the answer's limit

aiohttp carries the bytes: its parser is C.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from gateway import config
from gateway.connection_pool import Connector
from gateway.errors import GatewayError, Reason, StartError
from gateway.telemetry import TRACEPARENT

WHOLE: Final = "application/json"
STREAM: Final = "text/event-stream"
"""Media types of an answer."""

_ESCAPED = 8
"""A JSON string takes up to six bytes for one of its text; the rest is for what surrounds it."""
_KEEP_ALIVE_S = 3.0
"""Below what servers commonly keep an idle connection (5 s), so that a call rarely meets one that is just closing."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9.-]+)|\[(?P<address>[0-9A-Fa-f:]+)\])(?::(?P<port>\d{1,5}))?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)


class Service(Protocol):
    """What the configuration says of a service."""

    @property
    def base_url(self) -> str | None:
        """https, or http to a loopback address."""

    @property
    def api_key(self) -> Path | None:
        """The file that holds its key."""

    @property
    def ca(self) -> Path | None:
        """The file of roots that are trusted instead of the system's."""

    @property
    def connect_ms(self) -> int:
        """How long connecting may take."""


class Egress:
    """One service. It belongs to the event loop of the first call.

    section: of the configuration, for what is wrong with it. default_url: where `settings` names none; it takes a key.
    reached: called when there is a connection for a call, long before the answer. traced: its service is told of the
    trace that a call belongs to, where there is one. Raises StartError.
    """

    def __init__(
        self,
        settings: Service,
        section: str,
        default_url: str | None,
        answer_bytes: int,
        reached: Callable[[], None] = lambda: None,
        *,
        traced: bool = False,
    ) -> None:
        logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)  # the gateway logs by itself
        url = default_url if settings.base_url is None else settings.base_url
        self.base_url = _checked(url or "", f"{section}.base_url")
        if settings.api_key is None and settings.base_url is None:
            raise StartError(f"{section}.api_key: missing; {default_url} needs a key")
        self._trust = _trust(settings, f"{section}.ca")
        self._own = {"accept-encoding": "identity", "user-agent": "brightline"}
        if key := _key(settings, f"{section}.api_key"):
            self._own["authorization"] = f"Bearer {key}"
        # No other time-outs here: who asks ends every call.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=settings.connect_ms / 1000)
        self._limit = answer_bytes * _ESCAPED
        self._reached = reached
        self._traced = traced
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, data: bytes, accept: str, headers: Mapping[str, str]) -> Body:
        """The answer, of which nothing is read yet. Raises GatewayError."""
        headers = {"accept": accept, **headers, **self._own}  # 2
        if self._traced and (traceparent := TRACEPARENT.get()):
            headers["traceparent"] = traceparent
        try:
            response = await self._opened().post(url, data=data, headers=headers, allow_redirects=False)  # 1
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # 3
            message = "the model's service can't be reached"
            raise GatewayError(Reason.UPSTREAM_UNAVAILABLE, message, detail=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - any other: it may have been sent
            raise failed(type(error).__name__) from None
        if problem := _unusable(response, accept):  # 4
            response.close()
            raise failed(problem)
        return Body(response, self._limit)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(self._reached, self._trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class Body:
    """The body of an answer. limit: bytes of it that may be held. To be closed by who leaves it early."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int) -> None:
        self._response = response
        self.limit = limit

    async def whole(self) -> bytes:
        """All of it: 5. Raises GatewayError."""
        held, size = [], 0
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > self.limit:
                    raise failed("the answer is over the size limit")
                held.append(piece)
        return b"".join(held)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """As it comes. Raises GatewayError."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except aiohttp.ClientError as error:
            raise failed(type(error).__name__) from None

    def close(self) -> None:
        """Give the connection up, unless all was read."""
        self._response.close()


def failed(detail: str) -> GatewayError:
    """UPSTREAM_FAILED. detail: our own words, never the service's text."""
    message = "the model's service failed or answered something unusable"
    return GatewayError(Reason.UPSTREAM_FAILED, message, detail=detail, sent=True)


def _checked(url: str, key: str) -> str:  # 1
    parts = _URL.fullmatch(url)
    if parts is None or int(parts["port"] or 0) > 65535:
        raise StartError(f"{key}: must be a plain URL of scheme, host, port and path, such as https://host:8443/v1")
    if parts["scheme"] == "http" and not config.is_loopback(parts["name"] or parts["address"]):
        raise StartError(f"{key}: use https; http is for loopback addresses such as http://127.0.0.1:8000 only")
    return url


def _trust(settings: Service, key: str) -> ssl.SSLContext:
    if settings.ca is None:
        import httpx2  # noqa: PLC0415 - it takes time to import, and few ask services of the public

        return httpx2.create_ssl_context(trust_env=False)  # the system's roots; no SSL_CERT_FILE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    config.trust(context, settings.ca, key)
    return context


def _key(settings: Service, key: str) -> str:
    return "" if settings.api_key is None else config.read_secret(settings.api_key, key)


class _Connector(Connector):
    def __init__(self, reached: Callable[[], None], trust: ssl.SSLContext) -> None:
        super().__init__(ssl=trust, limit=0, keepalive_timeout=_KEEP_ALIVE_S)
        self._reached = reached

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - it is aiohttp's method
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        self._reached()
        return connection


def _unusable(response: aiohttp.ClientResponse, accepted: str) -> str:
    if response.status != 200:
        return f"status {response.status}"
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != accepted:
        return f"the answer is not {accepted}"
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return "the answer is compressed"
    return ""
