"""A client for one HTTP service. It enforces these rules, whatever a library or the environment would do:

1 one attempt: no retry, no redirect, no proxy, no cookie; the URL is https or loopback
2 only headers that the protocol needs leave the gateway, and a trace header; the API key is added here
3 a failure to connect (nothing was sent) differs from every later failure (something may have been sent)
4 only a 200 response with the requested media type, not compressed, is read; error texts are never read
5 memory for an answer is bounded by a multiple of the answer's limit

aiohttp carries the bytes, because its parser is C.
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
"""JSON takes up to six bytes for one byte of text. The remainder is for the JSON around the text."""
_KEEP_ALIVE_S = 3.0
"""Seconds. Servers commonly close idle connections after 5 s; a shorter time avoids reusing one that is closing."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9.-]+)|\[(?P<address>[0-9A-Fa-f:]+)\])(?::(?P<port>\d{1,5}))?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)


class Service(Protocol):
    """The configuration of a service."""

    @property
    def base_url(self) -> str | None:
        """https, or http on a loopback address."""

    @property
    def api_key(self) -> Path | None:
        """The file that holds the API key."""

    @property
    def ca(self) -> Path | None:
        """The file of CA certificates to trust instead of the system's."""

    @property
    def connect_ms(self) -> int:
        """The most milliseconds that connecting may take."""


class Egress:
    """A client for one service. It belongs to the event loop of its first call.

    section: the section of the configuration, for errors. default_url: used, with a key, if `settings` names no URL.
    reached: called once a call has a connection, long before the answer. traced: send the service the trace of the
    call, if there is one. Raises StartError.
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
        logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)  # the gateway does its own logging
        url = default_url if settings.base_url is None else settings.base_url
        self.base_url = _checked(url or "", f"{section}.base_url")
        if settings.api_key is None and settings.base_url is None:
            raise StartError(f"{section}.api_key: missing; {default_url} needs a key")
        self._trust = _trust(settings, f"{section}.ca")
        self._own = {"accept-encoding": "identity", "user-agent": "brightline"}
        if key := _key(settings, f"{section}.api_key"):
            self._own["authorization"] = f"Bearer {key}"
        # No other time-outs here: the caller of `post` bounds every call.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=settings.connect_ms / 1000)
        self._limit = answer_bytes * _ESCAPED
        self._reached = reached
        self._traced = traced
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, data: bytes, accept: str, headers: Mapping[str, str]) -> Body:
        """Send the request; return the response body, of which nothing is read yet. Raises GatewayError."""
        headers = {"accept": accept, **headers, **self._own}  # 2
        if self._traced and (traceparent := TRACEPARENT.get()):
            headers["traceparent"] = traceparent
        try:
            response = await self._opened().post(url, data=data, headers=headers, allow_redirects=False)  # 1
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # 3
            message = "the model's service can't be reached"
            raise GatewayError(Reason.UPSTREAM_UNAVAILABLE, message, detail=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - after any other failure something may have been sent
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
    """The body of a response. limit: the bytes that may be held. Close it if it is not read to the end."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int) -> None:
        self._response = response
        self.limit = limit

    async def whole(self) -> bytes:
        """The complete body (5). Raises GatewayError."""
        held, size = [], 0
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > self.limit:
                    raise failed("the answer is over the size limit")
                held.append(piece)
        return b"".join(held)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body in pieces, as they arrive. Raises GatewayError."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except aiohttp.ClientError as error:
            raise failed(type(error).__name__) from None

    def close(self) -> None:
        """Give the connection up, unless the body was read to the end."""
        self._response.close()


def failed(detail: str) -> GatewayError:
    """The GatewayError for UPSTREAM_FAILED. detail: the gateway's own words, never the service's text."""
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
        import httpx2  # noqa: PLC0415 - slow to import, and few deployments use public services

        return httpx2.create_ssl_context(trust_env=False)  # the system's CA certificates; ignores SSL_CERT_FILE
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
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - overrides aiohttp's method
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
