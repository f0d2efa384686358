"""The self-test of a release: inputs with the decisions that the policy has to make. Both holders sign it.

    {"bases": {name: input}, "vectors": [{"id", "base", "set", "without", "effect", "rules"}]}

An input is a base with changes. Objects in `set` are merged into it and other values replace; then the `without`
pointers are removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from gateway.errors import StartError
from gateway.release.documents import VECTORS
from gateway.release.values import Document, Name
from gateway.types import Check


class Vector(Document):
    """One input and its expected decision. without: JSON pointers of at least one step."""

    id: Name
    base: Name
    set: dict[str, Any] = Field(default_factory=dict)
    without: list[str] = Field(default_factory=list)
    effect: Literal["allow", "require_approval", "deny"]
    rules: list[Name]


class Vectors(Document):
    """vectors.json."""

    bases: dict[str, dict[str, Any]]
    vectors: list[Vector] = Field(min_length=1)


def checks(where: str, document: Vectors) -> tuple[Check, ...]:
    """The expanded inputs with their expected decisions. Raises StartError."""
    made = []
    for vector in document.vectors:
        try:
            facts = changed(document.bases[vector.base], vector.set, vector.without)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StartError(f"{where}: {VECTORS}: {vector.id}: its base or what it leaves out is not there") from error
        made.append(Check(vector.id, facts, vector.effect, frozenset(vector.rules)))
    return tuple(made)


def tells(made: tuple[Check, ...]) -> bool:
    """Whether the self-test covers both an allowed and a denied use."""
    return {"allow", "deny"} <= {check.effect for check in made}


def changed(facts: Any, given: Mapping[str, Any], without: Sequence[str]) -> Any:
    """The facts with `given` merged in and `without` removed.

    Raises KeyError or a similar error if a pointer does not exist. Unchanged parts are shared with `facts`: a release
    has hundreds of inputs on a few bases.
    """
    made = _merged(facts, given)
    for pointer in without:
        made = _without(made, pointer.split("/")[1:])
    return made


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def _without(facts: Any, path: Sequence[str]) -> Any:
    key, *rest = path
    left = {**facts}
    if rest:
        left[key] = _without(facts[key], rest)
    else:
        del left[key]
    return left
