"""Who asks, and by which call."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


def new_decision_id(now_us: int) -> str:
    """A sortable, unguessable identifier: 12 hexadecimal digits of milliseconds, 20 random ones."""
    return f"{now_us // 1000:012x}{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller presented, unverified. certificates: PEM as the TLS layer gave them; address: peer address.

    chain: PEM of the certificates between its own and a CA.
    """

    certificates: tuple[bytes, ...]
    authorizations: tuple[str, ...]
    address: str
    chain: bytes = b""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, proved. certificate_sha256 is 64 hexadecimal digits; certificate_name the URI SAN or fingerprint."""

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

    deadline_us: None when the caller set no deadline. traceparent: what the caller said of its trace, unverified.
    """

    decision_id: str
    method: str
    credentials: Credentials
    received_us: int
    deadline_us: int | None = None
    traceparent: tuple[str, ...] = ()
