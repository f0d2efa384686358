"""What of one call has to be sealed, and when: the prompt before its intent, the answer before its outcome."""

from __future__ import annotations

import asyncio

from gateway.audit.known import Known
from gateway.audit.ledger import Ledger
from gateway.audit.sealed.envelope import OUTPUT, PROMPT
from gateway.audit.sealed.sealer import period_of
from gateway.audit.writer import finished, unavailable
from gateway.errors import GatewayError
from gateway.types import content_bytes


async def prompt(ledger: Ledger, known: Known) -> None:
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


async def output(ledger: Ledger, known: Known) -> tuple[GatewayError | None, bool]:
    """Seal what was released, whole or in part. Returns why that failed, and whether a cancellation is owed.

    A cancellation waits for it as it does for the record.
    """
    if ledger.sealer is None or known.period is None or not known.answer.kept:
        return None, False
    content = "".join(known.answer.kept).encode("ascii")
    work = asyncio.ensure_future(ledger.sealer.seal(known.call.decision_id, OUTPUT, known.period, content))
    cancelled = await finished(work)
    lost = work.exception()
    if lost is None:
        known.sealed[OUTPUT] = work.result()
    elif not isinstance(lost, GatewayError):
        raise lost
    return lost, cancelled
