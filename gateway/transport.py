"""Settings of TLS, HTTP/2 and the operating system for the port, before there is any call."""

from __future__ import annotations

import errno
import resource
import socket
import ssl
import threading
from pathlib import Path

import grpc
import structlog

from gateway.config import Limits, Listener, read_private, read_public, show, trust
from gateway.errors import StartError

log = structlog.get_logger()

HANDSHAKE_MS = 10_000
"""The most milliseconds that a peer may hold a connection without completing the TLS handshake."""
PENDING = 5_000
"""How many calls may wait inside gRPC. gRPC ends further calls itself, as CANCELLED. Its own default is 1,000."""
OWN_FILES = 128
"""Open files besides connections: log, ledger, lists, libraries, readers of metrics."""


class Tls:
    """The TLS side of the port. Files that change are read again for new connections.

    An unusable change has no effect: certificate and key are two files, and one is replaced before the other. A refused
    change is tried again at each connection, because only reading shows whether the files are usable now.
    """

    def __init__(self, listener: Listener) -> None:
        """Raises StartError."""
        self._listener = listener
        self._turn = threading.Lock()
        self._wrong = ""
        self._stamp = self._stamped()
        self._in_use = configuration(listener)

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials for one port of gRPC."""
        return grpc.dynamic_ssl_server_credentials(
            self._in_use,
            self._renewed,  # type: ignore[arg-type]  # None means unchanged to gRPC, which the stubs don't know
            require_client_authentication=True,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration, or None if nothing changed. gRPC calls this before each handshake."""
        with self._turn:  # each handshake has its own thread
            stamp = self._stamped()
            if stamp == self._stamp:
                return None
            try:
                self._in_use = configuration(self._listener)
            except StartError as error:
                if str(error) != self._wrong:
                    log.error("certificates not replaced", why=str(error))  # noqa: TRY400 - the text is enough
                self._wrong = str(error)
                return None
            self._stamp, self._wrong = stamp, ""
            log.info("certificates replaced")
            return self._in_use

    def _stamped(self) -> list[tuple[int, int, int] | None]:
        files = self._listener.certificate, self._listener.key, self._listener.client_ca
        return [_stamp(path) for path in files]


def configuration(listener: Listener) -> grpc.ServerCertificateConfiguration:
    """The configuration from certificate, key and client CA as they are in the files now. Raises StartError."""
    key = read_private(listener.key, "listener.key")
    certificate = read_public(listener.certificate, "listener.certificate")
    # gRPC treats what it can't parse as absent; without a client CA it would trust the system's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    show(context, listener.certificate, listener.key, "listener.certificate, listener.key")
    client_ca = trust(context, listener.client_ca, "listener.client_ca")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def is_free(address: str, key: str) -> bool:
    """Whether nobody listens on the address of that key. Raises StartError if the address is not this host's."""
    host, _, port = address.rpartition(":")
    try:
        (family, kind, protocol, _, place), *_ = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise StartError(f"{key}: {address} cannot be listened on: {error.strerror or error}") from error
    except UnicodeError as error:
        raise StartError(f"{key}: {address} cannot be listened on: its name is none of a host") from error
    return True


def reserve_files(limits: Limits) -> None:
    """Raise the limit of open files to what calls may need. Raises StartError.

    A process without free descriptors can't sign a checkpoint or read a revocation list, so it would refuse every call.
    """
    needed = limits.connections + limits.concurrent_calls + OWN_FILES  # each call has a connection to its model
    has, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if has != resource.RLIM_INFINITY and has < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
        except ValueError as error:
            raise StartError(
                f"limits.connections, limits.concurrent_calls: need {needed} open files, and the process may have "
                f"{most}; lower them, or let it have more (ulimit -Hn)"
            ) from error


def reserved(address: str) -> socket.socket:
    """A socket that reserves the address for this gateway's workers, which share it. Raises StartError."""
    if not is_free(address, "listener.address"):
        raise StartError(f"listener.address: {address} cannot be listened on: somebody else does")
    host, _, port = address.rpartition(":")
    (family, kind, protocol, _, place), *_ = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    keeper = socket.socket(family, kind, protocol)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(place)
    return keeper


def options(limits: Limits, *, shared: bool = False) -> list[tuple[str, int]]:
    """The channel options of gRPC for the limits. shared: other workers listen on the same port."""
    return [
        # Above the gateway's own limit: usually the gateway refuses, with a reason; beyond this gRPC does, unread.
        ("grpc.max_receive_message_length", 2 * limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        ("grpc.max_concurrent_streams", limits.concurrent_calls),
        ("grpc.server.max_pending_requests", PENDING),
        ("grpc.server.max_pending_requests_hard_limit", PENDING),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", limits.connections_idle_s * 1000),
        # Data that a caller does not take stays in memory beyond the gateway's deadline, until the caller's or this.
        ("grpc.max_connection_age_ms", limits.connections_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", limits.deadline_ms),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.so_reuseport", int(shared)),
    ]
