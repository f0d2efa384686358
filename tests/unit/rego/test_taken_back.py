"""What one holder takes away alone, decided: no restriction makes anything wider than what both signed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.release import restrictions
from gateway.release.parts import AGENCY, HOLDERS
from gateway.types import Decision, Effect
from gateway.workshop.changes import LOOSER, STRICTER, changes
from gateway.workshop.deciding import Decide
from tests.support.releases import TENANT, release
from tests.support.vectors import load

GRANTED = next(vector.input for vector in load() if vector.id == "weapons_design.granted")
(GRANT,) = GRANTED["tenant"]["grants"]
SEALED: Any = {"kind": "seal_content", "params": {"class": "standard"}}
SHORT: Any = {"kind": "max_tokens", "params": {"limit": 100}}
CONDITIONED: Any = {**GRANT, "id": "conditioned", "conditions": [SEALED, SHORT]}


def decided(decide: Decide, grants: Any) -> Decision:
    (made,) = decide([{**GRANTED, "tenant": {**GRANTED["tenant"], "grants": grants}}])
    assert isinstance(made, Decision)
    return made


def left(grants: list[Any], gone: list[str], holder: str) -> Any:
    """The grants of the tenant once a holder took some away."""
    agreed = replace(release(b""), tenants={TENANT.id: having(grants)})
    document = json.dumps({"format": 1, "grants": gone}).encode()
    return restrictions.apply(Path("r"), agreed, {holder: document}).tenants[TENANT.id].attributes["grants"]


def having(grants: list[Any]) -> Any:
    return replace(TENANT, attributes={**TENANT.attributes, "grants": grants})


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("other", [GRANT, {**GRANT, "conditions": [SHORT]}])
def test_a_use_of_two_grants_keeps_the_conditions_of_both(decide: Decide, other: Any, holder: str) -> None:
    """Who takes away the one of two grants that has conditions does not free the use that the other relaxes, too."""
    before, after = (
        decided(decide, grants)
        for grants in ([CONDITIONED, other], left([CONDITIONED, other], ["conditioned"], holder))
    )
    assert (before.effect, after.effect) == (Effect.ALLOW, Effect.ALLOW)
    assert before.grants == ("conditioned", GRANT["id"])
    assert after.grants == (GRANT["id"],)
    assert after.obligations == before.obligations
    assert {o.kind for o in after.obligations} > {"seal_content", "max_tokens"}


@pytest.mark.parametrize(
    "other",
    [
        {**GRANT, "rule": "cyber_unauthorized"},
        {**GRANT, "purposes": ["research"]},
        {**GRANT, "not_before": CONDITIONED["expires"] + 1, "expires": CONDITIONED["expires"] + 2},
        {**GRANT, "not_before": 1, "expires": CONDITIONED["not_before"] - 1},
    ],
    ids=["rule", "purpose", "later", "before"],
)
def test_a_grant_for_something_else_stays_as_it_was_signed(other: Any) -> None:
    """Of another rule, for other purposes or at another time no use has both, so that none is freed of anything."""
    assert left([CONDITIONED, other], ["conditioned"], AGENCY) == [other]


@pytest.mark.parametrize(
    "held",
    [
        {"not_before": CONDITIONED["expires"], "expires": CONDITIONED["expires"] + 1},
        {"not_before": 1, "expires": CONDITIONED["not_before"]},
    ],
    ids=["last", "first"],
)
def test_grants_that_share_a_moment_share_conditions(held: Any) -> None:
    """Both hold at the moment when one begins and the other ends, so a use at that moment keeps its conditions."""
    other = {**GRANT, **held}
    assert left([CONDITIONED, other], ["conditioned"], AGENCY) == [{**other, "conditions": [SEALED, SHORT]}]


def test_the_conditions_of_every_grant_that_was_taken_stay() -> None:
    """Where a holder takes several grants away, those that are left keep the conditions of each of them."""
    sealed, short = ({**GRANT, "id": o["kind"], "conditions": [o]} for o in (SEALED, SHORT))
    kept = left([sealed, short, GRANT], [sealed["id"], short["id"]], AGENCY)
    assert kept == [{**GRANT, "conditions": [SEALED, SHORT]}]


@pytest.mark.parametrize(("other", "direction"), [(GRANT, LOOSER), ({**CONDITIONED, "id": "other"}, STRICTER)])
def test_a_release_without_a_grant_is_told_by_what_it_frees(other: Any, direction: str) -> None:
    """In a release that both sign the conditions do go with their grant, and the signers are told so."""
    old, new = (replace(release(b""), tenants={TENANT.id: having(g)}) for g in ([CONDITIONED, other], [other]))
    (told,) = changes(old, new, {}, {})
    assert told.direction == direction
    assert ("is freed of its conditions" in told.text) == (direction == LOOSER)
