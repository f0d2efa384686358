"""Turns a public reason into a gRPC status with rich details (google.rpc.Status). The only place that does."""

from __future__ import annotations

from functools import lru_cache

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs
from grpc import StatusCode

from brightline.v1 import refusal_pb2
from gateway import wire
from gateway.errors import GatewayError, Reason, Rule

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
    Reason.APPROVAL_INVALID: StatusCode.FAILED_PRECONDITION,
}

DETAILS_KEY = "grpc-status-details-bin"

_TYPES = "type.googleapis.com/"

RULES_BYTES = 4096
"""The most bytes of a status for its rules. Clients refuse trailing metadata beyond 8 KiB (gRPC's default)."""


def details(error: GatewayError, decision_id: str, release: str, appeal: str) -> bytes:
    """The google.rpc.Status of an error: reason, message, rules and remedies. Excludes `error.detail`."""
    refusal = refusal_pb2.Refusal(
        reason=f"REASON_{error.reason}",
        decision_id=decision_id,
        release=release,
        appeal=appeal,
        field=error.field,
        retry_safe=not error.sent,
    )
    info = error_details_pb2.ErrorInfo(
        reason=str(error.reason), domain=DOMAIN, metadata={"decision_id": decision_id} if decision_id else {}
    )
    packed = [_packed(info), _packed(refusal, _rules(error.rules))]
    if error.again_s is not None:
        retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=error.again_s))
        packed.append(_packed(retry))
    status = status_pb2.Status(code=CODES[error.reason].value[0], message=error.message, details=packed)
    return bytes(status.SerializeToString())


def _packed(message: Message, more: bytes = b"") -> any_pb2.Any:
    return any_pb2.Any(type_url=_TYPES + message.DESCRIPTOR.full_name, value=message.SerializeToString() + more)


@lru_cache(maxsize=256)
def _rules(fired: tuple[Rule, ...]) -> bytes:
    """The rules of a refusal as serialised fields. Concatenated Protobuf messages parse as one, and a policy refuses
    for the same few sets of rules, so this part is cached.
    """
    rules = _fitting([wire.rule(r) for r in fired])
    return refusal_pb2.Refusal(rules=rules, rules_omitted=len(fired) - len(rules)).SerializeToString()


def _fitting(rules: list[refusal_pb2.Rule]) -> list[refusal_pb2.Rule]:
    """The leading rules, strictest first, that fit in RULES_BYTES; at least one."""
    size = 0
    fitting: list[refusal_pb2.Rule] = []
    for rule in rules:
        size += rule.ByteSize()
        if fitting and size > RULES_BYTES:
            break
        fitting.append(rule)
    return fitting
