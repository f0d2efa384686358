"""grants.json, typed strictly: which rules the provider relaxes for a tenant, until when, and on which conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gateway.release.values import Document, Id, Name
from gateway.types import Effector


class Text(Document):
    """Params of a condition that tells the caller or the record something."""

    text: Name


class Says(Document):
    """A condition that tells the caller or the record something."""

    kind: Literal["label", "oversight_label", "record_authority"]
    params: Text


class Limit(Document):
    """Params of a condition that limits the length of answers."""

    limit: int = Field(ge=1, lt=2**31)


class Limits(Document):
    """A condition that limits the length of answers."""

    kind: Literal["max_tokens"]
    params: Limit


class Effectors(Document):
    """Params of a condition that removes tools from the call."""

    effectors: list[Effector] = Field(min_length=1)


class Removes(Document):
    """A condition that removes tools from the call."""

    kind: Literal["remove_tools"]
    params: Effectors


class To(Document):
    """Params of a condition that routes the call to another model."""

    model: Id


class Routes(Document):
    """A condition that routes the call to another model."""

    kind: Literal["route"]
    params: To


class Class(Document):
    """Params of a condition that seals content."""

    cls: Name = Field(alias="class")


class Seals(Document):
    """A condition that keeps prompt and answer, encrypted."""

    kind: Literal["seal_content"]
    params: Class


Condition = Annotated[Says | Limits | Removes | Routes | Seals, Field(discriminator="kind")]
"""An obligation that a grant brings with it. The kinds are closed: an unknown one would have every use of the grant
refused."""


class Grant(Document):
    """A grant by contract addendum: one rule relaxed for one tenant, for some purposes and a limited time.

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
    """A grant with the tenant that has it."""

    tenant: Id


class Grants(Document):
    """grants.json. Only the provider's role can sign it, so only the provider can relax its baseline."""

    grants: list[Given]


def freed(grant: Mapping[str, Any], gone: Mapping[str, Any]) -> list[Any]:
    """The conditions of `gone` that would fall away from uses that both grants relax, if only `grant` were left."""
    together = (
        grant["rule"] == gone["rule"]
        and not set(grant["purposes"]).isdisjoint(gone["purposes"])
        and grant["not_before"] <= gone["expires"]
        and gone["not_before"] <= grant["expires"]
    )
    return [condition for condition in gone["conditions"] if condition not in grant["conditions"]] if together else []
