"""Collects what the record of an answer says: judgements, counts, and a commitment to what was released."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from functools import partial

from gateway.audit import record
from gateway.audit.keys import OUTPUT, Commitments
from gateway.canonical import Json
from gateway.types import Decision, Effect, End, Facts, Obligation, Reading, Stage, Text, ToolUse

MOST_EXACT = 16
"""The most different judgements of an answer that a record lists one by one: about 20 KB."""


class Answer:
    """Collects facts while an answer is judged and released.

    The commitment covers the released pieces in order: text as the inside of an ASCII JSON string, and each tool use as
    a JSON array of three between two zero bytes, which escaped text can't contain. How the text was cut therefore makes
    no difference. kept: the same bytes, if they have to be sealed.
    """

    def __init__(self, commitments: Commitments, decision_id: str) -> None:
        self.bytes_released = 0
        self.kept: list[str] | None = None
        self._begin = partial(commitments.begin, OUTPUT, decision_id)
        self._commitment: hmac.HMAC | None = None
        self._judgements: list[_Judgement] = []
        self._incidents: dict[Obligation, int] = {}
        self._end: End | None = None

    def judged(
        self, stage: Stage, known: Facts, readings: tuple[Reading, ...], decision: Decision, now_us: int
    ) -> None:
        """Note a judgement. Repeats of a judgement are counted; different ones are kept exactly, for reproduction.

        A long answer has many. Beyond MOST_EXACT different ones, permitted ones are merged by stage and rules.
        """
        for obligation in decision.obligations:
            if obligation.kind == "incident":
                self._incidents.setdefault(obligation, now_us)
        made = _Judgement(stage, decision, readings, known.input)
        for one in reversed(self._judgements):
            if one.exact and one.same(made):
                one.times += 1
                return
        if len(self._judgements) < MOST_EXACT or decision.effect is not Effect.ALLOW:
            self._judgements.append(made)
        else:
            self._together(made)

    def _together(self, made: _Judgement) -> None:
        """Merge a judgement with others of its stage and rules. Of each reading, the strictest is kept."""
        for one in self._judgements:
            if not one.exact and (one.stage, one.decision.rules) == (made.stage, made.decision.rules):
                one.times += 1
                one.readings = _strictest(one.readings, made.readings)
                return
        made.exact = False
        self._judgements.append(made)

    def released(self, piece: Text | ToolUse | End) -> None:
        """Note a piece that the caller gets."""
        match piece:
            case Text(text):
                self._release(text, json.dumps(text)[1:-1])
            case ToolUse():
                self._release(piece.name + piece.input, f"\0{json.dumps([piece.id, piece.name, piece.input])}\0")
            case End():
                self._end = piece

    def commitment(self) -> Json:
        """The commitment to what was released; null if nothing was."""
        return self._commitment.hexdigest() if self._commitment and self.bytes_released else None

    def judgements(self, permitted: Decision | None) -> Json:
        """All judgements of the answer. permitted: the decision about the request; equal obligations are left out."""
        return [j.fields(permitted) for j in self._judgements]

    def incidents(self) -> Mapping[Obligation, int]:
        """The incidents that the policy wants reported about the answer, and when each was first seen."""
        return self._incidents

    def counts(self) -> dict[str, Json]:
        """Bytes released, and tokens as counted by the model's service; null if the service did not say."""
        return {
            "bytes_released": self.bytes_released,
            "tokens_in": self._end.input_tokens if self._end else None,
            "tokens_out": self._end.output_tokens if self._end else None,
        }

    def model(self) -> Json:
        """Which model the service says answered, and why it stopped; null if the answer had no end."""
        return {"answered": self._end.model, "stop": str(self._end.stop)} if self._end else None

    def _release(self, text: str, framed: str) -> None:
        self.bytes_released += len(text.encode("utf-8", "surrogatepass"))
        if self._commitment is None:
            self._commitment = self._begin()
        self._commitment.update(framed.encode("ascii"))
        if self.kept is not None:
            self.kept.append(framed)


class _Judgement:
    def __init__(
        self, stage: Stage, decision: Decision, readings: tuple[Reading, ...], facts: Mapping[str, Json]
    ) -> None:
        self.stage = stage
        self.decision = decision
        self.readings = readings
        self.safeguards = facts.get("safeguards")
        request = facts.get("request")
        self.tools = request.get("tools") if stage is Stage.TOOL_CALL and isinstance(request, Mapping) else None
        self.times = 1
        self.exact = True

    def same(self, other: _Judgement) -> bool:
        """Whether the input and the decision were the same."""
        return (
            self.stage is other.stage
            and self.readings == other.readings
            and self.safeguards == other.safeguards
            and self.tools == other.tools
            and self.decision == other.decision
        )

    def fields(self, permitted: Decision | None) -> Json:
        """The fields for the record. Only these parts of the input differ from the intent's; the rest is left out."""
        common = permitted is not None and self.decision.obligations == permitted.obligations
        return {
            "stage": str(self.stage),
            "effect": self.decision.effect.name.lower(),
            "rules": record.rules(self.decision.rules),
            "obligations": None if common else record.obligations(self.decision),
            "readings": record.readings(self.readings),
            "safeguards": self.safeguards,
            "tools": self.tools,
            "times": self.times,
            "exact": self.exact,
        }


def _strictest(known: tuple[Reading, ...], seen: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """One reading per name: one without a score if there is one, otherwise the highest."""
    kept = {r.name: r for r in known}
    for reading in seen:
        before = kept.get(reading.name, reading)
        if before.score is not None and (reading.score is None or reading.score >= before.score):
            before = reading
        kept[reading.name] = before
    return tuple(kept.values())
