"""Sections about the release, the policy engine, the detectors and the upstreams."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.config.values import FilePath, Milliseconds, Section


class ReleaseSource(Section):
    """The source of the release. Exactly one of path (an unsigned folder), repository (a folder) and url (HTTPS).

    A repository, in a folder or at a URL, is signed. root is the trusted root, pinned at deployment. metadata is a
    folder that only this gateway uses. digest pins one release. warn_before_s: how long before expiry the log warns.
    file_s: the limit for one file.
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
        """Whether the release has to be signed."""
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


class External(Section):
    """An external detector, asked over HTTP. Without an answer in time and in the right shape there is no score.

    base_url, api_key, ca, connect_ms: as for an upstream. model: the model that has to answer; for kind http, the
    version.
    categories: maps the detector's categories to signals, such as "S9" = "cbrn". characters: the most text in one
    request.
    rubric: for anthropic only, a file with instructions that replace the gateway's own.
    failures: after this many failures in a row the detector is not asked for pause_s.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    kind: Literal["http", "moderation", "guard", "anthropic"]
    base_url: str
    api_key: FilePath | None = None
    ca: FilePath | None = None
    connect_ms: Milliseconds = 500
    model: str = Field(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")
    categories: dict[str, str] = Field(min_length=1)
    rubric: FilePath | None = None
    characters: int = Field(default=16_000, ge=1_000, le=1_048_576)
    deadline_ms: int = Field(default=1_000, ge=10, le=10_000)
    failures: int = Field(default=5, ge=1, le=1_000)
    pause_s: int = Field(default=10, ge=1, le=3_600)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.rubric is not None and self.kind != "anthropic":
            raise ValueError(f"rubric: a detector of kind {self.kind} has no such key")
        return self


class Signals(Section):
    """Which detectors read content, and their time limits.

    learned: whether the learned detector reads too, by default yes; the lexical detector always does. languages:
    whether the learned detector reads other languages than English; if not, text in them can't be read. external:
    external detectors. A detector that is late or not enabled adds no score: the versions on each record name the
    detectors that read. live_s: how long one of the gateway's own detectors counts as live after an answer.
    """

    learned: bool = True
    languages: bool = True
    external: tuple[External, ...] = ()
    deadline_ms: int = Field(default=10_000, ge=10, le=60_000)
    live_s: int = Field(default=60, ge=1, le=3600)

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        names = [one.name for one in self.external]
        if len(set(names)) != len(names):
            raise ValueError("external: two detectors have the same name")
        return self


class Policy(Section):
    """Which engine decides, and its limits.

    For an Open Policy Agent server: opa_ca are PEM roots, trusted instead of the system's. opa_token is a file that
    holds only a bearer token. opa_certificate and opa_key are the gateway's TLS client certificate.
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


class Upstream(Section):
    """A model service behind the gateway. api_key: a file that holds only the key.

    base_url: https, or http to a loopback address. ca: PEM roots, trusted instead of the system's.
    failures: after this many failed connections in a row the service is not asked for pause_s.
    journal: for a loopback only; one line for each forwarded call, durable before the call is answered.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    kind: Literal["loopback", "anthropic", "openai"]
    base_url: str | None = None
    api_key: FilePath | None = None
    ca: FilePath | None = None
    connect_ms: Milliseconds = 2_000
    failures: int = Field(default=5, ge=1, le=1_000)
    pause_s: int = Field(default=10, ge=1, le=3_600)
    journal: FilePath | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.journal is not None and self.kind != "loopback":
            raise ValueError(f"journal: an upstream of kind {self.kind} has no such key")
        return self
