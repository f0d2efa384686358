"""What the port asks of TLS, of HTTP/2 and of the operating system, before there is a call."""

from __future__ import annotations

import resource
import ssl

import grpc

from gateway.config import Limits, Listener, read_private, read_public
from gateway.errors import StartError

HANDSHAKE_MS = 10_000
"""How long a stranger may hold a connection without proving by TLS that it has a certificate."""
OWN_FILES = 128
"""How many files the gateway may have open beside connections: log, ledger, lists, libraries."""


def credentials(listener: Listener) -> grpc.ServerCredentials:
    """The TLS side of the port. Raises StartError."""
    key = read_private(listener.key, "listener.key")
    certificate = read_public(listener.certificate, "listener.certificate")
    client_ca = read_public(listener.client_ca, "listener.client_ca")
    # gRPC takes what it can't read for none; without a client CA it would trust the system's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listener.certificate, listener.key, password="")
    except (OSError, ValueError) as error:
        raise StartError(
            f"listener.certificate, listener.key: {listener.certificate} and {listener.key} are not a certificate in "
            "PEM and its unencrypted private key"
        ) from error
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"listener.client_ca: {listener.client_ca} holds no PEM certificate") from error
    return grpc.ssl_server_credentials([(key, certificate)], client_ca, require_client_auth=True)


def reserve_files(limits: Limits) -> None:
    """Let the process have the open files that callers may take up. Raises StartError.

    One that has run out of files can't sign a checkpoint or read a revocation list, so it refuses every call.
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


def options(limits: Limits) -> list[tuple[str, int]]:
    """What gRPC is told of bounds."""
    return [
        # Above our own limit, so that the usual case is refused by us, with a reason; beyond it by gRPC, unread.
        ("grpc.max_receive_message_length", 2 * limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        ("grpc.max_concurrent_streams", limits.concurrent_calls),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", limits.connections_idle_s * 1000),
        # What a caller does not take stays in memory, beyond our deadline: until its own, or until this.
        ("grpc.max_connection_age_ms", limits.connections_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", limits.deadline_ms),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.so_reuseport", 0),
    ]
