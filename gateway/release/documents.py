"""The documents of a release, typed strictly: unknown keys, wrong types and values of another kind are refused."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway import marking
from gateway.types import Effector

MANIFEST: Final = "manifest.json"
WASM: Final = "policy.wasm"
DATA: Final = "data.json"
TENANTS: Final = "tenants.json"
GRANTS: Final = "grants.json"
MODELS: Final = "models.json"
SOURCES: Final = "rego/"
VECTORS: Final = "vectors.json"
"""What the policy has to decide about given inputs: the self-test that travels with a signed release."""


def _without_null(value: object) -> object:
    """Rules compare attributes, and null sorts below every number: a fact that is not there is a key left out."""
    pending = [value]
    while pending:
        item = pending.pop()
        if item is None:
            raise ValueError("null is no fact; leave the key out")
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return value


def _banner(value: str) -> str:
    """A ceiling is a banner line, or nobody could say what is below it."""
    if wrong := marking.explain(value):
        raise ValueError(f'"{value}" is not a banner line: {wrong}')
    return value


def _nothing_here(value: object) -> object:
    """Whoever signs tenants.json can't relax the provider's rules with it."""
    if value != []:
        raise ValueError(f"grants stand in {GRANTS}, which the provider signs; leave them out here")
    return value


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Banner = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_banner)]
Revision = Annotated[str, Field(min_length=1, max_length=128)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# ISO 3166-1 alpha-2.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]

# The SPIFFE ID of a workload (SPIFFE-ID section 2), or the SHA-256 of a certificate in DER: one spelling of each.
Certificate = Annotated[
    str, Field(pattern=r"^(spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+|sha256:[0-9a-f]{64})$", max_length=2048)
]


class Document(BaseModel):
    """What every document has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Manifest(Document):
    """manifest.json. signers: who signed this release. files: relative path to SHA-256 of everything else."""

    format: Literal[1]
    version: int = Field(ge=1)
    signers: list[Name]
    revision: Revision
    files: dict[str, Sha256]


class PolicyManifest(Document):
    """manifest.json of a built policy, before it is part of a release. files: relative path to SHA-256."""

    format: Literal[1]
    revision: Revision
    files: dict[str, Sha256]


class Text(Document):
    """Params of a condition that says something: to the caller, or to the record."""

    text: Name


class Says(Document):
    """A condition that says something."""

    kind: Literal["label", "oversight_label", "record_authority"]
    params: Text


class Limit(Document):
    """Params of a condition that keeps answers short."""

    limit: int = Field(ge=1, lt=2**31)


class Limits(Document):
    """A condition that keeps answers short."""

    kind: Literal["max_tokens"]
    params: Limit


class Effectors(Document):
    """Params of a condition that takes tools out of the call."""

    effectors: list[Effector] = Field(min_length=1)


class Removes(Document):
    """A condition that takes tools out of the call."""

    kind: Literal["remove_tools"]
    params: Effectors


class To(Document):
    """Params of a condition that asks another model."""

    model: Id


class Routes(Document):
    """A condition that asks another model."""

    kind: Literal["route"]
    params: To


class Class(Document):
    """Params of a condition that has content kept."""

    cls: Name = Field(alias="class")


class Seals(Document):
    """A condition that has prompt and answer kept, encrypted."""

    kind: Literal["seal_content"]
    params: Class


Condition = Annotated[Says | Limits | Removes | Routes | Seals, Field(discriminator="kind")]
"""An obligation that comes with a grant. One that no gateway understands would refuse every use of it."""


class Grant(Document):
    """What the provider granted a tenant by contract addendum: one rule relaxed, for some purposes, for a time.

    not_before, expires: milliseconds since 1970 UTC.
    """

    id: Id
    rule: Name
    purposes: list[Name] = Field(min_length=1)
    conditions: list[Condition]
    not_before: int = Field(ge=0)
    expires: int = Field(ge=1)
    addendum: Name

    @model_validator(mode="after")
    def _for_a_time(self) -> Self:
        if self.expires < self.not_before:
            raise ValueError("expires is before not_before, so it would never hold; correct one of the two")
        return self


class Given(Grant):
    """A grant, and the tenant that it is given to."""

    tenant: Id


class Grants(Document):
    """grants.json, the provider's: what relaxes its baseline stands where its own role signs, and nowhere else."""

    grants: list[Given]


class Quotas(Document):
    """What a tenant may use up over time; what is not said is not bounded."""

    requests_per_minute: int = Field(default=0, ge=1, lt=2**31)
    tokens_per_hour: int = Field(default=0, ge=1, lt=2**53)


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
    attributes: Annotated[Attributes, BeforeValidator(_without_null)]


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
    attributes: Annotated[Attributes, BeforeValidator(_without_null)]


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
