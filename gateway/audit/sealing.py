"""What of a call has to be sealed, and when: the prompt before its intent or refusal, the answer before its outcome."""

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
    """Seal what was asked, where the policy obliges to. Raises GatewayError (AUDIT_UNAVAILABLE)."""
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
    """Seal what was released, whole or in part. Returns why that failed, and whether a cancellation is owed.

    A cancellation waits for it as it does for the record.
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
    """Seal what was asked and refused by the policy, where it obliges to. Returns whether a cancellation is owed.

    A refusal stands, sealed or not: nothing is forwarded, and the caller learns the rule.
    """
    if known.decision is None or known.decision.effect is Effect.ALLOW or not known.retention():
        return False
    lost, cancelled = await _done(prompt(ledger, known))
    if lost is not None:
        log.critical("refused content not sealed", decision_id=known.call.decision_id, detail=lost.detail)
    return cancelled


async def _done(sealing: Coroutine[None, None, None]) -> tuple[GatewayError | None, bool]:
    """Why it failed, and whether a cancellation is owed: it waits for the disk as it does for the record."""
    work = asyncio.ensure_future(sealing)
    cancelled = await finished(work)
    lost = work.exception()
    if lost is not None and not isinstance(lost, GatewayError):
        raise lost
    return lost, cancelled
