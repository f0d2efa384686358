"""Parses server-sent events (WHATWG HTML standard, section 9.2) from the pieces of a body into JSON."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import orjson

from gateway.egress import failed

Parsed: TypeAlias = Any
"""JSON from a service, of any shape. A reader may raise any exception for an unexpected shape: attempt() maps it."""

_MARK: Final = b"\xef\xbb\xbf"
"""A byte order mark, which may precede the first line."""
_LINES: Final = 16
"""The most lines in an event: more than an event of either protocol has."""
_AT_ONCE: Final = 256
"""The number of events after which other calls get a turn."""
_BESIDE: Final = 256 * 1024
"""The most bytes of an answer outside strings."""
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRINGS: Final = 1 << 16


async def events(pieces: AsyncGenerator[bytes], limit: int) -> AsyncGenerator[Parsed]:
    """The data of each event. limit: the most bytes of an event, and of what is buffered.

    An event without its blank line is ignored, and so is everything after the end marker. Raises GatewayError for an
    error event, and ValueError for invalid JSON.
    """
    done, number = False, 0
    async with aclosing(pieces), aclosing(_ended(pieces, limit)) as ended:
        async for piece in ended:
            for event in piece.split(b"\n\n")[:-1]:
                number += 1
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                if len(event) + 2 > limit:
                    raise failed("the answer is over the size limit")
                if event.count(b"\n") > _LINES:
                    raise failed("an event of too many lines")
                name, data = _fields(event)
                done = done or data.startswith(b"[DONE]")
                if done or name == b"ping" or not data:
                    continue
                if name == b"error":
                    raise failed("an error event")
                yield orjson.loads(mostly_text(data))


def mostly_text(data: bytes) -> bytes:
    """Return `data`. Raises GatewayError for JSON whose values would take hundreds of times its size in memory."""
    if len(data) > _BESIDE and len(_STRING.sub(b"", data, _STRINGS)) > _BESIDE:
        raise failed("an answer of too many parts")
    return data


async def _ended(pieces: AsyncIterable[bytes], limit: int) -> AsyncGenerator[bytes]:
    """Split the pieces at ends of events and normalise line ends to LF.

    Each byte is searched once, however it is cut.
    """
    held, carriage, begun = bytearray(), b"", False
    async for piece in pieces:
        data = carriage + piece
        carriage = b"\r" if data.endswith(b"\r") else b""  # an LF may follow
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        seen = max(0, len(held) - 1)
        held += data
        if not begun and len(held) >= len(_MARK):
            begun = True
            if held.startswith(_MARK):
                del held[: len(_MARK)]
        if (end := held.rfind(b"\n\n", seen) + 2) > 1:
            begun = True
            yield bytes(held[:end])
            del held[:end]
        if len(held) > limit:
            raise failed("the answer is over the size limit")
    if held or carriage:
        yield bytes(held) + carriage.replace(b"\r", b"\n")


def _fields(event: bytes) -> tuple[bytes, bytes]:
    """The name and the data of an event."""
    name, data = b"", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)
