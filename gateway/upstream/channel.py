"""The HTTP side of a model's service, beneath its SDK: whatever the SDK or the environment would do, these hold.

1 one attempt: no retry, no redirect, no proxy, no cookie, a URL that is https or loopback
2 only the headers that the protocol needs leave the gateway; the key is added here and the SDK never holds it
3 a failure to connect (nothing was sent) is told from every later one (something may have been sent)
4 only 200 with the media type that was asked for, not compressed, is read at all: error texts are never read
5 no more is held in memory than a multiple of the answer's limit
6 it ends at the deadline, in wall time
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx2

from gateway import config
from gateway.errors import GatewayError, Reason, StartError
from gateway.types import Chunk, End, Text, ToolUse
from gateway.upstream.answer import failed

Event_co = TypeVar("Event_co", covariant=True)
Event_contra = TypeVar("Event_contra", contravariant=True)
Event = TypeVar("Event")

WHOLE = "application/json"
STREAM = "text/event-stream"
PLACEHOLDER = "added-by-the-channel"
"""What an SDK gets for a key."""

_PASSED = ("host", "content-type", "content-length", "accept", "anthropic-version")
_ESCAPED = 8
"""A JSON string takes up to six bytes for one of its text; the rest is for what surrounds it."""
_KEEP_ALIVE_S = 3.0
"""Below what servers commonly keep an idle connection (5 s), so that a call rarely meets one that is just closing."""
_EVENT_END = re.compile(rb"\r\r|\n\n|\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Channel:
    """What an SDK is opened with."""

    base_url: str
    http: httpx2.AsyncClient


def open_channel(settings: config.Upstream, default_url: str, answer_bytes: int) -> Channel:
    """A channel to `base_url`, else `default_url`, which takes a key. Raises StartError."""
    # Their loggers print prompts when an environment variable says so; the gateway logs by itself.
    for name in ("anthropic", "openai", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    base_url = _checked(settings.base_url or default_url, f"upstreams.{settings.name}.base_url")
    if settings.api_key is None and settings.base_url is None:
        raise StartError(f"upstreams.{settings.name}.api_key: missing; {default_url} needs a key")
    inner = httpx2.AsyncHTTPTransport(
        verify=_trust(settings),
        trust_env=False,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=_KEEP_ALIVE_S),
    )
    http = httpx2.AsyncClient(
        transport=_Guard(inner, _key(settings), answer_bytes * _ESCAPED),
        timeout=httpx2.Timeout(None, connect=settings.connect_ms / 1000),
        trust_env=False,
        follow_redirects=False,
    )
    return Channel(base_url, http)


def _checked(url: str, key: str) -> str:  # 1
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise StartError(f"{key}: not a URL: {error}") from None
    if parsed.userinfo or parsed.query or parsed.fragment or not parsed.host:
        raise StartError(f"{key}: a URL with a host, and without user, query and fragment")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _is_loopback(parsed.host)):
        raise StartError(f"{key}: use https; http is for loopback addresses such as http://127.0.0.1:8000 only")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(settings: config.Upstream) -> ssl.SSLContext:
    if settings.ca is None:
        return httpx2.create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pem = config.read_public(settings.ca, f"upstreams.{settings.name}.ca")
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise StartError(f"upstreams.{settings.name}.ca: {settings.ca} holds no PEM certificates") from None
    return context


def _key(settings: config.Upstream) -> str:
    if settings.api_key is None:
        return ""
    where = f"upstreams.{settings.name}.api_key"
    key = config.read_private(settings.api_key, where).strip()
    if not re.fullmatch(rb"[!-~]+", key):
        raise StartError(f"{where}: {settings.api_key} must hold one key of printable ASCII and nothing else")
    return key.decode("ascii")


class _Guard(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, key: str, limit: int) -> None:
        self._inner = inner
        self._limit = limit
        self._own = {"accept-encoding": "identity", "user-agent": "brightline"}
        if key:
            self._own["authorization"] = f"Bearer {key}"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers} | self._own  # 2
        # A new request: the SDK keeps the old one, without the key, in its errors.
        outgoing = httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        try:
            response = await self._inner.handle_async_request(outgoing)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:  # 3
            message = "the model's service can't be reached"
            raise GatewayError(Reason.UPSTREAM_UNAVAILABLE, message, detail=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - any other: it may have been sent
            raise failed(type(error).__name__) from None
        if problem := _unusable(response, request.headers["accept"]):  # 4
            await response.aclose()
            raise failed(problem)
        stream = _Bounded(response, self._limit, events=request.headers["accept"] == STREAM)  # 5
        return httpx2.Response(200, headers=response.headers, stream=stream, extensions=response.extensions)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _unusable(response: httpx2.Response, accepted: str) -> str:
    if response.status_code != 200:
        return f"status {response.status_code}"
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != accepted:
        return f"the answer is not {accepted}"
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return "the answer is compressed"
    return ""


class _Bounded(httpx2.AsyncByteStream):
    """The body, until more than `limit` bytes would be held: all of a whole answer, or one event of a stream."""

    def __init__(self, response: httpx2.Response, limit: int, *, events: bool) -> None:
        self._response = response
        self._limit = limit
        self._events = events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = 0
        try:
            async for piece in self._response.aiter_raw():
                held = len(piece) if self._events and _EVENT_END.search(piece) else held + len(piece)
                if held > self._limit:
                    raise failed("the answer is over the size limit")
                yield piece
        except httpx2.HTTPError as error:
            raise failed(type(error).__name__) from None

    async def aclose(self) -> None:
        await self._response.aclose()


def deadline_at(deadline_s: float) -> float:
    """The event loop's time at which `deadline_s` seconds are over. Raises GatewayError when they are over already."""
    if not deadline_s > 0:
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the deadline passed before the model was asked")
    return asyncio.get_running_loop().time() + deadline_s


@asynccontextmanager
async def attempt(deadline: float) -> AsyncIterator[None]:
    """Whatever goes wrong inside is one GatewayError: a late answer, an unusable one, or what the channel raised."""
    try:
        async with asyncio.timeout_at(deadline):  # 6
            yield
    except TimeoutError:
        message = "the model did not answer before the deadline"
        raise GatewayError(Reason.DEADLINE_EXCEEDED, message, sent=True) from None
    except Exception as error:  # noqa: BLE001 - whatever an SDK makes of garbage is an unusable answer
        raise _meaning(error) from None


def _meaning(error: Exception) -> GatewayError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GatewayError):
            return cause
        cause = cause.__cause__
    return failed(type(error).__name__)


class Events(Protocol[Event_co]):
    """A stream of an SDK."""

    async def __anext__(self) -> Event_co: ...

    async def close(self) -> None:
        """Give the connection back."""


class Reader(Protocol[Event_contra]):
    """Turns an SDK's events into pieces of an answer. Both methods raise GatewayError."""

    def read(self, event: Event_contra) -> Iterable[Text | ToolUse]:
        """The pieces that are whole after this event."""

    def end(self) -> End:
        """The end, after the last event. Raises when the answer is not complete."""


async def read_stream(
    opening: Awaitable[Events[Event]], reader: Reader[Event], deadline: float
) -> AsyncGenerator[Chunk]:
    """The pieces, then the End when the service has closed the stream: only then is nothing left unread."""
    async with attempt(deadline):
        events = await opening
    try:
        while True:
            async with attempt(deadline):
                try:
                    pieces = list(reader.read(await events.__anext__()))
                except StopAsyncIteration:
                    break
            for piece in pieces:
                yield piece
        yield reader.end()
    finally:
        await events.close()
