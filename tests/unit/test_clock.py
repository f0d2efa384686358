"""The clock: believed until somebody sets it."""

from __future__ import annotations

import pytest

from gateway.clock import TOLERANCE_US, Clock
from gateway.errors import GatewayError, Reason

HOUR_US = 3_600_000_000


class Times:
    """A wall clock and a monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000_000_000
        self.monotonic = 7


def test_time_that_passes_is_believed() -> None:
    """A wall clock that moves with the monotonic clock passes the check, also after a month."""
    times = Times()
    clock = Clock(lambda: times.wall, lambda: times.monotonic)
    times.wall += 720 * HOUR_US
    times.monotonic += 720 * HOUR_US
    clock.check()
    assert clock() == times.wall
    assert clock.drift_us() == 0


@pytest.mark.parametrize("jump_us", [-HOUR_US, 24 * HOUR_US, TOLERANCE_US + 1, -TOLERANCE_US - 1])
def test_a_clock_that_was_set_is_refused_until_it_agrees_again(jump_us: int) -> None:
    """A jump in either direction refuses with CLOCK_UNTRUSTED; undoing it is enough to go on."""
    times = Times()
    clock = Clock(lambda: times.wall, lambda: times.monotonic)
    times.wall += jump_us
    with pytest.raises(GatewayError) as refused:
        clock.check()
    assert refused.value.reason is Reason.CLOCK_UNTRUSTED
    times.wall -= jump_us
    clock.check()


@pytest.mark.parametrize("slew_us", [TOLERANCE_US, -TOLERANCE_US])
def test_corrections_within_the_tolerance_are_believed(slew_us: int) -> None:
    """What a time service corrects while running does not refuse calls."""
    times = Times()
    clock = Clock(lambda: times.wall, lambda: times.monotonic)
    times.wall += slew_us
    clock.check()
    assert clock.drift_us() == slew_us
