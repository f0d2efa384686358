"""One exchange with a model's service: it ends at the deadline, in wall time, and every failure is one GatewayError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias

import orjson

from gateway.errors import GatewayError, Reason
from gateway.link import STREAM, WHOLE, Link, failed
from gateway.types import Chunk, End, Text, ToolUse

Parsed: TypeAlias = Any
"""JSON from a service: anything at all. A reader that meets an odd shape may raise what it likes: attempt() maps it."""


_LINES: Final = 16
"""More than an event of either protocol has."""


def deadline_at(deadline_s: float) -> float:
    """The event loop's time at which `deadline_s` seconds are over. Raises GatewayError when they are over already."""
    if not deadline_s > 0:
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the deadline passed before the model was asked")
    return asyncio.get_running_loop().time() + deadline_s


@asynccontextmanager
async def attempt(deadline: float) -> AsyncIterator[None]:
    """Whatever goes wrong inside is one GatewayError: a late answer, an unusable one, or what the line raised."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        message = "the model did not answer before the deadline"
        raise GatewayError(Reason.DEADLINE_EXCEEDED, message, sent=True) from None
    except Exception as error:  # noqa: BLE001 - whatever garbage leads to, it is an unusable answer
        raise _meaning(error) from None


def _meaning(error: Exception) -> GatewayError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GatewayError):
            return cause
        cause = cause.__cause__
    return failed(type(error).__name__)


class Reader(Protocol):
    """Turns events into pieces of an answer."""

    def read(self, event: Parsed) -> Iterable[Text | ToolUse]:
        """The pieces that are whole after this event. Raises GatewayError, or anything for an odd shape."""

    def end(self) -> End:
        """The end, after the last event. Raises GatewayError when the answer is not complete."""


class Exchange:
    """What speaks to one service: JSON in, JSON or server-sent events out. headers: what its protocol needs besides."""

    def __init__(self, link: Link, path: str, headers: Mapping[str, str] | None = None) -> None:
        self._link, self._url = link, link.base_url.rstrip("/") + path
        self._headers = {"content-type": "application/json", **(headers or {})}

    async def ask(self, fields: Mapping[str, Any]) -> Parsed:
        """The answer of a call that is not streamed. Raises GatewayError, or ValueError for what is no JSON."""
        body = await self._link.post(self._url, orjson.dumps(fields), WHOLE, self._headers)
        try:
            return orjson.loads(await body.whole())
        finally:
            body.close()

    async def stream(self, fields: Mapping[str, Any], reader: Reader, deadline: float) -> AsyncGenerator[Chunk]:
        """The pieces, then the End when the service has closed the stream: only then is nothing left unread.

        Raises GatewayError.
        """
        async with attempt(deadline):
            body = await self._link.post(self._url, orjson.dumps(fields), STREAM, self._headers)
        try:
            async with aclosing(read_stream(body.events(), reader, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            body.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()


async def read_stream(pieces: AsyncGenerator[bytes], reader: Reader, deadline: float) -> AsyncGenerator[Chunk]:
    """What a stream says, its End last. pieces: as `gateway.link.Body.events` gives them. Raises GatewayError."""
    async with aclosing(pieces), aclosing(_data(pieces)) as events:
        while True:
            async with attempt(deadline):
                try:
                    found = list(reader.read(await anext(events)))
                except StopAsyncIteration:
                    break
            for piece in found:
                yield piece
        async with attempt(deadline):
            end = reader.end()
        yield end


async def _data(pieces: AsyncIterable[bytes]) -> AsyncGenerator[Parsed]:
    """The data of each event, as JSON. Server-sent events are those of the WHATWG's HTML standard, section 9.2.

    An event that its blank line does not end is none. After the marker that ends a stream the rest is read, and says
    nothing. Raises GatewayError for an event that is an error.
    """
    done = False
    async for piece in pieces:
        for event in piece.split(b"\n\n")[:-1]:
            if event.count(b"\n") > _LINES:  # each takes time, and all other calls wait
                raise failed("an event of too many lines")
            name, data = _fields(event)
            done = done or data.startswith(b"[DONE]")
            if done or name == b"ping" or not data:
                continue
            if name == b"error":
                raise failed("an error event")
            yield orjson.loads(data)


def _fields(event: bytes) -> tuple[bytes, bytes]:
    """The name of an event, and its data."""
    name, data = b"", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)
