"""The documents of a release, typed strictly: unknown keys, wrong types and invalid values are refused."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.release.grants import Grant
from gateway.release.values import (
    Banner,
    Certificate,
    Country,
    Document,
    Id,
    Name,
    Revision,
    Sha256,
    Within,
    without_null,
)

MANIFEST: Final = "manifest.json"
WASM: Final = "policy.wasm"
DATA: Final = "data.json"
TENANTS: Final = "tenants.json"
GRANTS: Final = "grants.json"
MODELS: Final = "models.json"
SOURCES: Final = "rego/"
VECTORS: Final = "vectors.json"
"""The self-test that is part of a signed release: inputs, each with the decision that the policy has to make."""


def _nothing_here(value: object) -> object:
    """Refuse grants in tenants.json, so that its signer can't relax the provider's rules."""
    if value != []:
        raise ValueError(f"grants stand in {GRANTS}, which the provider signs; leave them out here")
    return value


class Manifest(Document):
    """manifest.json. signers: who signed this release. files: the SHA-256 of every other file, by relative path."""

    format: Literal[1]
    version: int = Field(ge=1)
    signers: list[Name]
    revision: Revision
    files: dict[Within, Sha256]


class PolicyManifest(Document):
    """manifest.json of a built policy that is not yet part of a release. files: SHA-256 by relative path."""

    format: Literal[1]
    revision: Revision
    files: dict[Within, Sha256]


class Quotas(Document):
    """How much a tenant may use over time. A quota that is not given is unlimited."""

    requests_per_minute: int = Field(default=0, ge=1, lt=2**31)
    bytes_per_hour: int = Field(default=0, ge=1, lt=2**53)
    tokens_per_hour: int = Field(default=0, ge=1, lt=2**53)
    spend_per_day: int = Field(default=0, ge=1, lt=2**53)


class Tenant(Document):
    """A tenant and its certificates."""

    class Attributes(Document):
        """The facts that every tenant has. A tenant may have more; rules see all of them as input.tenant."""

        model_config = ConfigDict(extra="allow")

        kind: Literal["civil", "dod", "intelligence", "law_enforcement"]
        region: Country
        owners: list[Country] = Field(min_length=1)
        national_security: bool
        policy: str = Field(pattern=r"^([a-z][a-z0-9_]*)?$")
        rules: list[Name]
        purposes: list[Name]
        models: list[Id]
        marking_ceiling: Banner
        grants: Annotated[list[Grant], BeforeValidator(_nothing_here)] = Field(default_factory=list)
        """Filled from grants.json when the release is loaded. tenants.json, which the agency signs, has none."""

    id: Id
    certificates: list[Certificate] = Field(min_length=1)
    quotas: Quotas | None = None
    attributes: Annotated[Attributes, BeforeValidator(without_null)]


class Tenants(Document):
    """tenants.json."""

    tenants: list[Tenant]


class Level(Document):
    """The capability level that a framework assigns to a model."""

    framework: Name
    level: Name


class Report(Document):
    """The report that supports a model's levels. issued, expires: milliseconds since 1970 UTC."""

    reference: Name
    issued: int = Field(ge=0)
    expires: int = Field(ge=1)


class Price(Document):
    """The price of a million bytes of text for the model, and of a million tokens, in the unit of `spend_per_day`."""

    million_bytes: int = Field(ge=0, lt=2**53)
    million_tokens: int = Field(ge=0, lt=2**53)


class Model(Document):
    """A model, and the upstream that serves it."""

    class Attributes(Document):
        """The facts that every model has. A model may have more; rules see all of them as input.model.

        issued, expires: of these facts, in milliseconds since 1970 UTC. enclaves: where the model may be asked.
        """

        model_config = ConfigDict(extra="allow")

        marking_ceiling: Banner
        levels: list[Level]
        safeguards: list[Name]
        report: Report
        issued: int = Field(ge=0)
        expires: int = Field(ge=1)
        enclaves: list[Name] = Field(min_length=1)

    id: Id
    description: str
    upstream: Name
    upstream_model: Name
    price: Price | None = None
    attributes: Annotated[Attributes, BeforeValidator(without_null)]


class Models(Document):
    """models.json."""

    models: list[Model]


class PolicyData(Document):
    """data.json: what rules read as data. Everything but the revision belongs to the policy."""

    model_config = ConfigDict(extra="allow")

    class Release(Document):
        """data.release: a digest over sources and data, so that each decision names the policy that made it."""

        revision: Revision

    release: Release


def plain(document: BaseModel) -> dict[str, Any]:
    """The document as JSON values."""
    return document.model_dump(mode="json", by_alias=True)
