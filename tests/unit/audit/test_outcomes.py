"""How a call ended, in words for its record."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from brightline_verify.record import Outcome
from gateway.audit import outcomes
from gateway.errors import GatewayError, Reason
from tests.support.logs import START_US, call

SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("total_us", "left_us", "late"),
    [
        (SECOND_US, 0, True),
        (SECOND_US, -SECOND_US, True),
        (SECOND_US, 20_000, True),
        (SECOND_US, 20_001, False),
        (60 * SECOND_US, 600_000, True),
        (60 * SECOND_US, 1_000_000, False),
    ],
)
def test_a_caller_that_leaves_at_its_deadline_is_late(total_us: int, left_us: int, late: bool) -> None:
    """Leaving with no more time left than gRPC adds by rounding counts as the deadline; leaving earlier does not."""
    deadline_us = START_US + total_us
    asked = replace(call(), deadline_us=deadline_us)
    assert outcomes.is_late(asked, deadline_us - left_us) is late


def test_a_call_without_deadline_is_never_late() -> None:
    """Who gave no deadline can only have cancelled."""
    assert not outcomes.is_late(call(), START_US * 2)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
def test_a_caller_that_went_away_cancelled(error: BaseException) -> None:
    """A cancelled task and a closed stream are both a cancellation by the caller."""
    assert outcomes.is_cancellation(error)
    assert outcomes.reason(error) is Reason.CANCELLED
    assert outcomes.before(error) is Outcome.CANCELLED
    assert outcomes.after(error, 0) is Outcome.CANCELLED
    assert outcomes.after(error, 1) is Outcome.PARTIAL


def test_every_reason_has_an_outcome_before_and_after_the_intent() -> None:
    """No reason ends as permitted or completed, and a fault that is none of ours is INTERNAL."""
    for reason in Reason:
        error = GatewayError(reason, "")
        assert not {outcomes.before(error), outcomes.after(error, 0)} & {Outcome.PERMITTED, Outcome.COMPLETED}
    assert outcomes.reason(KeyError("x")) is Reason.INTERNAL
    assert outcomes.after(None, 0) is Outcome.COMPLETED
