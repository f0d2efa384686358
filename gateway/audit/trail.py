"""The trail of one call: collects what becomes known, and leaves a record on every exit.

1 if the log can't be written, the call is refused before any work is done for it
2 intend: the intent is durable when this returns, and nothing may be forwarded before
3 exit: one record of how the call ended; if it can't be made durable, the reply is withheld
A cancellation waits until the record is durable or its deadline has passed, and then continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Self

from brightline_verify.record import Kind, Outcome
from gateway.audit import outcomes, record, sealing
from gateway.audit.approval import Approval
from gateway.audit.call_record import CallRecord, Review
from gateway.audit.ledger import Ledger
from gateway.audit.record import Entry, Record
from gateway.audit.store import Rejection
from gateway.audit.writing import finished, unavailable
from gateway.canonical import NotCanonicalError
from gateway.errors import GatewayError, Reason
from gateway.telemetry import meters
from gateway.types import (
    Call,
    Decision,
    Effect,
    End,
    Facts,
    Permitted,
    Principal,
    Prompt,
    Reading,
    Release,
    Stage,
    Text,
    ToolUse,
)

_WITHOUT_INTENT = {
    "CheckPolicy": Kind.CHECK,
    "ListModels": Kind.ACCESS,
    "GetInForce": Kind.ACCESS,
    "GetChanges": Kind.ACCESS,
}
"""Methods that forward nothing, by the last part of their name. A call of one leaves one record."""


class Trail:
    """One call's trail, to be entered once. watch: observes each milestone, for metrics and traces."""

    def __init__(self, ledger: Ledger, call: Call) -> None:
        self._ledger = ledger
        self._known = CallRecord(ledger, call)
        self.watch = ledger.telemetry.watch(call)
        self._intended = self._owed = self._approved = False
        self._late: BaseException | None = None

    @property
    def decision_id(self) -> str:
        """The call's decision id, as in all its records."""
        return self._known.call.decision_id

    @property
    def tenant(self) -> str:
        """The tenant of the authenticated caller. Raises ValueError if there is none."""
        if self._known.principal is None:
            raise ValueError("nobody was proved")
        return self._known.principal.tenant

    # --- what becomes known, in the order of the path ----------------------------------------------------------------

    def in_force(self, release: Release, engine: str, engine_version: str) -> None:
        """Note the release and the engine that decide this call."""
        self._known.release, self._known.engine = release, (engine, engine_version)

    def proved(self, principal: Principal) -> None:
        """Note the authenticated caller."""
        self._known.principal = principal
        self.watch.proved()

    def asked(self, prompt: Prompt) -> None:
        """Note the prompt. The records get commitments, counts and its idempotency key."""
        self._known.prompt = prompt
        self.watch.passed(meters.FACTS)

    def saw(self, facts: Facts, readings: tuple[Reading, ...]) -> None:
        """Note the exact input of the decision, and the detectors' readings."""
        if self._known.facts is None:
            self.watch.passed(meters.SIGNALS)
        self._known.facts, self._known.readings = facts, readings

    def decided(self, decision: Decision) -> None:
        """Note the policy's decision about the request."""
        self._known.decision = decision
        self.watch.judged(meters.DECIDE, Stage.REQUEST, self._known.readings, decision)

    def reviewed(self, review: Review) -> None:
        """Note what is read of the log itself. The record is durable before any of that leaves."""
        self._known.review = review

    def approving(self, about: str) -> None:
        """Note the decision to be approved; empty while unknown."""
        self._known.approving = about

    async def approve(self, given: Approval) -> None:
        """Make the approval durable. It is the record of this call, and nobody knows its identifier before.

        Raises GatewayError: DUPLICATE_REQUEST if the same was approved before, AUDIT_UNAVAILABLE.
        """
        result = self._ledger.append(_whole(self._known.approved(None, None, given)))
        cancelled = await finished(result)
        if (lost := result.exception()) is not None:
            raise lost
        self._approved = result.result() is not Rejection.DUPLICATE_KEY
        if cancelled:
            raise asyncio.CancelledError
        if not self._approved:
            text = "this request was approved before; who asked has to send it again first"
            raise GatewayError(Reason.DUPLICATE_REQUEST, text, field="id")

    async def intend(self, permitted: Permitted) -> None:
        """2: make the intent durable. Nothing may be forwarded before this returns.

        Raises GatewayError: INVALID_REQUEST if the intent can't be recorded completely; DUPLICATE_REQUEST if the tenant
        used the idempotency key before; POLICY_UNAVAILABLE if another release replaced the one that decided;
        AUDIT_UNAVAILABLE if the intent is not durable in time, or if content that must be sealed is not.
        """
        decision = self._known.decision
        if decision is None or decision.effect is not Effect.ALLOW or self._intended:
            raise GatewayError(Reason.INTERNAL, "the gateway failed", detail="an intent without a decision of its own")
        self._known.permitted = permitted
        await sealing.prompt(self._ledger, self._known)
        result = self._ledger.append(_whole(self._known.before(Kind.INTENT, Outcome.PERMITTED, None, None)))
        cancelled = await finished(result)
        self.watch.passed(meters.INTEND)
        self._late = result.exception()
        self._intended = self._late is None and isinstance(result.result(), int)
        if cancelled:
            raise asyncio.CancelledError
        if self._late is not None:
            raise self._late
        if result.result() is Rejection.REPLACED:
            text = "another release came in force before the call was permitted; send it again"
            raise GatewayError(Reason.POLICY_UNAVAILABLE, text)
        if not self._intended:
            what = "approval" if self._known.approval_id() else "idempotency key"
            raise GatewayError(Reason.DUPLICATE_REQUEST, f"a permitted request already used this {what}")

    def judged(self, stage: Stage, facts: Facts, readings: tuple[Reading, ...], decision: Decision) -> None:
        """Note a decision about a piece of the answer, and its facts."""
        self._known.answer.judged(stage, facts, readings, decision, self._ledger.now_us())
        self.watch.judged(meters.JUDGE, stage, readings, decision)

    def released(self, piece: Text | ToolUse | End) -> None:
        """Note a piece of the answer that goes to the caller."""
        self._known.answer.released(piece)

    def answered(self, parts: Iterable[Text | ToolUse], end: End) -> None:
        """Note that the whole answer goes to the caller."""
        for piece in (*parts, end):
            self.released(piece)

    # --- entry and exit ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.watch.begin()
        if not self._ledger.ready:  # 1
            self._ledger.count(Reason.AUDIT_UNAVAILABLE)
            self.watch.ended(Reason.AUDIT_UNAVAILABLE)
            raise unavailable("the log is not being written")
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.watch.leaving()
        try:
            ended = await self._leave(error)
        except BaseException as last:
            self.watch.ended(outcomes.reason(last))
            raise
        self.watch.ended(outcomes.reason(ended))

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """3: leave the record. Returns the exception that the call ended with, if any."""
        if self._approved:
            return error
        if self._late is not None:
            # Nothing was forwarded, but the intent may still turn out durable. It is closed when the log works again.
            self._ledger.later(partial(self._outcome, Outcome.NOT_FORWARDED, self._late, closes=True), refused=True)
            if error is None:
                raise self._late
            return error
        going = outcomes.is_cancellation(error)
        if going and outcomes.is_late(self._known.call, self._ledger.now_us()):
            error = GatewayError(Reason.DEADLINE_EXCEEDED, "the time for this call is over")
        if error is not None and self._known.principal is None and not self._ledger.admits_unproved():
            self._ledger.count(outcomes.reason(error) or Reason.INTERNAL)
            self.watch.passed(meters.RECORD)
            return error
        if self._known.call.method.rpartition("/")[2] in _WITHOUT_INTENT or self._intended or error is None:
            lost, self._owed = await sealing.output(self._ledger, self._known)
        else:
            lost, self._owed = None, await sealing.refused(self._ledger, self._known)
        unsealed = lost if error is None else None  # a call that failed anyway keeps its own error
        try:
            entry, fault = self._outcome(Outcome.ERROR, unsealed) if unsealed else self._last(error), unsealed
        except GatewayError as raised:
            entry, fault = self._last(raised), raised
        await self._write(entry, going=going)
        self.watch.passed(meters.RECORD)
        if fault is not None:
            raise fault
        return error

    async def _write(self, entry: Entry, *, going: bool) -> None:
        """3: write the last record. Raises GatewayError(AUDIT_UNAVAILABLE), which replaces any reply."""
        result = self._ledger.append(entry)
        cancelled = await finished(result) or self._owed
        lost = result.exception()
        if lost is not None and self._intended:
            self._ledger.later(partial(self._outcome, Outcome.ERROR, lost, closes=True), refused=True)
        elif lost is not None:
            self._ledger.count(Reason.AUDIT_UNAVAILABLE)
        if going:
            return
        if cancelled:
            raise asyncio.CancelledError
        if lost is not None:
            raise unavailable("the outcome was not durable", sent=True) if self._intended else lost

    def _last(self, error: BaseException | None) -> Entry:
        """The record of this exit. Raises GatewayError if the call can't succeed as intended."""
        if self._intended:
            return self._outcome(outcomes.after(error, self._known.answer.bytes_released), error)
        review, why = self._known.review, outcomes.reason(error)
        if review is not None:
            ended = outcomes.begun(review.given) if error is None else outcomes.before(error)
            return record.fitting(self._known.reviewed(review, ended, error, why))
        if self._known.approving is not None:
            return record.fitting(self._known.approved(error, why))
        if error is not None:
            refusal = self._known.before(Kind.REFUSAL, outcomes.before(error), error, why)
            return record.fitting(refusal)
        kind = _WITHOUT_INTENT.get(self._known.call.method.rpartition("/")[2])
        if kind is None:
            raise GatewayError(Reason.INTERNAL, "the gateway failed", detail="a call ended well without an intent")
        made, decision = self._known.before(kind, Outcome.COMPLETED, None, None), self._known.decision
        held_back = decision is not None and decision.effect is not Effect.ALLOW
        return record.fitting(made) if held_back else _whole(made)  # like an intent, a permission is never shortened

    def _outcome(self, outcome: Outcome, error: BaseException | None, *, closes: bool = False) -> Entry:
        return record.fitting(self._known.after(outcome, error, outcomes.reason(error)), closes=closes)


def _whole(made: Record) -> Entry:
    """The entry of a record of which nothing may be left out. Raises GatewayError(INVALID_REQUEST)."""
    try:
        return record.entry(made)
    except (record.TooLargeError, NotCanonicalError) as error:
        raise GatewayError(
            Reason.INVALID_REQUEST, "the declared use can't be recorded whole", field="prompt.use", detail=str(error)
        ) from error
