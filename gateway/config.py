"""The configuration: one frozen model read from TOML. Unknown keys and ambiguity refuse the start.

Relative paths are relative to the folder of the file. Secrets are never in the file: keys are files of their own,
refused when others can read them.
"""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway import dsn
from gateway.errors import StartError


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    return path if path.is_absolute() else base / path


FilePath = Annotated[Path, AfterValidator(_resolve)]
Milliseconds = Annotated[int, Field(gt=0, le=3_600_000)]
Dsn = Annotated[str, AfterValidator(dsn.checked)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Listener(_Section):
    """Where callers connect. security: only mutual TLS is served; the key exists so that asking for less is refused."""

    address: str = Field(pattern=r"^[^\s]+:\d{1,5}$")
    security: Literal["mtls"] = "mtls"
    certificate: FilePath
    key: FilePath
    client_ca: FilePath
    reflection: bool = False

    @field_validator("address")
    @classmethod
    def _port(cls, address: str) -> str:
        if int(address.rpartition(":")[2]) > 65535:
            raise ValueError("a port is at most 65535")
        return address


class Limits(_Section):
    """Bounds on every call. A call over a bound is refused, recorded and never forwarded."""

    message_bytes: int = Field(default=1 << 20, ge=1024, le=64 << 20)
    metadata_bytes: int = Field(default=16 << 10, ge=1024, le=1 << 20)
    concurrent_calls: int = Field(default=256, ge=1, le=100_000)
    tenant_percent: int = Field(default=75, ge=1, le=100)
    connections: int = Field(default=512, ge=1, le=100_000)
    connections_idle_s: int = Field(default=300, ge=1, le=86_400)
    connections_age_s: int = Field(default=900, ge=1, le=86_400)
    deadline_ms: Milliseconds = 120_000
    drain_ms: Milliseconds = 10_000
    answer_bytes: int = Field(default=4 << 20, ge=1024, le=256 << 20)

    @property
    def tenant_calls(self) -> int:
        """How many of the calls at once may be one tenant's, at least one."""
        return -(-self.concurrent_calls * self.tenant_percent // 100)


class Issuer(_Section):
    """A token issuer (RFC 9068). Exactly one of jwks_file and jwks_url (HTTPS)."""

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


class TrustDomain(_Section):
    """A SPIFFE trust domain whose names only these CAs may issue. ca: PEM, of roots or of the CAs below them."""

    name: str = Field(pattern=r"^[a-z0-9._-]{1,255}$")
    ca: FilePath


class Identity(_Section):
    """Who is believed. tokens: "bound" (used until they expire) or "single_use" (each jti once, durably)."""

    audience: str = Field(min_length=1)
    issuers: tuple[Issuer, ...] = ()
    trust_domains: tuple[TrustDomain, ...] = ()
    tokens: Literal["bound", "single_use"] = "bound"
    max_token_age_s: int = Field(default=3600, ge=1)
    leeway_s: int = Field(default=5, ge=0, le=60)
    crl: FilePath | None = None
    revoked_tokens: FilePath | None = None
    ledger: FilePath


class ReleaseSource(_Section):
    """The release in force. Exactly one of path (a folder that nobody signed), repository (a folder) and url (HTTPS).

    The last two are signed: root is the trusted root, pinned at deployment, and metadata a folder of this gateway
    alone. digest pins one release. warn_before_s: how long before it expires the log warns. file_s: how long a file may
    take.
    """

    path: FilePath | None = None
    repository: FilePath | None = None
    url: str | None = Field(default=None, pattern=r"^https://[^\s?#]+$")
    root: FilePath | None = None
    metadata: FilePath | None = None
    ca: FilePath | None = None
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    refresh_s: int = Field(default=300, ge=1, le=86_400)
    warn_before_s: int = Field(default=259_200, ge=0)
    file_s: int = Field(default=30, ge=1, le=3600)

    @property
    def signed(self) -> bool:
        """Whether signatures decide what comes in force."""
        return self.path is None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.path, self.repository, self.url].count(None) != 2:
            raise ValueError("needs exactly one of path, repository and url")
        if self.signed and (self.root is None or self.metadata is None):
            raise ValueError("a signed release needs root, the trusted root, and metadata, a folder of this gateway")
        if not self.signed and (self.root or self.metadata or self.ca):
            raise ValueError("root, metadata and ca go with repository or url; path is a release that nobody signed")
        return self


class Policy(_Section):
    """Which engine decides, and for how long it may think.

    Of an Open Policy Agent server: opa_ca are PEM roots, trusted instead of the system's; opa_token is a file with a
    bearer token and nothing else; opa_certificate and opa_key are what the gateway shows by TLS.
    """

    engine: Literal["wasm", "opa"] = "wasm"
    deadline_ms: int = Field(default=250, ge=10, le=10_000)
    memory_mib: int = Field(default=16, ge=1, le=1024)
    opa_url: str = Field(default="http://127.0.0.1:8181", pattern=r"^https?://[^/\s]+$")
    opa_ca: FilePath | None = None
    opa_token: FilePath | None = None
    opa_certificate: FilePath | None = None
    opa_key: FilePath | None = None

    @model_validator(mode="after")
    def _of_a_server(self) -> Self:
        if (self.opa_certificate is None) != (self.opa_key is None):
            raise ValueError("opa_certificate and opa_key: one needs the other")
        by_tls = self.opa_ca is not None or self.opa_certificate is not None
        if by_tls and not self.opa_url.startswith("https://"):
            raise ValueError("opa_ca, opa_certificate: are for an opa_url with https")
        return self


class Pkcs11(_Section):
    """A PKCS #11 token that holds the wrapping keys. pin: a file that holds the PIN and nothing else."""

    module: FilePath
    token: str = Field(min_length=1)
    pin: FilePath


class Sealed(_Section):
    """Where content is sealed when the policy obliges to. Exactly one of keys (a folder) and pkcs11.

    reviewers: public keys; any two of them open together. log: where openings, purges and holds are recorded.
    retention_months: for how long the content of each class is kept; at least six.
    """

    path: FilePath
    keys: FilePath | None = None
    pkcs11: Pkcs11 | None = None
    reviewers: tuple[FilePath, ...] = Field(min_length=2, max_length=16)
    log: FilePath
    log_origin: str = Field(pattern=r"^[^\s+]+$", max_length=255)
    log_key: FilePath
    retention_months: dict[str, Annotated[int, Field(ge=6, le=1200)]] = Field(default={"standard": 30}, min_length=1)
    deadline_ms: Milliseconds = 1000

    @model_validator(mode="after")
    def _one_vault(self) -> Self:
        if (self.keys is None) == (self.pkcs11 is None):
            raise ValueError("needs exactly one of keys and pkcs11")
        return self


class Audit(_Section):
    """The log. origin names it in every checkpoint; keys sign checkpoints and make content commitments.

    store: "sqlite" keeps it in the file at `path`; "postgresql" in the database that `dsn` names, and what is derived
    from it beside `path`. lock_store, lock_dsn: a folder on another volume, or a database on another host, where the
    latest checkpoint goes too. capacity_mib: how large the database may grow; without it, the disk's size counts.
    sealed: where content is kept.
    """

    store: Literal["sqlite", "postgresql"] = "sqlite"
    path: FilePath
    dsn: Dsn | None = None
    password_file: FilePath | None = None
    origin: str = Field(pattern=r"^[^\s+]+$", max_length=255)
    signing_key: FilePath
    commitment_key: FilePath
    enclave: str = ""
    node: str = ""
    lock_store: FilePath | None = None
    lock_dsn: Dsn | None = None
    lock_password_file: FilePath | None = None
    capacity_mib: int | None = Field(default=None, ge=1)
    warn_at_percent: tuple[Annotated[int, Field(ge=1, le=99)], ...] = (75, 90, 95)
    deadline_ms: Milliseconds = 1000
    checkpoint_ms: int = Field(default=1000, ge=10, le=60_000)
    checkpoint_records: int = Field(default=10_000, ge=1, le=1_000_000)
    unauthenticated_per_s: int = Field(default=50, ge=1)
    sealed: Sealed | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.store == "postgresql") != (self.dsn is not None):
            raise ValueError('dsn: store = "postgresql" needs it, and store = "sqlite" has none')
        if self.lock_store is not None and self.lock_dsn is not None:
            raise ValueError("lock_dsn: give lock_store or lock_dsn, not both")
        for name in ("password_file", "lock_password_file"):
            if getattr(self, name) is not None and getattr(self, name.replace("password_file", "dsn")) is None:
                raise ValueError(f"{name}: goes with {name.replace('password_file', 'dsn')}")
        return self


class Review(_Section):
    """Who may read the log through AuditService; nobody else may, and an operator with the log's files needs neither.

    auditor_role: a token with it reads the records of its own tenant; empty: nobody does. inspector_role: a token with
    it reads everybody's, if its tenant is one of inspector_tenants.
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
        """Whether anybody may read the log here."""
        return bool(self.auditor_role or self.inspector_role)


class Upstream(_Section):
    """A model service behind the gateway. api_key: a file that holds the key and nothing else.

    base_url: https, or http to a loopback address. ca: PEM roots, trusted instead of the system's.
    journal: of a loopback only; one line for each forwarded call, durable before it is answered.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    kind: Literal["loopback", "anthropic", "openai"]
    base_url: str | None = None
    api_key: FilePath | None = None
    ca: FilePath | None = None
    connect_ms: Milliseconds = 2_000
    journal: FilePath | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.journal is not None and self.kind != "loopback":
            raise ValueError(f"journal: an upstream of kind {self.kind} has no such key")
        return self


class Config(_Section):
    """Everything the gateway is told at start. marking_ceiling: the highest marking that the enclave is cleared for."""

    profile: Literal["development", "production"]
    appeal: str = ""
    marking_ceiling: str = Field(default="UNCLASSIFIED", max_length=256)
    listener: Listener
    limits: Limits = Limits()
    identity: Identity
    release: ReleaseSource
    policy: Policy = Policy()
    audit: Audit
    review: Review = Review()
    upstreams: tuple[Upstream, ...] = Field(min_length=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        names = [u.name for u in self.upstreams]
        if len(set(names)) != len(names):
            raise ValueError("upstreams: two upstreams have the same name")
        issuers = [i.issuer for i in self.identity.issuers]
        if len(set(issuers)) != len(issuers):
            raise ValueError("identity.issuers: two issuers have the same name")
        domains = [d.name for d in self.identity.trust_domains]
        if len(set(domains)) != len(domains):
            raise ValueError("identity.trust_domains: two trust domains have the same name")
        return self

    @model_validator(mode="after")
    def _production(self) -> Self:
        if self.profile != "production":
            return self
        lacking = {
            "identity.issuers: the production profile needs at least one token issuer": not self.identity.issuers,
            "release.path: the production profile refuses a release that nobody signed; name release.repository or "
            "release.url, with release.root and release.metadata": not self.release.signed,
            "marking_ceiling: the production profile needs the highest marking that this enclave is cleared for, "
            'such as "UNCLASSIFIED", "CUI" or "SECRET//NOFORN"': "marking_ceiling" not in self.model_fields_set,
            "listener.reflection: the production profile does not serve reflection": self.listener.reflection,
            "upstreams: the production profile has no loopback upstream": any(
                u.kind == "loopback" for u in self.upstreams
            ),
            "audit.dsn: the production profile needs sslmode=verify-full": not dsn.is_protected(self.audit.dsn),
            "audit.lock_dsn: the production profile needs sslmode=verify-full": not dsn.is_protected(
                self.audit.lock_dsn
            ),
            "audit.lock_store: the production profile needs lock_store or lock_dsn with a log in PostgreSQL: a "
            "database that was put back looks whole": self.audit.store == "postgresql"
            and self.audit.lock_store is None
            and self.audit.lock_dsn is None,
        }
        if any(lacking.values()):
            raise ValueError("\n".join(text for text, is_so in lacking.items() if is_so))
        return self


def load(path: Path) -> Config:
    """Read and check the file. Raises StartError that names file and key, and says what would be accepted."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartError(f"{path}: is not TOML: {error}") from error
    try:
        return Config.model_validate(raw, context={"base": path.parent.resolve()})
    except ValidationError as error:
        lines = [f"{path}: {_key(e['loc'])}{_say(e)}" for e in error.errors(include_input=False, include_url=False)]
        raise StartError("\n".join(lines)) from None


def read_private(path: Path, key: str) -> bytes:
    """The bytes of a private key or secret file. Raises StartError when it is missing or others can read it.

    key: the configuration key that named it, for the message.
    """
    try:
        found = path.stat().st_mode
        mode = stat.S_IMODE(found)
        if not stat.S_ISREG(found):
            raise StartError(f"{key}: {path} is not a file")
        if mode & 0o077:
            raise StartError(
                f"{key}: {path} can be read by others (mode {mode:04o})\n"
                f"a private key must be 0600; run: chmod 600 {path}"
            )
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def read_secret(path: Path, key: str) -> str:
    """The one word in a secret file, such as an API key. Raises StartError, without a part of it."""
    word = read_private(path, key).strip()
    if not re.fullmatch(rb"[!-~]+", word):
        raise StartError(f"{key}: {path} must hold one key of printable ASCII and nothing else")
    return word.decode("ascii")


def read_public(path: Path, key: str) -> bytes:
    """The bytes of a file that is no secret. Raises StartError when it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) + ": " if location else ""


FORMS = {
    "address": "host and port, such as 0.0.0.0:8443",
    "jwks_url": "an address that begins with https://",
    "url": "an address that begins with https://, without ? and #",
    "name": "a short name of lower-case letters, digits and hyphens",
    "digest": "64 hexadecimal digits in lower case",
    "opa_url": "scheme, host and port alone, such as http://127.0.0.1:8181",
    "origin": "a name without white space and +, such as gateway.agency.example/one",
    "log_origin": "a name without white space and +, such as gateway.agency.example/one/openings",
}
"""What is accepted where a pattern says it, for people."""


def _say(error: object) -> str:
    kind, message = str(error["type"]), str(error["msg"])  # type: ignore[index]  # pydantic's ErrorDetails
    if kind == "extra_forbidden":
        return "unknown key; see docs/operators-page.md for the keys"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch":
        key = str(error["loc"][-1])  # type: ignore[index]  # as above
        return f"must be {FORMS.get(key, message)}"
    return message.removeprefix("Value error, ")
