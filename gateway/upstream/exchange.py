"""One exchange with a model service. It ends by a wall-clock deadline, and every failure becomes one GatewayError."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol

import orjson

from gateway.egress import STREAM, WHOLE, Egress, failed
from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, End, Text, ToolUse
from gateway.upstream.events import Parsed, events, mostly_text


def deadline_at(deadline_s: float) -> float:
    """The event loop's time in `deadline_s` seconds. Raises GatewayError if the deadline has passed already."""
    if not deadline_s > 0:
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the deadline passed before the model was asked")
    return asyncio.get_running_loop().time() + deadline_s


@asynccontextmanager
async def attempt(deadline: float) -> AsyncIterator[None]:
    """Map every failure inside to one GatewayError: a late answer, an invalid one, or a transport error."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        message = "the model did not answer before the deadline"
        raise GatewayError(Reason.DEADLINE_EXCEEDED, message, sent=True) from None
    except Exception as error:  # noqa: BLE001 - any exception that bad data causes means an invalid answer
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
        """The pieces that are complete after this event.

        Raises GatewayError, or any exception for an unexpected shape.
        """

    def end(self) -> End:
        """The end, after the last event. Raises GatewayError if the answer is incomplete."""


class Exchange:
    """The client of one service: JSON in, JSON or server-sent events out. headers: further headers of the protocol."""

    def __init__(self, egress: Egress, path: str, headers: Mapping[str, str] | None = None) -> None:
        self._egress, self._url = egress, egress.base_url.rstrip("/") + path
        self._headers = {"content-type": "application/json", **(headers or {})}

    async def ask(self, fields: Mapping[str, Any]) -> Parsed:
        """The answer of a call that is not streamed. Raises GatewayError, or ValueError for invalid JSON."""
        body = await self._egress.post(self._url, orjson.dumps(fields), WHOLE, self._headers)
        try:
            return json.loads(mostly_text(await body.whole()).decode())  # keeps integers exact for tools
        finally:
            body.close()

    async def stream(self, fields: Mapping[str, Any], reader: Reader, deadline: float) -> AsyncGenerator[Chunk]:
        """The pieces, then the End once the service has closed the stream, so that nothing is left unread.

        Raises GatewayError.
        """
        async with attempt(deadline):
            body = await self._egress.post(self._url, orjson.dumps(fields), STREAM, self._headers)
        try:
            async with aclosing(read_stream(events(body.pieces(), body.limit), reader, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            body.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._egress.close()


async def read_stream(found: AsyncGenerator[Parsed], reader: Reader, deadline: float) -> AsyncGenerator[Chunk]:
    """The pieces of a stream, its End last. found: the events. Raises GatewayError."""
    async with aclosing(found):
        while True:
            async with attempt(deadline):
                try:
                    said = list(reader.read(await anext(found)))
                except StopAsyncIteration:
                    break
            for piece in said:
                yield piece
        async with attempt(deadline):
            end = reader.end()
        yield end
