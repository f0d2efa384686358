"""The tenants of a release, kept as JSON text; each object is made at its first use.

Of ten thousand tenants, few call. As objects, all of them would be a million, to be made, walked by the garbage
collector, and freed while calls wait. A single text avoids that, and can be handed to another process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Final

import orjson

from gateway.canonical import Json, canonical
from gateway.types.releases import Tenant

CEILING: Final = "marking_ceiling"


def owners(tenants: Mapping[str, Tenant]) -> Mapping[str, str]:
    """The tenant id of each certificate name. A name that two tenants claim belongs to neither."""
    if isinstance(tenants, Packed):
        return tenants.owners
    index: dict[str, str] = {}
    claimed_twice = set()
    for tenant in tenants.values():
        for name in tenant.certificates:
            if index.setdefault(name, tenant.id) != tenant.id:
                claimed_twice.add(name)
    return {name: tenant for name, tenant in index.items() if name not in claimed_twice}


def ceilings(tenants: Mapping[str, Tenant]) -> Mapping[str, str]:
    """Every ceiling that a tenant has, with the last tenant that has it."""
    if isinstance(tenants, Packed):
        return tenants.ceilings
    return {str(tenant.attributes.get(CEILING, "")): tenant.id for tenant in tenants.values()}


class Packed(Mapping[str, Tenant]):
    """Tenants by id. owners, ceilings: see above. They concern all tenants, and were computed when packing."""

    def __init__(self, text: bytes, places: Mapping[str, Json]) -> None:
        """Raises ValueError, TypeError or KeyError unless both arguments are from one `packed`."""
        ids, lengths = places["ids"], places["lengths"]
        if not isinstance(ids, list) or not isinstance(lengths, list):
            raise TypeError("ids and lengths are lists")
        ends = [0, *accumulate(lengths)]
        if len(ids) != len(lengths) or ends[-1] != len(text) or min(lengths, default=0) < 0:
            raise ValueError("the places are not those of this text")
        self.owners: Mapping[str, str] = _texts(places["owners"])
        self.ceilings: Mapping[str, str] = _texts(places["ceilings"])
        self._text = text
        self._places = dict(zip(ids, pairwise(ends), strict=True))
        self._made: dict[str, Tenant] = {}

    @classmethod
    def of(cls, tenants: Mapping[str, Tenant]) -> Packed:
        """Pack these tenants, unless they are packed already."""
        return tenants if isinstance(tenants, cls) else cls(*packed(tenants))

    def __getitem__(self, name: str) -> Tenant:
        made = self._made.get(name)
        if made is None:
            start, end = self._places[name]
            certificates, attributes, quotas = orjson.loads(self._text[start:end])
            made = self._made[name] = Tenant(name, tuple(certificates), attributes, quotas)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def packed(tenants: Mapping[str, Tenant]) -> tuple[bytes, dict[str, Json]]:
    """The tenants' text; and the position of each tenant in it, with `owners` and `ceilings`."""
    texts = [canonical([t.certificates, t.attributes, t.quotas]) for t in tenants.values()]
    return b"".join(texts), {
        "ids": [*tenants],
        "lengths": [len(text) for text in texts],
        "owners": owners(tenants),
        "ceilings": ceilings(tenants),
    }


def _texts(value: Json) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise TypeError("is no object of texts")
    return value
