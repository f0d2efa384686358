"""The documents of a release, typed strictly: unknown keys, wrong types and values of another kind are refused."""

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
"""What the policy has to decide about given inputs: the self-test that travels with a signed release."""


def _nothing_here(value: object) -> object:
    """Whoever signs tenants.json can't relax the provider's rules with it."""
    if value != []:
        raise ValueError(f"grants stand in {GRANTS}, which the provider signs; leave them out here")
    return value


class Manifest(Document):
    """manifest.json. signers: who signed this release. files: relative path to SHA-256 of everything else."""

    format: Literal[1]
    version: int = Field(ge=1)
    signers: list[Name]
    revision: Revision
    files: dict[Within, Sha256]


class PolicyManifest(Document):
    """manifest.json of a built policy, before it is part of a release. files: relative path to SHA-256."""

    format: Literal[1]
    revision: Revision
    files: dict[Within, Sha256]


class Quotas(Document):
    """What a tenant may use up over time; what is not said is not bounded."""

    requests_per_minute: int = Field(default=0, ge=1, lt=2**31)
    bytes_per_hour: int = Field(default=0, ge=1, lt=2**53)
    tokens_per_hour: int = Field(default=0, ge=1, lt=2**53)
    spend_per_day: int = Field(default=0, ge=1, lt=2**53)


class Tenant(Document):
    """A tenant, and the certificates that are its own."""

    class Attributes(Document):
        """The facts that every tenant has; more may stand beside them, and rules see them all as input.tenant."""

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
        """Of a loaded tenant, from grants.json. In tenants.json, which is the agency's, there are none."""

    id: Id
    certificates: list[Certificate] = Field(min_length=1)
    quotas: Quotas | None = None
    attributes: Annotated[Attributes, BeforeValidator(without_null)]


class Tenants(Document):
    """tenants.json."""

    tenants: list[Tenant]


class Level(Document):
    """The capability level that a framework gives a model."""

    framework: Name
    level: Name


class Report(Document):
    """The report that a model's levels rest on. issued, expires: milliseconds since 1970 UTC."""

    reference: Name
    issued: int = Field(ge=0)
    expires: int = Field(ge=1)


class Price(Document):
    """What a million bytes of texts for the model cost, and a million tokens of it, in the unit of `spend_per_day`."""

    million_bytes: int = Field(ge=0, lt=2**53)
    million_tokens: int = Field(ge=0, lt=2**53)


class Model(Document):
    """A model, and the upstream that serves it."""

    class Attributes(Document):
        """The facts that every model has; more may stand beside them, and rules see them all as input.model.

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
    """data.json: what rules read as data. Beside the revision it is the policy's own."""

    model_config = ConfigDict(extra="allow")

    class Release(Document):
        """data.release: a digest over the sources and the data, so that a decision says which policy decided."""

        revision: Revision

    release: Release


def plain(document: BaseModel) -> dict[str, Any]:
    """The document as JSON values."""
    return document.model_dump(mode="json", by_alias=True)
