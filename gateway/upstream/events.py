"""Server-sent events, from the pieces of a body to the JSON in them, as the WHATWG's HTML standard has them (9.2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import orjson

from gateway.egress import failed

Parsed: TypeAlias = Any
"""JSON from a service: anything at all. A reader that meets an odd shape may raise what it likes: attempt() maps it."""

_MARK: Final = b"\xef\xbb\xbf"
"""A byte order mark, which a stream may begin with, and which is no part of its first line."""
_LINES: Final = 16
"""More than an event of either protocol has."""
_AT_ONCE: Final = 256
"""Events after which all other calls have their turn."""
_BESIDE: Final = 256 * 1024
"""Bytes of an answer that may be something else than strings."""
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRINGS: Final = 1 << 16


async def events(pieces: AsyncGenerator[bytes], limit: int) -> AsyncGenerator[Parsed]:
    """The data of each event. limit: bytes of an event, of which no more is held.

    An event that its blank line does not end is none. After the marker that ends a stream the rest is read, and says
    nothing. Raises GatewayError for an event that is an error, or ValueError for one that is no JSON.
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
    """The same. Raises GatewayError for JSON whose values would take hundreds of times its bytes in memory."""
    if len(data) > _BESIDE and len(_STRING.sub(b"", data, _STRINGS)) > _BESIDE:
        raise failed("an answer of too many parts")
    return data


async def _ended(pieces: AsyncIterable[bytes], limit: int) -> AsyncGenerator[bytes]:
    """The same, cut where an event ends, each line of them ended by LF: looked at once, however it is cut."""
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
    """The name of an event, and its data."""
    name, data = b"", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)
