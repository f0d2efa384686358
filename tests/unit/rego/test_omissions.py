"""Who says less, shows less or is granted less never comes off better: over every vector, one fact after the other.

test_strictness.py looks for more of the same with hypothesis. `make fuzz` raises every signal of every
vector, each run of the tests one in four.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

from gateway.types import Decision, Effect
from gateway.workshop.deciding import Decide, Made
from tests.support.inputs import plain
from tests.support.lesser import lesser, louder, place
from tests.support.vectors import bases, load

STEP = 1 if os.environ.get("BRIGHTLINE_PROFILE") == "new" else 4


def effect(made: Made) -> Effect:
    return made.effect if isinstance(made, Decision) else Effect.DENY


def weaker(decide: Decide, asked: list[tuple[str, Any, Effect]]) -> list[str]:
    """The names of those that are decided more weakly than they have to be."""
    made = decide([facts for _, facts, _ in asked])
    return [name for (name, _, least), one in zip(asked, made, strict=True) if effect(one) < least]


def refused() -> Iterator[tuple[str, Any, Effect]]:
    """The vectors that are not simply allowed; what is allowed can't become weaker."""
    for vector in load():
        least = Effect[vector.effect.upper()]
        if least > Effect.ALLOW and vector.about != "facts_well_formed":  # whose inputs are odd, and less may mend them
            yield vector.id, vector.input, least


def test_no_vector_is_weaker_when_less_is_said(decide: Decide) -> None:
    """Without a paper, a grant, a declaration or a live safeguard each vector is decided as strictly as with it."""
    asked = [(f"{name}: {how}", less, least) for name, facts, least in refused() for how, less in lesser(facts)]
    assert len(asked) > 5000
    assert weaker(decide, asked) == []


def test_no_vector_is_weaker_when_a_signal_is_louder(decide: Decide) -> None:
    """With any signal at its highest, or unavailable, each vector is decided as strictly as before."""
    asked = [(f"{name}: {how}", loud, least) for name, facts, least in refused() for how, loud in louder(facts)]
    assert len(asked) > 5000
    assert weaker(decide, asked[::STEP]) == []


def test_nothing_that_a_decision_rests_on_may_be_missing(decide: Decide) -> None:
    """An input that lacks any of its facts is refused, whichever of the bases it is."""
    asked = [
        (f"{name} without {'/'.join(path)}", without(facts, path), Effect.DENY)
        for name, facts in bases().items()
        for path in paths(facts, ())
        if path != ("safeguards", "detector.lexical")  # which a manifest may ask for by name, and these don't
    ]
    assert len(asked) > 500
    assert weaker(decide, asked) == []


def without(facts: Any, path: tuple[str, ...]) -> Any:
    changed = copy.deepcopy(facts)
    del place(changed, path[:-1])[path[-1]]
    return changed


def paths(facts: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in facts.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


def test_the_plain_request_is_allowed(decide: Decide) -> None:
    """The properties above are not empty: what says all that is needed is allowed."""
    assert effect(decide([plain()])[0]) is Effect.ALLOW
