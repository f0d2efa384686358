"""Sends a growing log to a collector over TLS: syslog messages (RFC 5424) in the frames of RFC 5425.

Delivery is at least once, as far as syslog allows: the protocol has no receipts. The cursor moves when the collector's
host has acknowledged all that was sent. After a connection that broke or was not closed cleanly, its last records are
sent again, because a host may have accepted what its collector never read. Duplicates can be recognised by origin and
index.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from brightline_verify.report import UnreadableError
from brightline_verify.stored import Source
from gateway.audit import recorded
from gateway.errors import StartError
from gateway.siem import syslog
from gateway.siem.cursor import MOST, Cursor
from gateway.siem.event import Event

AT_ONCE: Final = 256
AGAIN: Final = 1000
"""How many records of a broken connection are sent again."""
TIMEOUT_S: Final = 30.0
"""How long a collector may accept no data at all."""
_PIECE: Final = 16 << 10
_POLL_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0


class BrokenError(Exception):
    """The collector can't be reached, or the connection was lost."""


@dataclass(frozen=True, slots=True)
class Collector:
    """The collector's address.

    Its certificate is always verified for `host`. ca: PEM, or None for the system's roots.
    """

    host: str
    port: int
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The TLS settings for both sides. Raises StartError."""
        try:
            made = ssl.create_default_context(cafile=self.ca)
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"--tls-ca, --tls-cert, --tls-key: can't be used: {error}") from error
        return made


class Sender:
    """Sends the records after the cursor. told: called with messages for the operator."""

    def __init__(
        self,
        log: Source,
        cursor: Cursor,
        collector: Collector,
        line: Callable[[Event], str],
        told: Callable[[str], None],
    ) -> None:
        self._log, self._cursor, self._collector, self._line, self._told = log, cursor, collector, line, told
        self._context = collector.context()
        self._connection: ssl.SSLSocket | None = None
        self._begun = cursor.next

    def follow(self, stop: threading.Event) -> None:
        """Send until `stop` is set, reconnecting as often as needed, also while the cursor can't be saved.

        Raises StartError and UnreadableError.
        """
        wait = 1.0
        while not stop.is_set():
            try:
                sent = self.send()
                wait = 1.0
                if not sent:
                    stop.wait(_POLL_S)
            except UnreadableError:
                raise
            except (BrokenError, OSError) as error:  # OSError: no room for the cursor, so records may be sent again
                self._told(f"{error}; trying again in {wait:.0f} s")
                stop.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)

    def send(self) -> int:
        """Send up to AT_ONCE records. Returns how many. Raises BrokenError, StartError, UnreadableError, OSError."""
        events = self._next()
        try:
            connection = self._connected()
            if events:
                _sent(connection, b"".join(syslog.frame(syslog.message(e, self._line(e))) for e in events))
                _acknowledged(connection)
        except OSError as error:
            self._broke()
            raise BrokenError(f"{self._collector.host}:{self._collector.port}: {error}") from error
        for sent in events[-1:]:
            self._cursor.past(sent.index, sent.leaf)
            self._cursor.save()
        return len(events)

    def close(self) -> None:
        """Close the connection cleanly. Raises BrokenError if the collector did not read everything."""
        if self._connection is None:
            return
        sent = self._cursor.next
        try:
            with contextlib.suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):  # no close_notify came
                self._connection.unwrap()
        except OSError as error:
            self._broke()
            if self._cursor.next < sent:
                again = f"records from {self._cursor.next} on will be sent again"
                raise BrokenError(f"{self._collector.host}:{self._collector.port}: {error}; {again}") from error
        else:
            self._connection.close()
            self._connection = None

    def _next(self) -> list[Event]:
        """The next records, after a check that the one before them is the one that was sent."""
        at = self._cursor.next
        found = list(recorded.records(self._log, max(0, at - 1), min(at + AT_ONCE, MOST)))
        before = found[0][1] if found and found[0][0] == at - 1 else None
        self._cursor.fits(before)
        events = [Event(self._cursor.origin, index, leaf, record) for index, leaf, record in found if index >= at]
        if events and events[0].index != at:
            raise UnreadableError(f"{self._log}: entry {at} is missing; run: brightline audit verify")
        return events

    def _connected(self) -> ssl.SSLSocket:
        if self._connection is not None:
            _still_there(self._connection)
            return self._connection
        address = (self._collector.host, self._collector.port)
        plain = socket.create_connection(address, timeout=TIMEOUT_S)
        try:
            self._connection = self._context.wrap_socket(plain, server_hostname=self._collector.host)
        except BaseException:
            plain.close()
            raise
        self._begun = self._cursor.next
        self._told(f"connected to {address[0]}:{address[1]}, sending from record {self._begun}")
        return self._connection

    def _broke(self) -> None:
        """Drop the connection, and move back over the records that may have been lost."""
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        back = max(self._begun, self._cursor.next - AGAIN)
        if back < self._cursor.next:
            before = list(recorded.records(self._log, back - 1, back)) if back else []
            self._cursor.next, self._cursor.before = back, ""
            for index, leaf, _ in before:
                self._cursor.past(index, leaf)
            self._cursor.save()


def _still_there(connection: ssl.SSLSocket) -> None:
    """Raise OSError if the peer has closed: data sent after that would be lost without an error."""
    if not select.select([connection], [], [], 0)[0]:
        return
    connection.settimeout(0)
    try:
        if not connection.recv(4096):
            raise ConnectionResetError("the collector closed the connection")
    except (ssl.SSLWantReadError, BlockingIOError):
        pass  # a TLS protocol message
    finally:
        connection.settimeout(TIMEOUT_S)


def _sent(connection: ssl.SSLSocket, data: bytes) -> None:
    """Send the data in pieces, each with its own timeout. Raises OSError."""
    for at in range(0, len(data), _PIECE):
        connection.sendall(data[at : at + _PIECE])


def _acknowledged(connection: ssl.SSLSocket) -> None:
    """Wait until the other host has acknowledged every byte. Raises OSError.

    Returns at once if the system can't tell.
    """
    least, until = sys.maxsize, 0.0
    while True:
        try:
            (waiting,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))
        except OSError:
            return
        _still_there(connection)
        if not waiting:
            return
        if waiting < least:
            least, until = waiting, time.monotonic() + TIMEOUT_S
        if time.monotonic() > until:
            raise TimeoutError("the collector's host does not acknowledge what it is sent")
        time.sleep(0.002)
