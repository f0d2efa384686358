"""Looks up the approval that a caller names, and compares it with the call before it becomes a fact. Part of step 2.

An approval holds for the caller that it was given to, for the request that was approved, until it expires. The intent
uses it up. A call that names any other approval is refused, even if no rule requires one: the caller is mistaken about
what was approved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from brightline_verify.report import UnreadableError
from gateway.audit import approval
from gateway.audit.approval import Approval
from gateway.audit.log import Log
from gateway.canonical import Json
from gateway.errors import GatewayError, Reason
from gateway.types import Principal, Prompt

FIELD: Final = "prompt.use.approval_id"
LOOKING_S: Final = 1.0


async def named(
    log: Log, principal: Principal, prompt: Prompt, request: Mapping[str, Json], now_us: int
) -> Approval | None:
    """The approval that the caller names; None if it names none. request: the request facts so far.

    Raises GatewayError: APPROVAL_INVALID, INVALID_REQUEST, REVIEW_UNAVAILABLE.
    """
    identifier = str(prompt.use["approval_id"])
    if not identifier:
        return None
    if prompt.use["idempotency_key"]:
        text = "leave it out: an approval is used once, and sees to that"
        raise GatewayError(Reason.INVALID_REQUEST, f"idempotency_key: {text}", field="prompt.use.idempotency_key")
    given = await _given(log, principal, identifier)
    if given is None:
        raise _invalid("this caller has no such approval; send the identifier as the approver got it")
    if given.subject != principal.subject:
        raise _invalid("the approval was given to another caller")
    check_time(given, now_us)
    if given.digest != approval.asked(log.commitments, given.about, prompt, request):
        raise _invalid("another request was approved; send that one without any change")
    return given


def fact(given: Approval) -> Mapping[str, Json]:
    """The approval as rules see it."""
    return {"id": given.id, "approver": given.approver, "digest": given.digest}


def check_time(given: Approval, now_us: int) -> None:
    """Raise GatewayError(APPROVAL_INVALID) if the approval has expired."""
    if given.until_us <= now_us:
        raise _invalid("the time of the approval is over; ask for another")


async def _given(log: Log, principal: Principal, identifier: str) -> Approval | None:
    decision_id = approval.decision_of(identifier)
    try:
        async with asyncio.timeout(LOOKING_S):
            records = await asyncio.to_thread(log.archive.of_decision, decision_id, principal.tenant)
    except (UnreadableError, TimeoutError) as error:
        text = "the log can't be read now, so no approval can be looked up; try again"
        raise GatewayError(Reason.REVIEW_UNAVAILABLE, text, detail=str(error)) from error
    return approval.found(identifier, [one.record for one in records], principal.issuer, log.commitments)


def _invalid(text: str) -> GatewayError:
    return GatewayError(Reason.APPROVAL_INVALID, text, field=FIELD)
