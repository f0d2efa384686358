"""Seals the content of a call if required: the prompt before its intent or refusal, the answer before its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import structlog

from gateway.audit.call_record import CallRecord
from gateway.audit.ledger import Ledger
from gateway.audit.sealed.envelope import OUTPUT, PROMPT
from gateway.audit.sealed.sealer import period_of
from gateway.audit.writing import finished, unavailable
from gateway.errors import GatewayError
from gateway.types import Effect, content_bytes

log = structlog.get_logger()


async def prompt(ledger: Ledger, known: CallRecord) -> None:
    """Seal the prompt, if the policy requires it. Raises GatewayError (AUDIT_UNAVAILABLE)."""
    classes = known.retention()
    if not classes:
        return
    if ledger.sealer is None or known.prompt is None or known.principal is None:
        raise unavailable("the policy obliges to seal content, and audit.sealed is not configured")
    known.period = period_of(known.principal.tenant, ledger.sealer.retention(classes), ledger.now_us())
    content = content_bytes(known.prompt)
    known.sealed[PROMPT] = await ledger.sealer.seal(known.call.decision_id, PROMPT, known.period, content)
    known.answer.kept = []


async def output(ledger: Ledger, known: CallRecord) -> tuple[GatewayError | None, bool]:
    """Seal what was released of the answer. Returns the failure, if any, and whether a cancellation is owed.

    A cancellation waits for sealing, as it does for the record.
    """
    sealer = ledger.sealer
    if sealer is None or known.period is None or not known.answer.kept:
        return None, False
    content = "".join(known.answer.kept).encode("ascii")
    period = known.period

    async def seal() -> None:
        known.sealed[OUTPUT] = await sealer.seal(known.call.decision_id, OUTPUT, period, content)

    return await _done(seal())


async def refused(ledger: Ledger, known: CallRecord) -> bool:
    """Seal a prompt that the policy refused, if it requires that. Returns whether a cancellation is owed.

    The refusal stands even if sealing fails: nothing is forwarded, and the caller learns the rule.
    """
    if known.decision is None or known.decision.effect is Effect.ALLOW or not known.retention():
        return False
    lost, cancelled = await _done(prompt(ledger, known))
    if lost is not None:
        log.critical("refused content not sealed", decision_id=known.call.decision_id, detail=lost.detail)
    return cancelled


async def _done(sealing: Coroutine[None, None, None]) -> tuple[GatewayError | None, bool]:
    """The failure, if any, and whether a cancellation is owed. A cancellation waits for the disk, as for the record."""
    work = asyncio.ensure_future(sealing)
    cancelled = await finished(work)
    lost = work.exception()
    if lost is not None and not isinstance(lost, GatewayError):
        raise lost
    return lost, cancelled
