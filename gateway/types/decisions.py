"""Decisions, and the only way to make a prompt that may be forwarded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from gateway.errors import GatewayError, Reason, Rule
from gateway.types.facts import Facts
from gateway.types.prompts import Prompt
from gateway.types.releases import Model


class Effect(IntEnum):
    """The effect of a decision. A larger value is stricter."""

    ALLOW = 1
    REQUIRE_APPROVAL = 2
    DENY = 3


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that the policy adds to a decision. The parser of decisions refuses unknown kinds.

    max_tokens: limit. remove_tools: effectors. output_marking: a banner line as text. label, oversight_label,
    record_authority: text. seal_content: the retention class as text. route: the model's id as text. incident: what
    happened as text, and as limit the hours within which it must be reported. Refusals have only the last kind and
    seal_content.
    """

    kind: str
    text: str = ""
    limit: int = 0
    effectors: tuple[str, ...] = ()


_PERMIT: Final = object()


@dataclass(frozen=True, slots=True)
class Permitted:
    """A prompt that may be forwarded. Only Decision.permit makes one, so forwarding any other is a type error."""

    prompt: Prompt
    model: Model
    obligations: tuple[Obligation, ...]
    _made_by_permit: object = field(repr=False)

    def __post_init__(self) -> None:
        if self._made_by_permit is not _PERMIT:
            raise TypeError("only Decision.permit makes a Permitted")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy decided. rules: those that fired, strictest first."""

    effect: Effect
    rules: tuple[Rule, ...]
    obligations: tuple[Obligation, ...]
    grants: tuple[str, ...]

    def permit(self, prompt: Prompt, facts: Facts) -> Permitted:
        """The prompt with the obligations applied. Raises GatewayError unless the effect is allow."""
        if self.effect is Effect.REQUIRE_APPROVAL:
            raise GatewayError(
                Reason.APPROVAL_REQUIRED,
                facts.told("a human approval is required before this use"),
                rules=self.rules,
            )
        if self.effect is not Effect.ALLOW:
            raise GatewayError(
                Reason.POLICY_DENIED, facts.told("the policy does not permit this use"), rules=self.rules
            )
        if facts.model is None:
            raise GatewayError(Reason.INTERNAL, "no model to forward to", detail="allowed without a model")
        for obligation in self.obligations:
            prompt = _apply(obligation, prompt)
        return Permitted(prompt, facts.model, self.obligations, _PERMIT)


def _apply(obligation: Obligation, prompt: Prompt) -> Prompt:
    if obligation.kind == "max_tokens":
        return replace(prompt, max_tokens=min(prompt.max_tokens, obligation.limit))
    if obligation.kind == "remove_tools":
        removed = {*obligation.effectors}
        return replace(prompt, tools=tuple(t for t in prompt.tools if removed.isdisjoint({t.effector, *t.apparent})))
    if obligation.kind == "route":
        return replace(prompt, model=obligation.text)
    return prompt
