"""Converts a gRPC status to an exception. A refusal is accepted only if all of it is consistent:

1 the call carries a well-formed google.rpc.Status that agrees with its code and message
2 its details contain exactly one ErrorInfo of the gateway's domain and exactly one Refusal
3 both give the same reason

Anything else counts as an answer of another server. It never crashes the client and is never safe to retry. Such a
server's text may repeat the token that it was sent, so the token is removed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no stubs
from grpc_status import rpc_status

from brightline import _response, errors
from brightline.v1 import refusal_pb2

DOMAIN = "brightline"

M = TypeVar("M", bound=Message)

_NO_PAIR = "Failed to create security handshaker"
"""All that gRPC says of a certificate and a key with which it can't begin a connection."""

_MADE_HERE: Mapping[grpc.StatusCode, tuple[type[errors.BrightlineError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (errors.ConnectionFailed, "no connection, or it broke"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (errors.DeadlineExceeded, "no answer within the time given"),
    grpc.StatusCode.CANCELLED: (errors.Cancelled, "the call was cancelled here"),
}
"""Statuses that gRPC creates on the client's side. Any other status without a refusal is from another server."""


def error(failed: grpc.RpcError, target: str, token: str) -> errors.BrightlineError:
    """The exception for a failed call to `target` that carried `token`."""
    message = (failed.details() or "").replace(token, "[token]")
    try:
        reason, refusal, again_s = _refusal(failed)
    except (ValueError, DecodeError):
        strange = (errors.NotThisGateway, f"{failed.code().name} without a refusal of the gateway")
        kind, meaning = _MADE_HERE.get(failed.code(), strange)
        unfit = "; the certificate and the key are no pair, or the key has a passphrase" if _NO_PAIR in message else ""
        return kind(f"{target}: {meaning}: {message[:500]}{unfit}")
    return errors.BY_REASON.get(reason, errors.BrightlineError)(
        message,
        reason=reason,
        decision_id=refusal.decision_id,
        rules=_response.rules(refusal.rules),
        rules_omitted=refusal.rules_omitted,
        release=refusal.release,
        appeal=refusal.appeal,
        field=refusal.field,
        retry_safe=refusal.retry_safe,
        again_s=again_s,
    )


def closed(target: str, sent: str = "nothing was sent") -> errors.Cancelled:
    """The exception for a call on a closed client."""
    return errors.Cancelled(f"{target}: the client was closed; {sent}", retry_safe=sent == "nothing was sent")


def _refusal(failed: grpc.RpcError) -> tuple[str, refusal_pb2.Refusal, float | None]:
    """The reason, the refusal and when to retry. Raises ValueError or DecodeError if a step fails."""
    status = rpc_status.from_call(failed)  # type: ignore[arg-type]  # 1: a failed call is its own error
    if status is None:
        raise ValueError("no details")
    info = _only(status, error_details_pb2.ErrorInfo)  # 2
    refusal = _only(status, refusal_pb2.Refusal)
    if info.domain != DOMAIN:
        raise ValueError("the ErrorInfo is of another domain")
    names = refusal_pb2.Reason.DESCRIPTOR.values_by_number
    newer = refusal.reason not in names
    if refusal.reason == refusal_pb2.REASON_UNSPECIFIED or not (
        newer or names[refusal.reason].name == f"REASON_{info.reason}"  # 3
    ):
        raise ValueError("the reasons differ")
    return info.reason, refusal, _again_s(status)


def _again_s(status: status_pb2.Status) -> float | None:
    if not any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details):
        return None
    delay = _only(status, error_details_pb2.RetryInfo).retry_delay
    return float(delay.seconds + delay.nanos / 1e9)


def _only(status: status_pb2.Status, kind: type[M]) -> M:
    [packed] = [detail for detail in status.details if detail.Is(kind.DESCRIPTOR)]
    return kind.FromString(packed.value)
