"""The tenants of a release in the room of their JSON: each is made when it is first asked for.

Of ten thousand few call. As objects they would be a million: made, walked over by the garbage collector and freed one
day while calls wait. One text is none of that, and can be handed from one process to another.
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
    """The tenant id of each certificate name. A name that two tenants claim is nobody's."""
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
    """Every ceiling that a tenant has, and the last tenant that has it."""
    if isinstance(tenants, Packed):
        return tenants.ceilings
    return {str(tenant.attributes.get(CEILING, "")): tenant.id for tenant in tenants.values()}


class Packed(Mapping[str, Tenant]):
    """Tenants by their ids. owners, ceilings: see above; what is to be known of all was found when they were packed."""

    def __init__(self, text: bytes, places: Mapping[str, Json]) -> None:
        """Raises ValueError, TypeError or KeyError unless both are of one `packed`."""
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
        """These tenants."""
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
    """Their text, and where in it each of them is, with what else is known of all."""
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
