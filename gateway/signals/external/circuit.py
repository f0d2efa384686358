"""A circuit breaker: a service that fails again and again is left alone for a while, and then asked once.

closed    asked; so many failures in a row open it
open      not asked, until the pause is over
trying    one is asked; its answer closes the circuit, its failure opens it again
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Circuit:
    """The state of one service. now: seconds that never go back."""

    def __init__(self, failures: int, pause_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._pause_s, self._now = failures, pause_s, now
        self._failures = 0
        self._until = 0.0
        self._trial = 0
        """The number of the call that finds out whether the service is back, 0 while there is none."""
        self._calls = 0

    def enter(self) -> int:
        """A number for `leave` when the service may be asked now, else 0."""
        if self._failures >= self._most and (self._trial or self._now() < self._until):
            return 0
        self._calls += 1
        if self._failures >= self._most:
            self._trial = self._calls
        return self._calls

    def leave(self, call: int, answered: bool | None) -> None:
        """Say whether it answered that call; None where nobody waited for it to."""
        if call == self._trial:
            self._trial = 0
        if answered:
            self._failures = 0
        elif answered is False:
            self._failures += 1
            self._until = self._now() + self._pause_s
