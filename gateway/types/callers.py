"""The caller and its call."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


def new_decision_id(now_us: int) -> str:
    """A sortable, unguessable identifier: 12 hexadecimal digits of milliseconds, 20 random ones."""
    return f"{now_us // 1000:012x}{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller presented, unverified. certificates: PEM from the TLS layer; address: the peer's address.

    chain: PEM of the certificates between the caller's own and a CA.
    """

    certificates: tuple[bytes, ...]
    authorizations: tuple[str, ...]
    address: str
    chain: bytes = b""


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller. certificate_sha256: 64 hexadecimal digits. certificate_name: URI SAN or fingerprint."""

    tenant: str
    subject: str
    client_id: str
    roles: tuple[str, ...]
    issuer: str
    token_id: str
    key_id: str
    certificate_name: str
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the shell received it. method: full gRPC name. Times: microseconds since 1970 UTC.

    deadline_us: None if the caller set no deadline. traceparent: the caller's trace context, unverified.
    """

    decision_id: str
    method: str
    credentials: Credentials
    received_us: int
    deadline_us: int | None = None
    traceparent: tuple[str, ...] = ()
