# ruff: noqa: N818 - the names are outcomes; a refusal is not a fault
"""What goes wrong, as exceptions. Every one that the gateway answered names its durable record (decision_id)."""

from __future__ import annotations

from collections.abc import Mapping

from brightline.results import Rule


class BrightlineError(Exception):
    """The base of all. Raised itself for a reason that this version of the client does not know.

    reason: the gateway's public word (brightline.v1.Reason without prefix), empty when it gave none. message: one
    sentence. field: the request field at fault. rules: those that refused, strictest first; rules_omitted: how many
    more did. appeal: where to. retry_safe: the gateway says that nothing of this call reached a model. again_s: seconds
    after which the same call may be permitted, None where the gateway does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        decision_id: str = "",
        rules: tuple[Rule, ...] = (),
        rules_omitted: int = 0,
        release: str = "",
        appeal: str = "",
        field: str = "",
        retry_safe: bool = False,
        again_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.decision_id = decision_id
        self.rules = rules
        self.rules_omitted = rules_omitted
        self.release = release
        self.appeal = appeal
        self.field = field
        self.retry_safe = retry_safe
        self.again_s = again_s

    def __str__(self) -> str:
        about = [f"rules {', '.join(rule.id for rule in self.rules)}"] if self.rules else []
        about += [f"decision {self.decision_id}"] if self.decision_id else []
        reason = f"{self.reason}: " if self.reason else ""
        return f"{reason}{self.message}" + (f" ({'; '.join(about)})" if about else "")


class Refused(BrightlineError):
    """A rule refused the request (POLICY_DENIED) or the model's answer (OUTPUT_DENIED)."""


class ApprovalRequired(BrightlineError):
    """A rule asks for a human approval first; send its identifier, which the approver gets, as Use.approval_id."""


class ApprovalInvalid(BrightlineError):
    """The approval does not cover this request, or can't be given; the message says why. Nothing was forwarded."""


class Unauthenticated(BrightlineError):
    """The certificate or the token was not believed."""


class InvalidRequest(BrightlineError):
    """The request is malformed, too large or holds what no detector reads; `field` names where."""


class DuplicateRequest(BrightlineError):
    """A permitted request of this tenant already used this idempotency key or approval. It was not forwarded again."""


class Overloaded(BrightlineError):
    """Too many calls at once, or waiting; `again_s` says when to come again."""


class QuotaExhausted(BrightlineError):
    """The tenant has used up what the release gives it for this minute, hour or day; `again_s` says when to go on.

    It is None where the call needs more than the tenant ever has.
    """


class Unavailable(BrightlineError):
    """The gateway can't decide, record or reach the model now, so it answers no."""


class NotFound(BrightlineError):
    """There is no such record, request or change for this caller; whether another tenant has one is not said."""


class ReleaseNotInForce(BrightlineError):
    """Another release is in force than the one that the call named; `release` is its digest. Nothing was forwarded."""


class RoleRequired(BrightlineError):
    """The token's roles don't let it read the log, or not these records, or don't let it approve."""


class DeadlineExceeded(BrightlineError):
    """The time given to the call passed; an answer may have been made meanwhile. No decision_id: noticed here first."""


class Cancelled(BrightlineError):
    """The call was cancelled, for example because the client was closed."""


class GatewayFault(BrightlineError):
    """A fault of the gateway itself (INTERNAL); its log has more under the decision id."""


class ConnectionFailed(BrightlineError):
    """No connection to the gateway, or it broke. gRPC does not say whether the request left, so it isn't repeated."""


class IncompleteStream(BrightlineError):
    """The stream ended without its last event: what arrived was judged, but it is not the whole answer."""


class NotThisGateway(BrightlineError):
    """An answer that a gateway of this contract does not give: from another server, a proxy between, or gRPC itself."""


BY_REASON: Mapping[str, type[BrightlineError]] = {
    "POLICY_DENIED": Refused,
    "OUTPUT_DENIED": Refused,
    "APPROVAL_REQUIRED": ApprovalRequired,
    "APPROVAL_INVALID": ApprovalInvalid,
    "CERTIFICATE_INVALID": Unauthenticated,
    "TENANT_UNKNOWN": Unauthenticated,
    "TOKEN_MISSING": Unauthenticated,
    "TOKEN_INVALID": Unauthenticated,
    "TOKEN_EXPIRED": Unauthenticated,
    "CREDENTIAL_REVOKED": Unauthenticated,
    "TOKEN_NOT_BOUND": Unauthenticated,
    "TENANT_MISMATCH": Unauthenticated,
    "TOKEN_REPLAYED": Unauthenticated,
    "INVALID_REQUEST": InvalidRequest,
    "PART_UNREADABLE": InvalidRequest,
    "DEADLINE_REQUIRED": InvalidRequest,
    "REQUEST_TOO_LARGE": InvalidRequest,
    "METHOD_UNKNOWN": InvalidRequest,
    "DUPLICATE_REQUEST": DuplicateRequest,
    "OVERLOADED": Overloaded,
    "QUOTA_EXHAUSTED": QuotaExhausted,
    "POLICY_UNAVAILABLE": Unavailable,
    "AUDIT_UNAVAILABLE": Unavailable,
    "IDENTITY_UNAVAILABLE": Unavailable,
    "UPSTREAM_UNAVAILABLE": Unavailable,
    "UPSTREAM_FAILED": Unavailable,
    "SHUTTING_DOWN": Unavailable,
    "CLOCK_UNTRUSTED": Unavailable,
    "REVIEW_UNAVAILABLE": Unavailable,
    "RELEASE_NOT_IN_FORCE": ReleaseNotInForce,
    "NOT_FOUND": NotFound,
    "ROLE_REQUIRED": RoleRequired,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "INTERNAL": GatewayFault,
}
"""Which exception a public reason becomes; BrightlineError for one that is newer than this client."""
