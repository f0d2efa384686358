"""HTTP/2 frame by frame over mutual TLS, for what no gRPC library would send.

async with connected(running) as raw:
    stream = raw.begin("Generate", {"grpc-timeout": "0n"})
    raw.message(stream, data, end=True)
    answer = await raw.answer(stream)
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.support.attacks import SERVICE
from tests.support.gateways import LOGISTICS, Deployment

PATIENCE_S = 90


@dataclass
class Answer:
    """What came back on a stream. reset: the error code of a RST_STREAM. whole: whether the peer ended the stream."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset: int | None = None
    whole: bool = False


class Raw:
    """A connection. closed: whether the peer ended it. goodbye: the error code of its GOAWAY, if it sent one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, token: str) -> None:
        self.closed = False
        self.goodbye: int | None = None
        self._leaving = False
        self._reader, self._writer, self._host, self.token = reader, writer, host, token
        self._answers: dict[int, Answer] = {}
        settings = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.http = h2.connection.H2Connection(settings)
        self.http.initiate_connection()
        self.flush()

    def begin(self, method: str, headers: Mapping[str, str | bytes | None] = {}, *, end: bool = False) -> int:
        """Open a stream. The headers replace those of an honest call; None removes one."""
        path = method if method.startswith("/") else f"{SERVICE}/{method}"
        given: dict[str, str | bytes | None] = {
            ":method": "POST",
            ":scheme": "https",
            ":path": path,
            ":authority": self._host,
            "te": "trailers",
            "content-type": "application/grpc",
            "grpc-timeout": "20S",
            "authorization": f"Bearer {self.token}",
            **headers,
        }
        stream = self.http.get_next_available_stream_id()
        kept = [(name.encode(), v.encode() if isinstance(v, str) else v) for name, v in given.items() if v is not None]
        self.http.send_headers(stream, kept, end_stream=end)
        self._answers[stream] = Answer()
        self.flush()
        return stream

    def message(self, stream: int, data: bytes, *, end: bool, compressed: int = 0, length: int | None = None) -> None:
        """Send one gRPC message. length: a false length for its prefix."""
        prefix = bytes([compressed]) + (len(data) if length is None else length).to_bytes(4, "big")
        self.http.send_data(stream, prefix + data, end_stream=end)
        self.flush()

    async def send(self, stream: int, data: bytes) -> None:
        """Send one whole message of any size, as flow control permits, and end the stream."""
        rest = b"\0" + len(data).to_bytes(4, "big") + data
        while rest:
            await self.room(stream, 1)
            size = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(rest))
            self.http.send_data(stream, rest[:size], end_stream=size == len(rest))
            rest = rest[size:]
            self.flush()

    async def room(self, stream: int, size: int) -> None:
        """Return when flow control permits `size` more bytes on the stream (RFC 9113 section 5.2)."""
        async with asyncio.timeout(PATIENCE_S):
            while self.http.local_flow_control_window(stream) < size:
                await self._take()

    def reset(self, stream: int) -> None:
        """Reset the stream."""
        self.http.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)

    def flush(self) -> None:
        """Write what the state machine has queued."""
        if data := self.http.data_to_send():
            self._writer.write(data)

    async def write(self, frames: list[bytes]) -> None:
        """Write frames that bypass the state machine, as flow control permits."""
        for one in frames:
            self._writer.write(one)
            await self._writer.drain()

    async def settled(self) -> None:
        """Return when the peer has sent something."""
        await self._take()

    async def answer(self, stream: int) -> Answer:
        """The answer on the stream, once the stream or the connection has ended."""
        answer = self._answers[stream]
        async with asyncio.timeout(PATIENCE_S):
            while not answer.whole and answer.reset is None and not self.closed:
                await self._take()
        return answer

    async def some(self, stream: int, size: int) -> None:
        """Return when at least `size` bytes have come back on the stream. Nothing more is read automatically."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self._answers[stream].data) < size:
                await self._take()

    def abort(self) -> None:
        """Drop the connection without a GOAWAY."""
        self._writer.transport.abort()

    async def ended(self) -> None:
        """Return when the peer has ended the connection."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.closed:
                await self._take()

    async def _take(self) -> None:
        try:
            data = await self._reader.read(65536)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        if self._leaving:
            return
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError:  # frames after a GOAWAY, which h2 treats as the end
            self._leaving = True
            return
        for event in events:
            self._note(event)
        self.flush()

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                answer = self._answers[event.stream_id]
                answer.headers |= {name.decode(): value.decode() for name, value in event.headers}
            case h2.events.DataReceived():
                self._answers[event.stream_id].data += event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self._answers[event.stream_id].whole = True
            case h2.events.StreamReset():
                self._answers[event.stream_id].reset = int(event.error_code)
            case h2.events.ConnectionTerminated():
                self.goodbye = int(event.error_code)


def tls(deployed: Deployment, tenant: str = LOGISTICS) -> ssl.SSLContext:
    """The tenant's TLS settings."""
    context = ssl.create_default_context(cadata=deployed.ca.decode())
    place = deployed.folder / "tenants" / tenant
    context.load_cert_chain(place / "client.pem", place / "client.key")
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def connected(running: Deployment, tenant: str = LOGISTICS) -> AsyncIterator[Raw]:
    """A connection of a tenant with a valid certificate and token."""
    host, _, port = running.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls(running, tenant))
    try:
        yield Raw(reader, writer, running.address, running.token(tenant))
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def plain(port: int) -> AsyncIterator[Raw]:
    """A connection without TLS and without a token."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Raw(reader, writer, f"127.0.0.1:{port}", "")
    finally:
        writer.transport.abort()
