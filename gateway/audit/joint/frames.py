"""The message format between the processes of one gateway: JSON, accompanied by raw bytes.

A frame is two lengths of four bytes each, big-endian, then the JSON, then the bytes. Both ends run the same version of
the same program. Each treats what it receives as data only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, Final, cast

import orjson
import structlog

from brightline_verify.record import MAX_BYTES
from gateway.audit.record import Entry

log = structlog.get_logger()

_LENGTHS: Final = Struct(">II")
MAX_FRAME: Final = 320 << 20
"""Bytes. Larger than what all calls at once may say, and than a release."""

Heard = Callable[[Any, memoryview], None]


def packed(said: object, content: Iterable[bytes] = ()) -> bytes:
    """Encode a frame."""
    text, rest = orjson.dumps(said), b"".join(content)
    return _LENGTHS.pack(len(text), len(rest)) + text + rest


def row(number: int, entry: Entry) -> tuple[object, ...]:
    """What a frame says of an entry besides its leaf."""
    return (
        number,
        len(entry.leaf),
        entry.decision_id,
        entry.kind,
        entry.time_us,
        entry.tenant,
        entry.idempotency_key,
        entry.closes,
    )


def entries(rows: list[Any], content: memoryview) -> Iterable[tuple[int, Entry]]:
    """The entries of a frame, with the numbers that identify their answers. Raises ValueError if malformed."""
    start = 0
    for row in rows:
        match row:
            case [int(number), int(length), str(decision_id), str(kind), int(time_us), str(tenant), key, bool(closes)]:
                leaf = bytes(content[start : start + length])
            case _:
                raise ValueError("what was said of an entry is not what a worker says")
        if len(leaf) != length or length > MAX_BYTES or not isinstance(key, str | None):
            raise ValueError("the leaf of an entry is not there, or its key is none")
        yield number, Entry(leaf, decision_id, kind, time_us, tenant, key, closes)
        start += length


class Frames(asyncio.Protocol):
    """One end of a connection. heard: called with each frame, in order; gone: called when the other end is gone."""

    def __init__(self, heard: Heard, gone: Callable[[], None]) -> None:
        self._heard, self._gone = heard, gone
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transport is not a subclass

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        start = 0
        with memoryview(self._buffer) as view:
            while len(view) - start >= _LENGTHS.size:
                text, rest = _LENGTHS.unpack_from(view, start)
                if text + rest > MAX_FRAME:
                    self.close()
                    return
                begin = start + _LENGTHS.size
                if len(view) - begin < text + rest:
                    break
                start = begin + text + rest
                with view[begin : begin + text] as said, view[begin + text : start] as content:
                    try:
                        self._heard(orjson.loads(said), content)
                    except (ValueError, TypeError, LookupError, AttributeError):
                        log.exception("hung up on what is no frame")
                        self.close()
                        return
        del self._buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """See asyncio.Protocol."""
        self._transport = None
        self._gone()

    def say(self, frame: bytes) -> None:
        """Send a frame. Does nothing if the other end is gone."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Close the connection after what was said has been sent."""
        if self._transport is not None:
            self._transport.close()
