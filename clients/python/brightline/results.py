"""Results of calls, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from brightline.content import Text, ToolUse


class StopReason(StrEnum):
    """Why the model stopped. MODEL_REFUSAL: the model itself declined, not the gateway."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    TOOL_USE = "tool_use"
    MODEL_REFUSAL = "model_refusal"


class Effect(StrEnum):
    """The effect of a decision, strictest last."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a rule. read: first_hand, second_hand or general_knowledge, as the rule's authors read it."""

    title: str
    read: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule behind a decision. cls: red_line, provider_baseline, law, directive or agency. remedy: what you can do."""

    id: str
    title: str
    cls: str
    sources: tuple[Source, ...]
    remedy: str
    effect: str


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the policy added to the call, for example kind "label" with the text to show with the answer."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of the model's service."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer.

    decision_id: names the durable record of the call. release: the digest of the release that decided.
    """

    decision_id: str
    release: str
    parts: tuple[Text | ToolUse, ...]
    stop_reason: StopReason
    usage: Usage
    obligations: tuple[Obligation, ...]

    @property
    def text(self) -> str:
        """The text of the answer, without tool calls."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a stream: the call was permitted."""

    decision_id: str
    release: str
    obligations: tuple[Obligation, ...]


Event: TypeAlias = Started | Text | ToolUse | Answer
"""The events of a stream: Started, then Text and ToolUse as they are judged, and last the whole Answer."""


@dataclass(frozen=True, slots=True)
class Check:
    """The decision that the gateway would make now. rules: those behind the effect; empty if it is allow."""

    decision_id: str
    release: str
    effect: Effect
    rules: tuple[Rule, ...]
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the tenant may use. marking_ceiling: the highest marking that it may see, as a banner line."""

    id: str
    description: str
    marking_ceiling: str
