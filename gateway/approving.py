"""Handles an approver's call: one person permits one request of another, once and for a short time.

1 authenticate the approver    2 check that its roles let it approve    3 read the request
4 find the request that was held back, and compare    5 write the record of the call durably: it is the approval
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway import authentication, facts
from gateway.audit import approval
from gateway.audit.approval import Approval, Held
from gateway.audit.filter import Filter
from gateway.audit.trail import Trail
from gateway.errors import GatewayError, Reason
from gateway.inforce import InForce
from gateway.review import Desk, Reader, find, note
from gateway.types import Call, Principal, Prompt

T = TypeVar("T")
Read = Callable[[], Awaitable[T]]
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What the approver approves. id: the decision that held it back. prompt: the request as the approver read it."""

    id: str
    prompt: Prompt
    why: str
    valid_s: int


async def pending(call: Call, read: Read[object], desk: Desk, in_force: InForce) -> list[Held]:
    """Requests of the approver's tenant that were held back, newest first. Raises GatewayError."""
    async with desk.gate.log.trail(call) as trail:
        who = await approver(call, desk, trail, in_force)  # 1, 2
        await authentication.hear(call, read, desk.gate, in_force)  # 3
        since_us = max(0, desk.gate.clock() - desk.approvals.pending_s * 1_000_000)
        reason = str(Reason.APPROVAL_REQUIRED)
        wanted = Filter(tenant=who.tenant, kind="refusal", reason=reason, from_us=since_us)
        asked = {"filter": wanted.asked()}
        note(trail, Reader(who.tenant), asked)
        page = await find(call, desk, who.tenant, in_force, lambda: desk.archive.search(wanted, None, MOST))  # 4
        found = (approval.held(one.record, desk.gate.log.commitments) for one in page.found)
        waiting = [one for one in found if one is not None]
        note(trail, Reader(who.tenant), asked, len(waiting))
        return waiting


async def approve(call: Call, read: Read[Asked], desk: Desk, in_force: InForce) -> tuple[Approval, str]:
    """The approval, and its identifier for the caller. Raises GatewayError."""
    gate = desk.gate
    async with gate.log.trail(call) as trail:
        trail.approving("")
        who = await approver(call, desk, trail, in_force)  # 1, 2
        asked = await authentication.hear(call, read, gate, in_force)  # 3
        trail.approving(asked.id)
        records = await find(
            call, desk, who.tenant, in_force, lambda: desk.archive.of_decision(asked.id, who.tenant)
        )  # 4
        found = [approval.held(one.record, gate.log.commitments) for one in records]
        waiting = next((one for one in found if one is not None), None)
        if waiting is None:
            text = "there is no such request of this tenant that waits for an approval"
            raise GatewayError(Reason.NOT_FOUND, text, field="id")
        _check(waiting, asked, who, desk, in_force)
        valid_s = asked.valid_s or desk.approvals.valid_s
        until_us = gate.clock() + valid_s * 1_000_000
        asker = waiting.issuer, waiting.subject
        given = Approval(
            call.decision_id, asked.id, who.tenant, *asker, who.subject, waiting.digest, until_us, asked.why
        )
        await trail.approve(given)  # 5
        return given, given.identifier(gate.log.commitments)


async def approver(call: Call, desk: Desk, trail: Trail, in_force: InForce) -> Principal:
    """Steps 1 and 2; the request is read only after them. A role that is not configured grants nothing."""
    principal = await authentication.prove(call, desk.gate, trail, in_force)
    role = desk.approvals.role
    if not role or role not in principal.roles:
        raise GatewayError(Reason.ROLE_REQUIRED, "the token's roles don't let it approve requests")
    return principal


def _check(waiting: Held, asked: Asked, who: Principal, desk: Desk, in_force: InForce) -> None:
    gate, settings = desk.gate, desk.approvals
    if who.subject.casefold() == waiting.subject.casefold():
        raise GatewayError(Reason.APPROVAL_INVALID, "nobody approves a request of their own", field="id")
    if gate.clock() - waiting.time_us > settings.pending_s * 1_000_000:
        text = f"the request is older than {settings.pending_s} s; it has to be sent again first"
        raise GatewayError(Reason.APPROVAL_INVALID, text, field="id")
    if asked.valid_s > settings.valid_s:
        text = f"valid_s: an approval holds for {settings.valid_s} s at most here"
        raise GatewayError(Reason.INVALID_REQUEST, text, field="valid_s")
    if not waiting.digest:
        text = "the record of this request does not tell what was asked; it has to be sent again, and shorter"
        raise GatewayError(Reason.APPROVAL_INVALID, text, field="id")
    known = facts.gather(in_force.attributes, who, asked.prompt, asked.prompt.judged(), gate.clock(), audit_ready=True)
    if waiting.digest != approval.asked(gate.log.commitments, asked.id, asked.prompt, known.request):
        text = "the request that was held back is another; send the very one, with what it declared"
        raise GatewayError(Reason.APPROVAL_INVALID, text, field="prompt")
