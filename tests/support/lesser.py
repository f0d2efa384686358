"""What a caller, a tenant or a gateway may remove from an input: each change states, shows or has less.

lesser(facts)   # every input with one thing less, with a description
louder(facts)   # every input with one signal at its highest
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from gateway.types import EFFECTORS

Path: TypeAlias = tuple[str, ...]

UNSAID: Final[dict[Path, tuple[Any, ...]]] = {
    ("request", "purpose"): ("unspecified",),
    ("request", "authority"): (None,),
    ("request", "approval"): (None,),
    ("request", "evidence"): ([],),
    ("request", "marking"): (None,),
    ("request", "output_marking"): (None,),
    ("request", "autonomy"): ("unspecified",),
    ("request", "us_person", "involved"): ("unspecified", "unknown"),
    ("request", "us_person", "basis"): ("",),
    ("request", "us_person", "process_id"): ("",),
    ("request", "geo"): ([], ["ZZ"]),
    ("request", "volume", "persons"): (None,),
    ("request", "volume", "records"): (None,),
    ("request", "data_origin"): ("unspecified",),
    ("request", "channel"): ("unspecified",),
    ("principal", "roles"): ([],),
    ("tenant", "grants"): ([],),
    ("tenant", "purposes"): ([],),
    ("tenant", "models"): ([],),
    ("model",): (None,),
    ("safeguards",): ({},),
    ("enclave", "name"): ("",),
    ("audit", "ready"): (False,),
    ("release", "signers"): ([],),
}
"""The value of a fact that is not stated or does not exist."""

PAPERS: Final[tuple[Path, ...]] = (("request", "evidence"), ("tenant", "grants"))
"""Lists of which a missing or expired item counts as less."""


def place(facts: Any, path: Path) -> Any:
    """The part of the facts at the path. Raises KeyError or TypeError if there is none."""
    for key in path:
        facts = facts[key]
    return facts


def put(facts: Any, path: Path, value: Any) -> Any:
    """The facts with another value at the path. Everything else is shared with the original."""
    first, *rest = path
    return {**facts, first: put(facts[first], tuple(rest), value) if rest else value}


def lesser(facts: Any) -> Iterator[tuple[str, Any]]:
    """Every input with one thing less."""
    for path, values in UNSAID.items():
        if _there(facts, path):
            for value in values:
                if value != place(facts, path):
                    yield f"{'.'.join(path)} is {value!r}", put(facts, path, value)
    for path in PAPERS:
        items = place(facts, path) if _there(facts, path) else None
        for at, item in enumerate(items if isinstance(items, list) else ()):
            if len(items) > 1:  # the empty list is above
                yield f"{'.'.join(path)} without {at}", put(facts, path, items[:at] + items[at + 1 :])
            if isinstance(item, dict):
                over = {**item, "expires": 0}
                yield f"{'.'.join(path)} with {at} over", put(facts, path, [*items[:at], over, *items[at + 1 :]])
    yield from _worth_less(facts)


def _worth_less(facts: Any) -> Iterator[tuple[str, Any]]:
    """Evidence, grants and tools that exist, but are worth nothing."""
    request = facts.get("request") if isinstance(facts, dict) else None
    if not isinstance(request, dict):
        return
    if isinstance(authority := request.get("authority"), dict):
        for key, value in (("expires", 0), ("id", ""), ("citation", "none that anybody lists")):
            yield f"authority with {key} {value!r}", put(facts, ("request", "authority"), {**authority, key: value})
    if isinstance(approval := request.get("approval"), dict) and _there(facts, ("principal", "subject")):
        own = {**approval, "approver": facts["principal"]["subject"]}
        yield "approved by the caller", put(facts, ("request", "approval"), own)
    for key, worth in (
        ("documents", lambda _: None),
        ("tools", lambda tool: {**tool, "effector": "unspecified"}),
        ("tools", lambda tool: {**tool, "apparent": [*EFFECTORS]}),
    ):
        items = request.get(key)
        for at, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                others = [*items[:at], worth(item), *items[at + 1 :]]
                yield f"{key} of which {at} is not stated", put(facts, ("request", key), others)


def louder(facts: Any) -> Iterator[tuple[str, Any]]:
    """Every input with one signal at its highest, and one with all signals unavailable."""
    signals = facts.get("signals") if isinstance(facts, dict) else None
    if not isinstance(signals, dict):
        return
    for name, score in signals.items():
        if type(score) is int and score < 1000:
            yield f"{name} at its highest", put(facts, ("signals", name), 1000)
    yield "no signal available", put(facts, ("signals",), dict.fromkeys(signals))


def _there(facts: Any, path: Path) -> bool:
    try:
        place(facts, path)
    except (KeyError, TypeError):
        return False
    return True
