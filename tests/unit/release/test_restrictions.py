"""What holders take away alone: exactly what they name is gone, for everybody, and told to whom it concerns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.release import restrictions
from gateway.release.parts import HOLDERS
from gateway.types import Release
from tests.support.releases import MODEL, TENANT, release

PURPOSES = ("summarisation", "translation")
GRANT: Any = {"rule": "weapons_design", "purposes": ["research"], "conditions": [], "not_before": 0, "expires": 9}
GRANTS: Any = {"agency": [{**GRANT, "id": "first"}], "bureau": [{**GRANT, "id": "second", "rule": "another"}]}
MODELS = ("large", "small")
AGREED = replace(
    release(b""),
    tenants={
        name: replace(
            TENANT,
            id=name,
            attributes={**TENANT.attributes, "models": [*MODELS], "purposes": [*PURPOSES], "grants": grants},
        )
        for name, grants in GRANTS.items()
    },
    models={name: replace(MODEL, id=name) for name in MODELS},
)
NAMES = {"tenants": [*GRANTS], "models": [*MODELS], "purposes": [*PURPOSES], "grants": ["first", "second"]}
GONE = st.fixed_dictionaries(
    {"format": st.just(1)},
    optional={kind: st.lists(st.sampled_from([*names, "nobody"]), unique=True) for kind, names in NAMES.items()},
)


def taken(alone: dict[str, Any]) -> Release:
    """The release once these holders have taken away what they name."""
    return restrictions.apply(Path("r"), AGREED, {holder: json.dumps(gone).encode() for holder, gone in alone.items()})


def said(found: Release) -> Any:
    """Who has what in a release."""
    lists = {name: {k: t.attributes[k] for k in ("models", "purposes", "grants")} for name, t in found.tenants.items()}
    return lists, [*found.models]


@given(st.dictionaries(st.sampled_from(HOLDERS), GONE, min_size=1))
def test_what_any_holder_names_is_gone_and_nothing_else(alone: dict[str, Any]) -> None:
    """Tenants, models, purposes and grants that one of them names are nobody's any more; all others stay."""
    gone = {kind: {name for document in alone.values() for name in document.get(kind, [])} for kind in NAMES}
    lists = {
        tenant: {
            "models": [name for name in MODELS if name not in gone["models"]],
            "purposes": [name for name in PURPOSES if name not in gone["purposes"]],
            "grants": [grant for grant in grants if grant["id"] not in gone["grants"]],
        }
        for tenant, grants in GRANTS.items()
        if tenant not in gone["tenants"]
    }
    found = taken(alone)
    assert said(found) == (lists, [name for name in MODELS if name not in gone["models"]])
    assert found.base == AGREED.digest != found.digest


def test_who_takes_it_away_is_told_to_whom_it_concerns() -> None:
    """A grant is told to the tenant that has it, a tenant's end to that tenant, and what all had to all."""
    (step,) = taken(
        {
            "agency": {"format": 1, "tenants": ["bureau"], "models": ["large"]},
            "provider": {"format": 1, "grants": ["first", "nobody"], "purposes": ["translation"]},
        }
    ).steps
    assert {(change.about, change.text) for change in step.changes} == {
        ("tenant bureau", "the agency alone takes away: tenant bureau"),
        ("model large", "the agency alone takes away: model large"),
        ("tenant agency", "the provider alone takes away: grant first"),
        ("", "the provider alone takes away: purpose translation"),
    }
