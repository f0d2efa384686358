"""A collector of syslog over TLS (RFC 5425) that keeps what it reads. It can break connections, and it can be slow."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.pki import Authority
from tests.support.waiting import wait_for


class Collector:
    """Listens on a free port of localhost. breaks_after: after how many bytes each of its next connections breaks.

    stalls: the next connection is not read, and is closed once this holds.
    """

    def __init__(self, folder: Path, authority: Authority, hosts: tuple[str, ...] = ("localhost",)) -> None:
        pair = authority.server(hosts)
        for name, data in (("collector.pem", pair.certificate), ("collector.key", pair.key)):
            (folder / name).write_bytes(data)
        (folder / "ca.pem").write_bytes(authority.ca.certificate)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "collector.pem", folder / "collector.key")
        self.demand = self._context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self.breaks_after: list[int] = []
        self.stalls: Callable[[], bool] | None = None
        self._pause_s = 0.0
        self.connections = 0
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        self._current: ssl.SSLSocket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait(self, count: int, timeout_s: float = 60) -> list[bytes]:
        """The messages, once there are that many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, timeout_s), len(self.received)
            return list(self.received)

    def slow(self, pause_s: float) -> None:
        """From the next connection on: small receive buffers, and a pause of that length after every 4 KiB."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        self._pause_s = pause_s

    def hang_up(self) -> None:
        """Break the current connection."""
        current, self._current = self._current, None
        if current is not None:
            with contextlib.suppress(OSError):
                current.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, ValueError), plain:
                self._read(self._context.wrap_socket(plain, server_side=True))

    def _read(self, connection: ssl.SSLSocket) -> None:
        self._current = connection
        self.connections += 1
        if self.stalls is not None:
            stalls, self.stalls = self.stalls, None
            with connection:
                wait_for(stalls)
            return
        limit = self.breaks_after.pop(0) if self.breaks_after else None
        data, taken = b"", 0
        with connection:
            while piece := connection.recv(4096):
                data, taken = data + piece, taken + len(piece)
                self._ended.wait(self._pause_s)
                data = self._frames(data)
                if limit is not None and taken >= limit:
                    return

    def _frames(self, data: bytes) -> bytes:
        """Keep every complete frame. Returns the rest."""
        while b" " in data:
            length, _, rest = data.partition(b" ")
            if len(rest) < int(length):
                break
            with self._arrived:
                self.received.append(rest[: int(length)])
                self._arrived.notify_all()
            data = rest[int(length) :]
        return data
