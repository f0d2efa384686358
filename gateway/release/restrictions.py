"""Restrictions that one holder signs alone and that take effect at once, without the other holder's signature.

Each holder may have a file restrictions.json among its own targets. A restriction only removes, so the result is never
wider than what both holders signed. Names that don't exist remove nothing. A use that two grants relax has the
conditions of both, so a remaining grant keeps the conditions of a removed one. A later restriction of the same holder
replaces the earlier one, so a holder can withdraw its own restriction, back to what both signed and no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from gateway.canonical import Json, digest
from gateway.release.grants import freed
from gateway.release.reading import parsed
from gateway.release.values import Document, Id, Name
from gateway.types import Change, Release, Step, Tenant

NAME: Final = "restrictions.json"
MAX_BYTES: Final = 1 << 20


class Restrictions(Document):
    """restrictions.json: ids of tenants, models and grants to remove, and purposes to remove from every tenant."""

    format: Literal[1]
    tenants: list[Id] = Field(default_factory=list)
    models: list[Id] = Field(default_factory=list)
    grants: list[Id] = Field(default_factory=list)
    purposes: list[Name] = Field(default_factory=list)


def apply(where: Path, agreed: Release, alone: Mapping[str, bytes]) -> Release:
    """The release without what the restrictions remove. alone: restrictions.json by holder. Raises StartError."""
    if not alone:
        return agreed
    documents = {holder: parsed(where / holder / NAME, raw, Restrictions) for holder, raw in alone.items()}
    narrower = agreed
    for document in documents.values():
        narrower = replace(
            narrower,
            tenants={i: _tenant(t, document) for i, t in narrower.tenants.items() if i not in document.tenants},
            models={i: m for i, m in narrower.models.items() if i not in document.models},
        )
    values: dict[str, Json] = {holder: document.model_dump() for holder, document in documents.items()}
    found = digest({"release": agreed.digest, **values})
    said = tuple(change for holder, document in documents.items() for change in _changes(holder, document, agreed))
    step = Step(agreed.digest, found, agreed.version, said)
    return replace(narrower, digest=found, base=agreed.digest, steps=(step,))


def _changes(holder: str, document: Restrictions, agreed: Release) -> Iterator[Change]:
    """The changes in plain language, each with its audience."""
    for purpose in document.purposes:
        yield Change("stricter", f"the {holder} alone takes away: purpose {purpose}", "")
    for model in document.models:
        yield Change("stricter", f"the {holder} alone takes away: model {model}", f"model {model}")
    for name in document.tenants:
        yield Change("stricter", f"the {holder} alone takes away: tenant {name}", f"tenant {name}")
    for grant in document.grants:
        for tenant in agreed.tenants.values():
            if any(isinstance(g, Mapping) and g["id"] == grant for g in _list(tenant.attributes["grants"])):
                yield Change("stricter", f"the {holder} alone takes away: grant {grant}", f"tenant {tenant.id}")


def _tenant(tenant: Tenant, document: Restrictions) -> Tenant:
    attributes = dict(tenant.attributes)
    for key, gone in (("models", document.models), ("purposes", document.purposes)):
        attributes[key] = [item for item in _list(attributes[key]) if item not in gone]
    grants = [grant for grant in _list(attributes["grants"]) if isinstance(grant, Mapping)]
    taken = [grant for grant in grants if grant["id"] in document.grants]
    attributes["grants"] = [_left(grant, taken) for grant in grants if grant not in taken]
    return replace(tenant, attributes=attributes)


def _left(grant: Mapping[str, Json], taken: Sequence[Mapping[str, Json]]) -> Json:
    for other in taken:
        grant = {**grant, "conditions": [*_list(grant["conditions"]), *freed(grant, other)]}
    return grant


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("the attribute was typed as a list")
    return value
