"""grants.json, typed strictly: what the provider relaxes for a tenant, for how long, and what it asks in return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gateway.release.values import Document, Id, Name
from gateway.types import Effector


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


def freed(grant: Mapping[str, Any], gone: Mapping[str, Any]) -> list[Any]:
    """The conditions that a use of both grants is freed of when one is gone and the other is left. As JSON values."""
    together = (
        grant["rule"] == gone["rule"]
        and not set(grant["purposes"]).isdisjoint(gone["purposes"])
        and grant["not_before"] <= gone["expires"]
        and gone["not_before"] <= grant["expires"]
    )
    return [condition for condition in gone["conditions"] if condition not in grant["conditions"]] if together else []
