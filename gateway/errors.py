"""The errors with which a call is refused or fails. Ground floor: imports nothing of the gateway.

A step raises only GatewayError on purpose. Any other exception is a fault of the gateway, and the caller gets INTERNAL.
`message` and `field` may reach the caller; `detail` is logged and never leaves the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The public reasons: brightline.v1.Reason without its prefix. A test keeps the two lists equal."""

    POLICY_DENIED = "POLICY_DENIED"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    OUTPUT_DENIED = "OUTPUT_DENIED"
    CERTIFICATE_INVALID = "CERTIFICATE_INVALID"
    TENANT_UNKNOWN = "TENANT_UNKNOWN"
    TOKEN_MISSING = "TOKEN_MISSING"  # noqa: S105 - a reason, not a secret
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a reason, not a secret
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason, not a secret
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED"
    TOKEN_NOT_BOUND = "TOKEN_NOT_BOUND"  # noqa: S105 - a reason, not a secret
    TENANT_MISMATCH = "TENANT_MISMATCH"
    TOKEN_REPLAYED = "TOKEN_REPLAYED"  # noqa: S105 - a reason, not a secret
    INVALID_REQUEST = "INVALID_REQUEST"
    PART_UNREADABLE = "PART_UNREADABLE"
    DEADLINE_REQUIRED = "DEADLINE_REQUIRED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    OVERLOADED = "OVERLOADED"
    DUPLICATE_REQUEST = "DUPLICATE_REQUEST"
    POLICY_UNAVAILABLE = "POLICY_UNAVAILABLE"
    AUDIT_UNAVAILABLE = "AUDIT_UNAVAILABLE"
    IDENTITY_UNAVAILABLE = "IDENTITY_UNAVAILABLE"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    INTERNAL = "INTERNAL"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    NOT_FOUND = "NOT_FOUND"
    ROLE_REQUIRED = "ROLE_REQUIRED"
    REVIEW_UNAVAILABLE = "REVIEW_UNAVAILABLE"
    RELEASE_NOT_IN_FORCE = "RELEASE_NOT_IN_FORCE"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    APPROVAL_INVALID = "APPROVAL_INVALID"


@dataclass(frozen=True, slots=True)
class Source:
    """A source that a rule rests on. `read`: first_hand, second_hand or general_knowledge."""

    title: str
    read: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that fired, as shown to the caller: never with a threshold or a score."""

    id: str
    title: str
    cls: str
    remedy: str
    sources: tuple[Source, ...]
    effect: str


class GatewayError(Exception):
    """The one error that steps raise.

    reason: the public reason. message: one sentence for the caller. field: the path of the request field at fault.
    rules: the rules behind a refusal. detail: for the gateway's own log only. sent: something may have reached a model.
    again_s: seconds until the same call may be permitted; None if unknown.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str = "",
        rules: tuple[Rule, ...] = (),
        detail: str = "",
        sent: bool = False,
        again_s: int | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.field = field
        self.rules = rules
        self.detail = detail
        self.sent = sent
        self.again_s = again_s


class StartError(Exception):
    """The gateway refuses to start. The text names the file or key, the problem, and what to do."""
