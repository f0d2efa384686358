"""Checks the documents of a release against each other: certificates, grants, selected rules and prices.

Raises StartError that names file, line and field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from gateway.canonical import Json
from gateway.errors import StartError
from gateway.release import documents
from gateway.release.documents import GRANTS, MODELS, TENANTS, plain
from gateway.release.grants import Given
from gateway.release.lines import at
from gateway.types import Model, Tenant

_RULE: Final = r"rego/brightline/rules/{}/(?P<id>[a-z0-9_]+)/(?P=id)\.rego"
_BASELINE_RULE: Final = re.compile(_RULE.format("provider_baseline"))
_AGENCY_RULE: Final = re.compile(_RULE.format("agency"))
_GRANTED: Final = re.compile(rb"^#   (relaxed_by: grant|selected_by: grant)$", re.MULTILINE)
_SELECTED: Final = re.compile(rb"^#   selected_by: tenant$", re.MULTILINE)

_T = TypeVar("_T", Tenant, Model)


@dataclass(frozen=True, slots=True)
class Said:
    """The typed documents and the files that they were read from. path: of the release, for error messages."""

    path: Path
    files: Mapping[str, bytes]
    tenants: Sequence[documents.Tenant]
    grants: Sequence[Given]
    models: Sequence[Model]

    def agreed(self) -> list[Tenant]:
        """The tenants, each with its grants, if steps 7 to 9 of reading.py hold.

        A grant to a tenant that no longer exists has no effect.
        """
        tenants = self._granted()
        _one_owner(self.path / TENANTS, tenants)
        self._relaxing()
        self._selecting()
        self._priced()
        return tenants

    def _granted(self) -> list[Tenant]:
        grants: dict[str, list[Json]] = {tenant.id: [] for tenant in self.tenants}
        for grant in self.grants:
            if grant.tenant in grants:
                grants[grant.tenant].append({key: value for key, value in plain(grant).items() if key != "tenant"})
        return [
            Tenant(t.id, tuple(t.certificates), plain(t.attributes) | {"grants": grants[t.id]}, _quotas(t))
            for t in self.tenants
        ]

    def _relaxing(self) -> None:
        """A grant relaxes only a baseline rule whose METADATA allows grants. Its id is unique within the tenant."""
        relaxed, known, seen = self._saying(_BASELINE_RULE, _GRANTED), {t.id for t in self.tenants}, set()
        for number, grant in enumerate(self.grants):
            if grant.tenant not in known:
                continue
            if (grant.tenant, grant.id) in seen:
                raise StartError(
                    f"{self._at(GRANTS, 'grants', number, 'id')}: {grant.tenant}: grant {grant.id} is there twice; "
                    "an id names one"
                )
            seen.add((grant.tenant, grant.id))
            if grant.rule not in relaxed:
                raise StartError(
                    f"{self._at(GRANTS, 'grants', number, 'rule')}: {grant.tenant}: grant {grant.id}: "
                    f"no grant relaxes {grant.rule}\n"
                    f"a grant names one of: {', '.join(sorted(relaxed)) or 'none, in this policy'}"
                )

    def _selecting(self) -> None:
        """A tenant may select only rules whose METADATA says that they are selectable."""
        selected = self._saying(_AGENCY_RULE, _SELECTED)
        for number, tenant in enumerate(self.tenants):
            for place, rule in enumerate(tenant.attributes.rules):
                if rule not in selected:
                    raise StartError(
                        f"{self._at(TENANTS, 'tenants', number, 'attributes', 'rules', place)}: {tenant.id}: "
                        f"{rule} is no rule that a tenant selects\n"
                        f"a tenant selects any of: {', '.join(sorted(selected)) or 'none, in this policy'}"
                    )

    def _priced(self) -> None:
        """A model without a price is refused if a tenant with a spend limit may ask it: its cost can't be counted."""
        free = {model.id for model in self.models if model.price is None}
        for number, tenant in enumerate(self.tenants):
            bounded = tenant.quotas is not None and tenant.quotas.spend_per_day
            if bounded and (lacking := free.intersection(tenant.attributes.models)):
                raise StartError(
                    f"{self._at(TENANTS, 'tenants', number, 'quotas', 'spend_per_day')}: {tenant.id}: may ask "
                    f"{', '.join(sorted(lacking))}, which has no price\n"
                    f"give every model that it may ask a price in {MODELS}"
                )

    def _saying(self, place: re.Pattern[str], words: re.Pattern[bytes]) -> frozenset[str]:
        """The rules of a layer whose METADATA contains these words."""
        rules = ((place.fullmatch(name), raw) for name, raw in self.files.items())
        return frozenset(rule["id"] for rule, raw in rules if rule and words.search(raw))

    def _at(self, name: str, *where: str | int) -> str:
        return at(self.path / name, self.files[name], where)


def _quotas(tenant: documents.Tenant) -> dict[str, int]:
    return tenant.quotas.model_dump(exclude_unset=True) if tenant.quotas else {}


def _one_owner(path: Path, tenants: Iterable[Tenant]) -> None:
    owner: dict[str, str] = {}
    for tenant in tenants:
        for certificate in tenant.certificates:
            if certificate in owner:
                raise StartError(
                    f"{path}: {certificate} is listed for {owner[certificate]} and for {tenant.id}\n"
                    "a certificate names one tenant; remove one of the two"
                )
            owner[certificate] = tenant.id


def by_id(path: Path, items: Iterable[_T]) -> Mapping[str, _T]:
    """The tenants or the models by id. Raises StartError if an id occurs twice."""
    found: dict[str, _T] = {}
    for item in items:
        if item.id in found:
            raise StartError(f"{path}: {item.id} is there twice; an id names one, rename or remove the other")
        found[item.id] = item
    return MappingProxyType(found)
