"""What a score may look like, wherever it comes from. Anything else is no score."""

from __future__ import annotations

from gateway.egress import failed


def thousandths(share: object) -> int:
    """A share from 0 to 1 in thousandths, rounded down. Raises GatewayError."""
    if type(share) not in {int, float} or not 0 <= share <= 1:  # type: ignore[operator]  # a number, by its type
        raise failed("a score that is no number from 0 to 1")
    return int(share * 1000)  # type: ignore[operator]  # as above


def whole(score: object) -> int:
    """Thousandths as they are. Raises GatewayError."""
    if type(score) is not int or not 0 <= score <= 1000:
        raise failed("a score that is no integer from 0 to 1000")
    return score
