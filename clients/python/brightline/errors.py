# ruff: noqa: N818 - the names are outcomes; a refusal is not a fault
"""Failures as exceptions. If the gateway answered, the exception names the durable record (decision_id)."""

from __future__ import annotations

from collections.abc import Mapping

from brightline.results import Rule


class BrightlineError(Exception):
    """The base of all exceptions here. It is raised itself for a reason that this version of the client does not know.

    reason: the gateway's public reason (brightline.v1.Reason without prefix); empty if it gave none.
    message: one sentence. field: the request field at fault.
    rules: the rules that refused, strictest first. rules_omitted: how many more refused.
    appeal: where to appeal. retry_safe: the gateway says that nothing of this call reached a model.
    again_s: seconds after which the same call may be permitted; None if the gateway does not say.
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
    """A rule requires a person's approval. Give `decision_id` to the approver, then send Use.approval_id."""


class ApprovalInvalid(BrightlineError):
    """The approval does not cover this request, or can't be given. The message says why. Nothing was forwarded."""


class Unauthenticated(BrightlineError):
    """The certificate or the token was not accepted."""


class InvalidRequest(BrightlineError):
    """The request is malformed, too large, or holds content that no detector reads. `field` names the place."""


class DuplicateRequest(BrightlineError):
    """A permitted request of this tenant already used this idempotency key or approval. It was not forwarded again."""


class Overloaded(BrightlineError):
    """Too many calls are in progress or waiting. `again_s` says when to retry."""


class QuotaExhausted(BrightlineError):
    """The tenant has used up its quota for this minute, hour or day. `again_s` says when to retry.

    It is None if the call needs more than the whole quota.
    """


class Unavailable(BrightlineError):
    """The gateway can't decide, record or reach the model now, so it refuses."""


class NotFound(BrightlineError):
    """This caller has no such record, request or change. The error does not reveal whether another tenant has one."""


class ReleaseNotInForce(BrightlineError):
    """The release that the call named is not in force. `release` is the digest of the one that is.

    Nothing was forwarded.
    """


class RoleRequired(BrightlineError):
    """The token's roles do not permit reading the log or these records, or do not permit approving."""


class DeadlineExceeded(BrightlineError):
    """The time for the call is over. An answer may exist. There is no decision_id: the client noticed first."""


class Cancelled(BrightlineError):
    """The call was cancelled, for example because the client was closed."""


class GatewayFault(BrightlineError):
    """A fault of the gateway itself (INTERNAL). Its log has more under the decision id."""


class ConnectionFailed(BrightlineError):
    """No connection, or a broken one. gRPC does not say whether the request left, so the call is not retried."""


class IncompleteStream(BrightlineError):
    """The stream ended without its last event. All that arrived was judged, but it is not the whole answer."""


class NotThisGateway(BrightlineError):
    """A response that no gateway of this contract gives: from another server, a proxy, or gRPC itself."""


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
"""The exception for each public reason. BrightlineError stands for reasons newer than this client."""
