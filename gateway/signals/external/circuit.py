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
        self._trying = False

    def enter(self) -> bool:
        """Whether the service may be asked now. Who was told so has to call `leave`."""
        if self._failures < self._most:
            return True
        if self._trying or self._now() < self._until:
            return False
        self._trying = True
        return True

    def leave(self, answered: bool | None) -> None:
        """Say whether it answered; None where nobody waited for it to."""
        self._trying = False
        if answered:
            self._failures = 0
        elif answered is False:
            self._failures += 1
            self._until = self._now() + self._pause_s
