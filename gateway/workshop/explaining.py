"""Explains for every rule why it fired, or which of its conditions failed first.

If a condition is only the name of another rule (`not harmless`, `facts.peaceful`), the explanation goes on to the
conditions of that rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.canonical import Json
from gateway.workshop.policies import Opened
from gateway.workshop.stepping import Condition, Name, Stepped, is_verdict, step


@dataclass(frozen=True, slots=True)
class Cause:
    """A condition that failed, or the conditions of a body that held, with the conditions behind it."""

    file: str
    line: int
    text: str
    because: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What one rule did. effect: of its verdict; empty if it gave none. causes: one for each relevant body."""

    id: str
    effect: str
    causes: tuple[Cause, ...]


def explain(policy: Opened, facts: dict[str, Json]) -> list[Account]:
    """The account of every rule that can apply to this input. Raises StartError if there is none."""
    stepped = step(policy.sources, facts)
    return [_account(stepped, name) for name in stepped.bodies if is_verdict(name)]


def _account(stepped: Stepped, name: Name) -> Account:
    if name not in stepped.verdicts:
        return Account(name[-2], "", tuple(_failed(stepped, name)))
    verdict = stepped.verdicts[name]
    effect = verdict.get("effect") if isinstance(verdict, dict) else None
    return Account(name[-2], effect if isinstance(effect, str) else "unreadable", tuple(_held(stepped, name)))


def _failed(stepped: Stepped, name: Name) -> Iterator[Cause]:
    """The first condition that failed in each body that did not hold."""
    for body in stepped.bodies[name]:
        for number, condition in zip(body.steps(), body.conditions, strict=True):
            if number not in stepped.holds:
                yield Cause(body.file, condition.line, condition.text, tuple(_why_failed(stepped, condition)))
                break


def _held(stepped: Stepped, name: Name) -> Iterator[Cause]:
    """The conditions of each body that held."""
    for body in stepped.bodies[name]:
        if stepped.holds.issuperset(body.steps()):
            because = tuple(cause for condition in body.conditions for cause in _why_held(stepped, condition))
            yield Cause(body.file, body.line, "; ".join(c.text for c in body.conditions), because)


def _why_failed(stepped: Stepped, condition: Condition) -> Iterator[Cause]:
    if condition.refers in stepped.bodies:
        tell = _held if condition.negated else _failed
        yield from tell(stepped, condition.refers)


def _why_held(stepped: Stepped, condition: Condition) -> Iterator[Cause]:
    if condition.refers in stepped.bodies and condition.negated:
        yield from _failed(stepped, condition.refers)
