"""What a caller is told of releases: the way from one to another, and only what is for its tenant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import GatewayError, Reason
from gateway.policy_info import Between, between, told
from gateway.types import Change, Compared, Release, Step
from tests.support.releases import TENANT

A, B, C = "a" * 64, "b" * 64, "c" * 64
STEPS = (Step("", A, 1, ()), Step(A, B, 2, ()), Step(B, C, 3, ()))
RELEASE = Release(C, 3, (), "r", b"", {}, {}, {}, steps=STEPS)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("", "", STEPS[2:]),
        (A, "", STEPS[1:]),
        (A, B, STEPS[1:2]),
        ("", A, STEPS[:1]),
        (C, "", ()),
        (B, B, ()),
    ],
)
def test_the_way_between_two_releases(before: str, after: str, found: tuple[Step, ...]) -> None:
    """The steps come oldest first; no name means the last step, or what is in force."""
    assert between(RELEASE, Between(before, after)) == found


@pytest.mark.parametrize(("before", "after"), [(C, A), ("d" * 64, ""), ("", "d" * 64), (A, "d" * 64)])
def test_a_way_that_nobody_saw(before: str, after: str) -> None:
    """The newer one named first, and releases that were never seen, are NOT_FOUND."""
    with pytest.raises(GatewayError) as refused:
        between(RELEASE, Between(before, after))
    assert refused.value.reason is Reason.NOT_FOUND


def test_steps_that_go_round_end() -> None:
    """Signed metadata that names releases in a circle is no endless way."""
    round_ = replace(RELEASE, steps=(Step(C, B, 2, ()), Step(B, C, 3, ())))
    with pytest.raises(GatewayError):
        between(round_, Between(A, ""))


def test_only_what_is_for_the_tenant_is_told() -> None:
    """Of other tenants, their models and rules, and of numbers in the policy's data, nothing is told."""
    tenant = replace(TENANT, attributes={**TENANT.attributes, "models": ["general"], "policy": "mine"})
    mine = ["", f"tenant {tenant.id}", "model general", "agency mine"]
    others = ["tenant other", f"tenant {tenant.id}x", "model secret", "agency other", "agency ", "signers", "later"]
    step = Step(
        A,
        B,
        2,
        tuple(Change("looser", f"about {about}", about) for about in [*others, *mine]),
        tuple(Compared(about, 1, 1, 0, (about,)) for about in [*others, *mine]),
    )
    found = told(step, tenant)
    assert [change.about for change in found.changes] == mine
    assert [part.about for part in found.compared] == mine
