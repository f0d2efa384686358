"""One exchange with a model's service: it ends at the deadline, in wall time, and every failure is one GatewayError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias

from gateway.channel import failed
from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, End, Text, ToolUse

Parsed: TypeAlias = Any
"""JSON from a service: anything at all. A reader that meets an odd shape may raise what it likes: attempt() maps it."""


def deadline_at(deadline_s: float) -> float:
    """The event loop's time at which `deadline_s` seconds are over. Raises GatewayError when they are over already."""
    if not deadline_s > 0:
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the deadline passed before the model was asked")
    return asyncio.get_running_loop().time() + deadline_s


@asynccontextmanager
async def attempt(deadline: float) -> AsyncIterator[None]:
    """Whatever goes wrong inside is one GatewayError: a late answer, an unusable one, or what the channel raised."""
    try:
        async with asyncio.timeout_at(deadline):
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


class Events(Protocol):
    """A stream of an SDK."""

    async def __anext__(self) -> Parsed:
        """The data of the next event."""

    async def close(self) -> None:
        """Give the connection back."""


class Reader(Protocol):
    """Turns events into pieces of an answer."""

    def read(self, event: Parsed) -> Iterable[Text | ToolUse]:
        """The pieces that are whole after this event. Raises GatewayError, or anything for an odd shape."""

    def end(self) -> End:
        """The end, after the last event. Raises GatewayError when the answer is not complete."""


async def read_stream(ask: Callable[[], Awaitable[Events]], reader: Reader, deadline: float) -> AsyncGenerator[Chunk]:
    """The pieces, then the End when the service has closed the stream: only then is nothing left unread."""
    async with attempt(deadline):
        events = await ask()
    try:
        while True:
            async with attempt(deadline):
                try:
                    pieces = list(reader.read(await events.__anext__()))
                except StopAsyncIteration:
                    break
            for piece in pieces:
                yield piece
        async with attempt(deadline):
            end = reader.end()
        yield end
    finally:
        await events.close()
