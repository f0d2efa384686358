"""Approvals: requests that wait for one, and what an approver gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from brightline import _check, _request
from brightline.errors import NotThisGateway
from brightline.v1 import approval_pb2

_DECISION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for an approval. id: its decision id. time_us: microseconds since 1970 UTC.

    subject: the person who asked. rules: the ids of the rules that require the approval.
    """

    id: str
    time_us: int
    subject: str
    purpose: str
    model: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval of one request, to be sent once.

    The requester puts approval_id into Use. expires_us: as in Pending.
    """

    decision_id: str
    approval_id: str
    expires_us: int


def request(decision: str, why: str, valid_s: int, **ask: Any) -> approval_pb2.ApproveRequest:
    """The request message. Raises ValueError."""
    _check.matching("decision", decision, _DECISION, "the decision id of the request: 32 hexadecimal digits")
    _check.text("why", why)
    if not 1 <= len(why) <= 500:
        raise ValueError("why: 1 to 500 characters that say why it is approved")
    _check.integer("valid_s", valid_s, 0, 86_400)
    return approval_pb2.ApproveRequest(id=decision, prompt=_request.fields(**ask)["prompt"], why=why, valid_s=valid_s)


def pending(message: approval_pb2.ListPendingResponse) -> tuple[Pending, ...]:
    """The requests that wait for an approval. Raises NotThisGateway."""
    if not message.decision_id:
        raise NotThisGateway("the answer names no record (decision_id)")
    return tuple(
        Pending(one.id, one.time_us, one.subject, one.purpose, one.model, tuple(one.rules)) for one in message.requests
    )


def approval(message: approval_pb2.ApproveResponse) -> Approval:
    """The approval. Raises NotThisGateway."""
    if not message.decision_id or not message.approval_id:
        raise NotThisGateway("the answer names no record or no approval")
    return Approval(message.decision_id, message.approval_id, message.expires_us)
