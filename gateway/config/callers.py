"""Sections about callers and reviewers, and the limits on them."""

from __future__ import annotations

from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.config.values import FilePath, Milliseconds, Section

LOOPBACK: Final = ("127.0.0.1", "::1")
"""Addresses only, not names: a resolver decides what a name means."""


class Listener(Section):
    """Where callers connect. security: only mutual TLS is supported; any other value is refused.

    workers: processes that share the port and the log. With one worker, a single process does everything.
    """

    address: str = Field(pattern=r"^[^\s]+:\d{1,5}$")
    security: Literal["mtls"] = "mtls"
    certificate: FilePath
    key: FilePath
    client_ca: FilePath
    reflection: bool = False
    workers: int = Field(default=1, ge=1, le=256)

    @field_validator("address")
    @classmethod
    def _port(cls, address: str) -> str:
        if int(address.rpartition(":")[2]) > 65535:
            raise ValueError("a port is at most 65535")
        return address


class Limits(Section):
    """Limits on calls. A call over a limit is refused, recorded and never forwarded.

    deciding: calls that one process decides at once; the others wait for their turn.
    queue_ms: the longest wait for a turn while the queue never empties; ten times as long in a burst.
    """

    message_bytes: int = Field(default=1 << 20, ge=1024, le=64 << 20)
    metadata_bytes: int = Field(default=16 << 10, ge=1024, le=1 << 20)
    concurrent_calls: int = Field(default=256, ge=1, le=100_000)
    tenant_percent: int = Field(default=75, ge=1, le=100)
    deciding: int = Field(default=32, ge=1, le=100_000)
    queue_ms: Milliseconds = 500
    connections: int = Field(default=512, ge=1, le=100_000)
    connections_idle_s: int = Field(default=300, ge=1, le=86_400)
    connections_age_s: int = Field(default=900, ge=1, le=86_400)
    deadline_ms: Milliseconds = 120_000
    drain_ms: Milliseconds = 10_000
    answer_bytes: int = Field(default=4 << 20, ge=1024, le=256 << 20)

    @property
    def tenant_calls(self) -> int:
        """How many of the concurrent calls may belong to one tenant; at least one."""
        return -(-self.concurrent_calls * self.tenant_percent // 100)

    @property
    def tenant_turns(self) -> int:
        """How many of the calls that are decided at once may belong to one tenant; at least one."""
        return -(-self.deciding * self.tenant_percent // 100)


class QuotaStore(Section):
    """Where quotas are counted: in each gateway's memory, or in a Valkey server that gateways share.

    url: valkeys (with TLS) or valkey (this host only), with host, port and database number.
    """

    url: str | None = Field(default=None, pattern=r"^valkeys?://[a-z0-9.\-\[\]:]+:\d{1,5}(/\d{1,4})?$")
    user: str = Field(default="", max_length=255)
    password_file: FilePath | None = None
    ca: FilePath | None = None
    deadline_ms: int = Field(default=250, ge=10, le=10_000)

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.url is None and (self.user or self.password_file or self.ca):
            raise ValueError("url: is missing, and something is said of its server")
        if self.url is None:
            return self
        try:
            url = urlsplit(self.url)
            host, port = url.hostname, url.port
        except ValueError:
            host, port = None, None
        if not host or not port:
            raise ValueError("url: write valkeys://HOST:PORT")
        if url.scheme == "valkey" and host not in LOOPBACK:
            raise ValueError("url: only a server of this host is reached without TLS; write valkeys://")
        return self


class Issuer(Section):
    """A token issuer (RFC 9068). It has exactly one of jwks_file and jwks_url (HTTPS)."""

    issuer: str = Field(min_length=1)
    jwks_file: FilePath | None = None
    jwks_url: str | None = Field(default=None, pattern=r"^https://")
    ca: FilePath | None = None
    refresh_s: int = Field(default=300, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("needs exactly one of jwks_file and jwks_url")
        return self


class TrustDomain(Section):
    """A SPIFFE trust domain and the only CAs that may issue its names. ca: PEM, roots or intermediate CAs."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,255}$")
    ca: FilePath


class Identity(Section):
    """How callers are authenticated. tokens: "bound" (valid until expiry) or "single_use" (each jti once, durably)."""

    audience: str = Field(min_length=1)
    issuers: tuple[Issuer, ...] = ()
    trust_domains: tuple[TrustDomain, ...] = ()
    tokens: Literal["bound", "single_use"] = "bound"
    max_token_age_s: int = Field(default=3600, ge=1)
    leeway_s: int = Field(default=5, ge=0, le=60)
    crl: FilePath | None = None
    revoked_tokens: FilePath | None = None
    ledger: FilePath


class Approvals(Section):
    """Who may approve requests that a rule held back. Without a role nobody may.

    role: a token with this role approves requests of its own tenant, but never the approver's own.
    valid_s: the longest validity of an approval. pending_s: the greatest age of a request that can be approved.
    """

    role: str = Field(default="", max_length=255)
    valid_s: int = Field(default=900, ge=1, le=86_400)
    pending_s: int = Field(default=86_400, ge=1, le=30 * 86_400)


class Review(Section):
    """Who may read the log through AuditService. An operator with access to the log's files needs neither role.

    auditor_role: a token with this role reads the records of its own tenant; empty: nobody does.
    inspector_role: a token with this role reads all tenants' records, if its tenant is one of inspector_tenants.
    """

    auditor_role: str = Field(default="", max_length=255)
    inspector_role: str = Field(default="", max_length=255)
    inspector_tenants: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        if bool(self.inspector_role) != bool(self.inspector_tenants):
            raise ValueError("inspector_role and inspector_tenants: an inspector has both, or there is none")
        if self.inspector_role and self.inspector_role == self.auditor_role:
            raise ValueError(
                "inspector_role: is auditor_role too; every auditor of these tenants would be an inspector"
            )
        return self

    @property
    def served(self) -> bool:
        """Whether anybody may read the log through this gateway."""
        return bool(self.auditor_role or self.inspector_role)
