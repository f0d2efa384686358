"""Parses an engine's answer. Exactly the agreed shape is a decision; anything else refuses the call.

1 exact keys and types, known words only       2 decided by the policy of this release
3 the effect is the strictest of its rules; without rules it is allow
4 a refusal has no obligation but to report or seal content, and uses no grant
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from gateway import marking
from gateway.errors import GatewayError, Reason, Rule, Source
from gateway.types import EFFECTORS, Decision, Effect, Obligation

CLASSES: Final = ("red_line", "provider_baseline", "law", "directive", "agency")
"""The classes of rules, in order of precedence."""

READ: Final = frozenset({"first_hand", "second_hand", "general_knowledge"})

MAX_LIMIT: Final = 2**31 - 1

_EFFECTS: Final = {"allow": Effect.ALLOW, "require_approval": Effect.REQUIRE_APPROVAL, "deny": Effect.DENY}

_NAMED: Final = {
    "label": "text",
    "oversight_label": "text",
    "record_authority": "text",
    "route": "model",
    "seal_content": "class",
}
"""What each kind of obligation with one text calls that text."""

_OF_REFUSALS: Final = frozenset({"incident", "seal_content"})
"""Obligations that a refusal may have."""

_T = TypeVar("_T")


class _NoDecisionError(ValueError):
    """The answer is not a decision."""


def unavailable(detail: str) -> GatewayError:
    """The refusal of a call without a decision. detail: for the log."""
    return GatewayError(Reason.POLICY_UNAVAILABLE, "the policy engine gave no decision", detail=detail)


def parse(result: object, revision: str) -> Decision:
    """Parse the decision that an engine answered. revision: of the release in force.

    Raises GatewayError (POLICY_UNAVAILABLE) for anything that is not exactly a decision of that revision.
    """
    try:
        return _decision(result, revision)
    except _NoDecisionError as error:
        raise unavailable(f"not a decision: {error}") from error


def _decision(result: object, revision: str) -> Decision:
    effect, rules, obligations, grants, decided_by = _fields(  # 1
        result, "decision", ("effect", "rules", "obligations", "grants", "revision")
    )
    decision = Decision(
        _effect(effect, "effect"),
        tuple(sorted(_each(rules, "rules", _rule), key=_strictness)),
        _each(obligations, "obligations", _obligation),
        _each(grants, "grants", _text),
    )
    if _text(decided_by, "revision") != revision:  # 2
        raise _NoDecisionError("revision: decided by another policy than the release in force")
    strictest = max((_EFFECTS[rule.effect] for rule in decision.rules), default=Effect.ALLOW)  # 3
    if decision.effect is not strictest:
        raise _NoDecisionError(f"effect: {effect}, but the strictest rule says {strictest.name.lower()}")
    if decision.effect is Effect.DENY and (  # 4
        decision.grants or any(o.kind not in _OF_REFUSALS for o in decision.obligations)
    ):
        raise _NoDecisionError("obligations, grants: a refusal has none but incident and seal_content")
    return decision


def _strictness(rule: Rule) -> tuple[int, int, str]:
    return -_EFFECTS[rule.effect], CLASSES.index(rule.cls), rule.id


def _rule(value: object, where: str) -> Rule:
    ident, cls, title, remedy, sources, effect = _fields(
        value, where, ("id", "class", "title", "remedy", "sources", "effect")
    )
    _effect(effect, f"{where}.effect")
    return Rule(
        id=_text(ident, f"{where}.id"),
        title=_text(title, f"{where}.title"),
        cls=_word(cls, f"{where}.class", CLASSES),
        remedy=_text(remedy, f"{where}.remedy"),
        sources=_each(sources, f"{where}.sources", _source),
        effect=effect,
    )


def _source(value: object, where: str) -> Source:
    title, read = _fields(value, where, ("title", "read"))
    return Source(_text(title, f"{where}.title"), _word(read, f"{where}.read", READ))


def _obligation(value: object, where: str) -> Obligation:
    kind, params = _fields(value, where, ("kind", "params"))
    match kind:
        case "max_tokens":
            (limit,) = _fields(params, f"{where}.params", ("limit",))
            if type(limit) is not int or not 0 < limit <= MAX_LIMIT:
                raise _NoDecisionError(f"{where}.params.limit: not a positive integer")
            return Obligation(kind, limit=limit)
        case "remove_tools":
            (effectors,) = _fields(params, f"{where}.params", ("effectors",))
            return Obligation(kind, effectors=_each(effectors, f"{where}.params.effectors", _effector))
        case "incident":
            text, hours = _fields(params, f"{where}.params", ("text", "report_within_hours"))
            if type(hours) is not int or not 0 < hours <= MAX_LIMIT:
                raise _NoDecisionError(f"{where}.params.report_within_hours: not a positive integer")
            return Obligation(kind, text=_text(text, f"{where}.params.text"), limit=hours)
        case "output_marking":
            (text,) = _fields(params, f"{where}.params", ("text",))
            if marking.parse(_text(text, f"{where}.params.text")) is None:
                raise _NoDecisionError(f"{where}.params.text: not a banner line")
            return Obligation(kind, text=text)
        case "label" | "oversight_label" | "record_authority" | "route" | "seal_content":
            name = _NAMED[kind]
            (text,) = _fields(params, f"{where}.params", (name,))
            return Obligation(kind, text=_text(text, f"{where}.params.{name}"))
        case _:
            raise _NoDecisionError(f"{where}.kind: unknown")


def _effector(value: object, where: str) -> str:
    return _word(value, where, EFFECTORS)  # an unknown word would match no tool and remove nothing


def _effect(value: object, where: str) -> Effect:
    return _EFFECTS[_word(value, where, _EFFECTS)]


def _fields(value: object, where: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The values of an object that must have exactly these keys."""
    if type(value) is not dict or len(value) != len(names):
        raise _NoDecisionError(f"{where}: not an object of {', '.join(names)}")
    try:
        return tuple([value[name] for name in names])
    except KeyError as error:
        raise _NoDecisionError(f"{where}: no {error.args[0]}") from None


def _each(value: object, where: str, read: Callable[[object, str], _T]) -> tuple[_T, ...]:
    if type(value) is not list:
        raise _NoDecisionError(f"{where}: not an array")
    return tuple([read(item, where) for item in value])


def _text(value: object, where: str) -> str:
    """Text that a record can hold: not empty, and encodable as UTF-8 (JSON escapes may hide a lone surrogate)."""
    if type(value) is not str or not value:
        raise _NoDecisionError(f"{where}: not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _NoDecisionError(f"{where}: holds a lone surrogate") from None
    return value


def _word(value: object, where: str, known: tuple[str, ...] | frozenset[str] | dict[str, Effect]) -> str:
    if type(value) is not str or value not in known:
        raise _NoDecisionError(f"{where}: not one of {', '.join(sorted(known))}")
    return value
