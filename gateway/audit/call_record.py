"""Collects what is known of one call, and makes its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from brightline_verify.record import Kind, Outcome
from gateway.audit import keys, outcomes, record
from gateway.audit.answer import Answer
from gateway.audit.approval import Approval
from gateway.audit.ledger import Ledger
from gateway.audit.record import Record
from gateway.audit.sealed.envelope import OUTPUT, PROMPT, Period
from gateway.canonical import Json
from gateway.errors import GatewayError, Reason, Rule
from gateway.types import (
    Call,
    Decision,
    Facts,
    Obligation,
    Permitted,
    Principal,
    Prompt,
    Reading,
    Release,
    content_bytes,
)

_OUT: Final = frozenset({"output_marking", "label", "oversight_label"})
"""Obligations that determine the marking of what goes out."""


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer asked for. everybody: other tenants' records, too. given: how many; None for a stream."""

    asked: Mapping[str, Json]
    everybody: bool
    given: int | None = None


@dataclass(slots=True)
class CallRecord:
    """Filled in along the path of the call. What is not known yet is None or empty. engine: name and version.

    approving: the decision to be approved. period: the period in which content is sealed. sealed: the digests of the
    sealed prompt and output.
    """

    ledger: Ledger
    call: Call
    answer: Answer = field(init=False)
    release: Release | None = None
    engine: tuple[str, str] = ("", "")
    principal: Principal | None = None
    prompt: Prompt | None = None
    facts: Facts | None = None
    readings: tuple[Reading, ...] = ()
    decision: Decision | None = None
    permitted: Permitted | None = None
    review: Review | None = None
    approving: str | None = None
    period: Period | None = None
    sealed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answer = Answer(self.ledger.commitments, self.call.decision_id)

    def before(self, kind: Kind, outcome: Outcome, error: BaseException | None, reason: Reason | None) -> Record:
        """An intent, or the only record of a call that is not forwarded."""
        made = self._head(kind, outcome, error, reason)
        judged, size = self._commit(self.prompt)
        forwarded = judged
        if self.permitted is not None and self.permitted.prompt is not self.prompt:
            forwarded, size = self._commit(self.permitted.prompt)
        made |= {
            "peer": record.peer(self.call.credentials, self.principal),
            "input": self.facts.input if self.facts else None,
            "readings": record.readings(self.readings),
            "decision": record.decision(self.decision),
            "incidents": self._incident(),
            "marking": self._marking(),
            "declared": self._declared(),
            "commitments": {
                "key": self.ledger.commitments.key_id,
                "judged": judged,
                "forwarded": forwarded if self.permitted else None,
                **self._sealed(PROMPT),
            },
            "counts": {"bytes_in": size},
        }
        if kind is Kind.INTENT:
            made["idempotency_key"] = self._idempotency_key()
        return made

    def after(self, outcome: Outcome, error: BaseException | None, reason: Reason | None) -> Record:
        """The outcome of an intent. It has the same decision id as the intent."""
        return self._head(Kind.OUTCOME, outcome, error, reason) | {
            "model": self.answer.model(),
            "judgements": self.answer.judgements(self.decision),
            "incidents": self._incidents_of_answer(),
            "commitments": {
                "key": self.ledger.commitments.key_id,
                "output": self.answer.commitment(),
                **self._sealed(OUTPUT),
            },
            "counts": self.answer.counts(),
        }

    def reviewed(self, review: Review, outcome: Outcome, error: BaseException | None, reason: Reason | None) -> Record:
        """The only record of a call that reads the log: what was looked for, never what was found."""
        return self._head(Kind.REVIEW, outcome, error, reason) | {
            "peer": record.peer(self.call.credentials, self.principal),
            "asked": review.asked,
            "scope": "all" if review.everybody else "tenant",
            "given": review.given,
        }

    def approved(self, error: BaseException | None, reason: Reason | None, given: Approval | None = None) -> Record:
        """The only record of an approver's call. given: the approval that this record is."""
        outcome = Outcome.COMPLETED if error is None else outcomes.before(error)
        made: Record = self._head(Kind.APPROVAL, outcome, error, reason) | {
            "peer": record.peer(self.call.credentials, self.principal),
            "about": self.approving or "",
            "approval": None,
            "idempotency_key": None,
        }
        if given is not None:
            said: Record = {
                "subject": given.subject,
                "digest": given.digest,
                "until_us": given.until_us,
                "why": given.why,
            }
            made |= {"approval": said, "idempotency_key": f"approved/{given.about}"}  # callers' keys have no slash
        return made

    def _head(self, kind: Kind, outcome: Outcome, error: BaseException | None, reason: Reason | None) -> Record:
        rules: tuple[Rule, ...] = error.rules if isinstance(error, GatewayError) else ()
        if not rules and self.decision is not None and kind is not Kind.OUTCOME:
            rules = self.decision.rules
        return self.ledger.head(kind, self.call.decision_id) | {
            "method": self.call.method,
            "outcome": str(outcome),
            "reason": str(reason) if reason else "",
            "field": error.field if isinstance(error, GatewayError) else "",
            "rules": record.rules(rules),
            "principal": record.who(self.principal),
            "release": self.release.digest if self.release else "",
            "engine": record.engine(*self.engine),
        }

    def retention(self) -> tuple[str, ...]:
        """The retention classes in which the policy requires content to be sealed."""
        return tuple(o.text for o in self.decision.obligations if o.kind == "seal_content") if self.decision else ()

    def _sealed(self, what: str) -> dict[str, Json]:
        return {"sealed": self.sealed[what]} if what in self.sealed else {}

    def _commit(self, prompt: Prompt | None) -> tuple[Json, int]:
        if prompt is None:
            return None, 0
        content = content_bytes(prompt)
        return self.ledger.commitments.of(keys.PROMPT, self.call.decision_id, content), len(content)

    def _marking(self) -> Json:
        """The marking that came in, and the marking and labels that the policy puts on the output."""
        request = self.facts.input.get("request") if self.facts else None
        labels = [o.text for o in self.decision.obligations if o.kind in _OUT] if self.decision else []
        return {"in": request.get("marking") if isinstance(request, Mapping) else None, "out": labels}

    def _declared(self) -> Json:
        """What the caller declared that no rule looks at, including the release that it named, if any.

        Also the model it asked for, because the decision input has the routed model.
        """
        if self.prompt is None:
            return None
        use = self.prompt.use
        pinned: dict[str, Json] = {"release": self.prompt.release} if self.prompt.release else {}
        return {
            "conversation_id": use.get("conversation_id", ""),
            "approval_id": use.get("approval_id", ""),
            "model": self.prompt.model,
            **pinned,
        }

    def _incident(self) -> Json:
        """What the policy wants reported, and by when. The time runs from the time of this record."""
        due = [o for o in self.decision.obligations if o.kind == "incident"] if self.decision else []
        return [_incident(o, self.call.received_us) for o in due]

    def _incidents_of_answer(self) -> Json:
        """What has to be reported about the answer and was not in the intent."""
        known = self.decision.obligations if self.decision else ()
        return [_incident(o, seen_us) for o, seen_us in self.answer.incidents().items() if o not in known]

    def approval_id(self) -> str:
        """The identifier of the approval that was found for this request; empty if there is none."""
        approval = self.facts.request.get("approval") if self.facts else None
        return str(approval["id"]) if isinstance(approval, Mapping) else ""

    def _idempotency_key(self) -> str | None:
        if approval := self.approval_id():
            return f"approval/{approval}"
        key = self.prompt.use.get("idempotency_key") if self.prompt else None
        return key if isinstance(key, str) and key else None


def _incident(obligation: Obligation, aware_at_us: int) -> Json:
    return {"text": obligation.text, "aware_at_us": aware_at_us, "report_within_hours": obligation.limit}
