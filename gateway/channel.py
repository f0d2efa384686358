"""The HTTP side of a service, beneath its SDK: whatever the SDK or the environment would do, these hold.

1 one attempt: no retry, no redirect, no proxy, no cookie, a URL that is https or loopback
2 only the headers that the protocol needs leave the gateway, and that of a trace; the key is added here and the SDK
  never holds it
3 a failure to connect (nothing was sent) is told from every later one (something may have been sent)
4 only 200 with the media type that was asked for, not compressed, is read at all: error texts are never read
5 no more is held in memory than a multiple of the answer's limit

aiohttp carries the bytes: its parser is C, and a call costs a fifth of what the SDKs' own transport takes. What an SDK
gets and gives is JSON: its typed models cost more than the rest of the call, and take anything for an answer.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import httpx2
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from gateway import config
from gateway.errors import GatewayError, Reason, StartError
from gateway.telemetry import TRACEPARENT

WHOLE: Final = {"accept": "application/json"}
STREAM: Final = {"accept": "text/event-stream"}
PLACEHOLDER: Final = "added-by-the-channel"
"""What an SDK gets for a key."""

_PASSED = ("content-type", "accept", "anthropic-version")
_ESCAPED = 8
"""A JSON string takes up to six bytes for one of its text; the rest is for what surrounds it."""
_KEEP_ALIVE_S = 3.0
"""Below what servers commonly keep an idle connection (5 s), so that a call rarely meets one that is just closing."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9.-]+)|\[(?P<address>[0-9A-Fa-f:]+)\])(?::(?P<port>\d{1,5}))?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)
_LINES = 16
"""More than an event of either protocol has."""


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


@dataclass(frozen=True, slots=True)
class Channel:
    """What an SDK is opened with."""

    base_url: str
    http: httpx2.AsyncClient


def open_channel(
    settings: Service,
    section: str,
    default_url: str | None,
    answer_bytes: int,
    reached: Callable[[], None] = lambda: None,
    *,
    traced: bool = False,
) -> Channel:
    """A channel to `base_url`, else to `default_url`, which takes a key. Raises StartError, which names the section.

    reached: called when there is a connection for a call, long before the answer. traced: its service is told of the
    trace that a call belongs to, where there is one.
    """
    # Their loggers print prompts when an environment variable says so; the gateway logs by itself.
    for name in ("anthropic", "openai", "httpx2", "aiohttp"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    base_url = _checked((default_url if settings.base_url is None else settings.base_url) or "", f"{section}.base_url")
    if settings.api_key is None and settings.base_url is None:
        raise StartError(f"{section}.api_key: missing; {default_url} needs a key")
    trust = _trust(settings, f"{section}.ca")
    key = _key(settings, f"{section}.api_key")
    connect_s = settings.connect_ms / 1000
    guard = _Guard(key, trust, connect_s, answer_bytes * _ESCAPED, reached, traced=traced)
    # No time-outs here: who asks ends every call.
    return Channel(base_url, httpx2.AsyncClient(transport=guard, trust_env=False, follow_redirects=False, timeout=None))


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
        return httpx2.create_ssl_context(trust_env=False)  # the system's roots; no SSL_CERT_FILE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    config.trust(context, settings.ca, key)
    return context


def _key(settings: Service, key: str) -> str:
    return "" if settings.api_key is None else config.read_secret(settings.api_key, key)


class _Guard(httpx2.AsyncBaseTransport):
    def __init__(
        self,
        key: str,
        trust: ssl.SSLContext,
        connect_s: float,
        limit: int,
        reached: Callable[[], None],
        *,
        traced: bool,
    ) -> None:
        self._reached = reached
        self._traced = traced
        self._own = {"accept-encoding": "identity", "user-agent": "brightline"}
        if key:
            self._own["authorization"] = f"Bearer {key}"
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_s)
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers} | self._own  # 2
        if self._traced and (traceparent := TRACEPARENT.get()):
            headers["traceparent"] = traceparent
        url = str(request.url)
        try:
            response = await self._opened().post(url, data=request.content, headers=headers, allow_redirects=False)  # 1
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # 3
            message = "the model's service can't be reached"
            raise GatewayError(Reason.UPSTREAM_UNAVAILABLE, message, detail=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - any other: it may have been sent
            raise failed(type(error).__name__) from None
        if problem := _unusable(response, request.headers["accept"]):  # 4
            response.close()
            raise failed(problem)
        stream = _Bounded(response, self._limit, events=request.headers["accept"] == STREAM["accept"])  # 5
        return httpx2.Response(200, headers={"content-type": request.headers["accept"]}, stream=stream)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # it belongs to the event loop of the first call
            self._session = aiohttp.ClientSession(
                connector=_Connector(self._reached, self._trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class _Connector(aiohttp.TCPConnector):
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


async def _bounded(pieces: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise failed("the answer is over the size limit")
        yield piece


async def _events(pieces: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same, cut where an event ends, each line of them ended by LF.

    SDKs copy what they have of an event for each piece and each line of it: a service that never ends one, or makes it
    of very many lines, would keep the gateway busy for hours.
    """
    held, carriage, lines = bytearray(), b"", 0
    async for piece in pieces:
        data = carriage + piece
        carriage = b"\r" if data.endswith(b"\r") else b""  # an LF may follow
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        seen = max(0, len(held) - 1)
        held += data
        lines += data.count(b"\n")
        if len(held) > limit:
            raise failed("the answer is over the size limit")
        whole = b""
        if (end := held.rfind(b"\n\n", seen) + 2) > 1:
            whole = bytes(held[:end])
            del held[:end]
            lines = held.count(b"\n")
        if lines > _LINES or any(event.count(b"\n") > _LINES for event in whole.split(b"\n\n")):
            raise failed("an event of too many lines")
        if whole:
            yield whole
    if held or carriage:
        yield bytes(held) + carriage


class _Bounded(httpx2.AsyncByteStream):
    """The body, until more than `limit` bytes would be held: all of a whole answer, or one event of a stream."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int, *, events: bool) -> None:
        self._response = response
        self._limit = limit
        self._events = events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._response.content.iter_any()
        try:
            async for piece in _events(pieces, self._limit) if self._events else _bounded(pieces, self._limit):
                yield piece
        except aiohttp.ClientError as error:
            raise failed(type(error).__name__) from None

    async def aclose(self) -> None:
        self._response.close()
