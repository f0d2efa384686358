"""What is known of an answer, for its record: judgements, counts, and a commitment to what was released."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from functools import partial

from gateway.audit import record
from gateway.audit.keys import OUTPUT, Commitments
from gateway.canonical import Json
from gateway.types import Decision, End, Obligation, Reading, Stage, Text, ToolUse


class Answer:
    """Grows while an answer is judged and released.

    The commitment covers text as the inside of an ASCII JSON string, and each tool use as a JSON array of three between
    two zero bytes (which the former can't hold), in the order of release: how the text was cut makes no difference.
    """

    def __init__(self, commitments: Commitments, decision_id: str) -> None:
        self.bytes_released = 0
        self._begin = partial(commitments.begin, OUTPUT, decision_id)
        self._commitment: hmac.HMAC | None = None
        self._judgements: dict[tuple[Json, ...], _Judgement] = {}
        self._incidents: dict[Obligation, int] = {}
        self._end: End | None = None

    def judged(self, stage: Stage, readings: tuple[Reading, ...], decision: Decision, now_us: int) -> None:
        """Note a judgement. Those that differ only in readings become one, with the strictest of each reading."""
        for obligation in decision.obligations:
            if obligation.kind == "incident":
                self._incidents.setdefault(obligation, now_us)
        key = (str(stage), decision.effect.name, *(rule.id for rule in decision.rules))
        found = self._judgements.setdefault(key, _Judgement(stage, decision))
        found.add(readings)

    def released(self, piece: Text | ToolUse | End) -> None:
        """Note what the caller gets."""
        match piece:
            case Text(text):
                self._release(text, json.dumps(text)[1:-1])
            case ToolUse():
                self._release(piece.name + piece.input, f"\0{json.dumps([piece.id, piece.name, piece.input])}\0")
            case End():
                self._end = piece

    def commitment(self) -> Json:
        """The commitment to what was released; null when that is nothing."""
        return self._commitment.hexdigest() if self._commitment and self.bytes_released else None

    def judgements(self) -> Json:
        """Every judgement of the answer."""
        return [j.fields() for j in self._judgements.values()]

    def incidents(self) -> Mapping[Obligation, int]:
        """What the policy says has to be reported of the answer, and when it was first seen."""
        return self._incidents

    def counts(self) -> dict[str, Json]:
        """Bytes released, and tokens as the model's service counted them; null when it did not say."""
        return {
            "bytes_released": self.bytes_released,
            "tokens_in": self._end.input_tokens if self._end else None,
            "tokens_out": self._end.output_tokens if self._end else None,
        }

    def model(self) -> Json:
        """Which model says that it answered, and why it stopped; null when there was no end."""
        return {"answered": self._end.model, "stop": str(self._end.stop)} if self._end else None

    def _release(self, text: str, framed: str) -> None:
        self.bytes_released += len(text.encode("utf-8", "surrogatepass"))
        if self._commitment is None:
            self._commitment = self._begin()
        self._commitment.update(framed.encode("ascii"))


class _Judgement:
    def __init__(self, stage: Stage, decision: Decision) -> None:
        self._stage = stage
        self._decision = decision
        self._times = 0
        self._readings: tuple[Reading, ...] = ()

    def add(self, readings: tuple[Reading, ...]) -> None:
        self._times += 1
        if readings != self._readings:
            self._readings = _strictest(self._readings, readings)

    def fields(self) -> Json:
        return {
            "stage": str(self._stage),
            "effect": self._decision.effect.name.lower(),
            "rules": record.rules(self._decision.rules),
            "readings": record.readings(self._readings),
            "times": self._times,
        }


def _strictest(known: tuple[Reading, ...], seen: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """One reading of each name: one without a score, else the highest."""
    kept = {r.name: r for r in known}
    for reading in seen:
        before = kept.get(reading.name, reading)
        if before.score is not None and (reading.score is None or reading.score >= before.score):
            before = reading
        kept[reading.name] = before
    return tuple(kept.values())
