"""Derives the outcome of a call, for its record, from the exception that ended the call."""

from __future__ import annotations

import asyncio
from typing import Final

from brightline_verify.record import Outcome
from gateway.errors import GatewayError, Reason
from gateway.types import Call

_BEFORE: Final = {
    Reason.APPROVAL_REQUIRED: Outcome.PENDING,
    Reason.CANCELLED: Outcome.CANCELLED,
    Reason.DEADLINE_EXCEEDED: Outcome.DEADLINE,
    Reason.POLICY_UNAVAILABLE: Outcome.ERROR,
    Reason.IDENTITY_UNAVAILABLE: Outcome.ERROR,
    Reason.UPSTREAM_UNAVAILABLE: Outcome.ERROR,
    Reason.AUDIT_UNAVAILABLE: Outcome.ERROR,
    Reason.INTERNAL: Outcome.ERROR,
    Reason.REVIEW_UNAVAILABLE: Outcome.ERROR,
}
_AFTER: Final = {
    Reason.CANCELLED: Outcome.CANCELLED,
    Reason.DEADLINE_EXCEEDED: Outcome.DEADLINE,
    Reason.UPSTREAM_UNAVAILABLE: Outcome.UPSTREAM_ERROR,
    Reason.UPSTREAM_FAILED: Outcome.UPSTREAM_ERROR,
}
_EARLY_US: Final = 20_000
"""Tolerance for deadlines of about a second or less: clock differences and time on the way."""


def is_cancellation(error: BaseException | None) -> bool:
    """Whether the caller went away: its task was cancelled, or the stream that it read was closed."""
    return isinstance(error, asyncio.CancelledError | GeneratorExit)


def is_late(call: Call, now_us: int) -> bool:
    """Whether a caller that went away did so because its deadline passed.

    gRPC reports a deadline rounded up, by a hundredth at most, so the caller's own deadline is a little earlier.
    """
    if call.deadline_us is None:
        return False
    return call.deadline_us - now_us <= max(_EARLY_US, (call.deadline_us - call.received_us) // 64)


def reason(error: BaseException | None) -> Reason | None:
    """The public reason; None if the call succeeded."""
    if error is None:
        return None
    if isinstance(error, GatewayError):
        return error.reason
    return Reason.CANCELLED if is_cancellation(error) else Reason.INTERNAL


def before(error: BaseException) -> Outcome:
    """The outcome of a call that was never forwarded."""
    return _BEFORE.get(reason(error) or Reason.INTERNAL, Outcome.REFUSED)


def begun(given: int | None) -> Outcome:
    """The outcome of a call that reads the log. given: the number of records; None for a stream that begins now."""
    return Outcome.PERMITTED if given is None else Outcome.COMPLETED


def after(error: BaseException | None, bytes_released: int) -> Outcome:
    """The outcome of a call that was permitted and may have been forwarded."""
    why = reason(error)
    if why is None:
        return Outcome.COMPLETED
    if why is Reason.OUTPUT_DENIED:
        return Outcome.REFUSED_OUTPUT
    return Outcome.PARTIAL if bytes_released else _AFTER.get(why, Outcome.ERROR)
