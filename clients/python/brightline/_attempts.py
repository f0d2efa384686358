"""Decides when a call may be retried: only if the gateway says that nothing of it reached a model.

1 the refusal is from this gateway and says retry_safe
2 its reason is transient
3 attempts are left
4 the pause ends before the deadline, which covers all attempts

A failed or broken connection carries no refusal and so fails step 1: gRPC does not say whether the request left.
"""

from __future__ import annotations

import random
import time

from brightline import _check
from brightline.errors import BrightlineError, DeadlineExceeded

TRANSIENT = frozenset(
    {
        "OVERLOADED",
        "POLICY_UNAVAILABLE",
        "AUDIT_UNAVAILABLE",
        "IDENTITY_UNAVAILABLE",
        "SHUTTING_DOWN",
        "UPSTREAM_UNAVAILABLE",
    }
)
FIRST_PAUSE_S = 0.1

LONGEST_S = 366 * 24 * 3600
"""Above some centuries, gRPC treats a deadline as already past."""


class Attempts:
    """The attempts of one call. retries: how many after the first. timeout_s: for all of them. Raises ValueError."""

    def __init__(self, retries: int, timeout_s: float) -> None:
        if not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_S:
            raise ValueError(f"timeout_s: must be a number of seconds above 0, at most {LONGEST_S}; got {timeout_s!r}")
        _check.integer("retries", retries, 0)
        self._left = retries
        self._before: BrightlineError | None = None
        self._pause_s = FIRST_PAUSE_S
        self._deadline_s = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline_s - time.monotonic())

    def with_token(self, target: str) -> None:
        """Check that time is left once the token has been obtained. Raises DeadlineExceeded."""
        if not self.remaining_s():
            raise DeadlineExceeded(f"{target}: no token within the time given; nothing was sent", retry_safe=True)

    def pause_s(self, error: BrightlineError) -> float:
        """Seconds to wait before the next attempt. Raises the error if there is none."""
        if self._before is not None and error.reason == "DUPLICATE_REQUEST":
            raise self._before from None  # an earlier attempt of this call used the idempotency key
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers; nothing secret
        pause_s = max(self._pause_s, (error.again_s or 0.0) * 2) * spread  # never shorter than the gateway asked for
        may = error.retry_safe and error.reason in TRANSIENT  # 1, 2
        if not may or self._left == 0 or pause_s >= self.remaining_s():  # 3, 4
            raise error from None  # gRPC's own error repeats the peer's text
        self._left -= 1
        self._before = error
        self._pause_s *= 2
        return pause_s
