"""The one place that turns a public reason into a gRPC status with rich details (google.rpc.Status)."""

from __future__ import annotations

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs
from grpc import StatusCode

from brightline.v1 import refusal_pb2
from gateway import wire
from gateway.errors import GatewayError, Reason

DOMAIN = "brightline"

CODES: dict[Reason, StatusCode] = {
    Reason.POLICY_DENIED: StatusCode.PERMISSION_DENIED,
    Reason.APPROVAL_REQUIRED: StatusCode.FAILED_PRECONDITION,
    Reason.OUTPUT_DENIED: StatusCode.PERMISSION_DENIED,
    Reason.CERTIFICATE_INVALID: StatusCode.UNAUTHENTICATED,
    Reason.TENANT_UNKNOWN: StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_MISSING: StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_INVALID: StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_EXPIRED: StatusCode.UNAUTHENTICATED,
    Reason.CREDENTIAL_REVOKED: StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_NOT_BOUND: StatusCode.UNAUTHENTICATED,
    Reason.TENANT_MISMATCH: StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_REPLAYED: StatusCode.UNAUTHENTICATED,
    Reason.INVALID_REQUEST: StatusCode.INVALID_ARGUMENT,
    Reason.PART_UNREADABLE: StatusCode.INVALID_ARGUMENT,
    Reason.DEADLINE_REQUIRED: StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_TOO_LARGE: StatusCode.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
    Reason.DUPLICATE_REQUEST: StatusCode.ALREADY_EXISTS,
    Reason.POLICY_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.AUDIT_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.IDENTITY_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.UPSTREAM_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.UPSTREAM_FAILED: StatusCode.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: StatusCode.DEADLINE_EXCEEDED,
    Reason.CANCELLED: StatusCode.CANCELLED,
    Reason.SHUTTING_DOWN: StatusCode.UNAVAILABLE,
    Reason.METHOD_UNKNOWN: StatusCode.UNIMPLEMENTED,
    Reason.INTERNAL: StatusCode.INTERNAL,
    Reason.CLOCK_UNTRUSTED: StatusCode.UNAVAILABLE,
    Reason.NOT_FOUND: StatusCode.NOT_FOUND,
    Reason.ROLE_REQUIRED: StatusCode.PERMISSION_DENIED,
    Reason.REVIEW_UNAVAILABLE: StatusCode.UNAVAILABLE,
    Reason.RELEASE_NOT_IN_FORCE: StatusCode.FAILED_PRECONDITION,
    Reason.QUOTA_EXHAUSTED: StatusCode.RESOURCE_EXHAUSTED,
}

DETAILS_KEY = "grpc-status-details-bin"

_TYPES = "type.googleapis.com/"

RULES_BYTES = 4096
"""How much of a status the rules may fill: clients refuse trailing metadata beyond 8 KiB (gRPC's default)."""


def details(error: GatewayError, decision_id: str, release: str, appeal: str) -> bytes:
    """The google.rpc.Status of an error: reason, message, rules and remedies. `error.detail` stays inside."""
    rules = _fitting([wire.rule(r) for r in error.rules])
    refusal = refusal_pb2.Refusal(
        reason=f"REASON_{error.reason}",
        decision_id=decision_id,
        rules=rules,
        rules_omitted=len(error.rules) - len(rules),
        release=release,
        appeal=appeal,
        field=error.field,
        retry_safe=not error.sent,
    )
    info = error_details_pb2.ErrorInfo(
        reason=str(error.reason), domain=DOMAIN, metadata={"decision_id": decision_id} if decision_id else {}
    )
    said: list[Message] = [info, refusal]
    if error.again_s is not None:
        said.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=error.again_s)))
    packed = [any_pb2.Any(type_url=_TYPES + m.DESCRIPTOR.full_name, value=m.SerializeToString()) for m in said]
    status = status_pb2.Status(code=CODES[error.reason].value[0], message=error.message, details=packed)
    return bytes(status.SerializeToString())


def _fitting(rules: list[refusal_pb2.Rule]) -> list[refusal_pb2.Rule]:
    """The leading rules, strictest first, that fit; always at least one."""
    size = 0
    fitting: list[refusal_pb2.Rule] = []
    for rule in rules:
        size += rule.ByteSize()
        if fitting and size > RULES_BYTES:
            break
        fitting.append(rule)
    return fitting
