"""The computed effect of a release: compares the decisions of the release in force and of the new one on equal inputs.

The inputs are those of both self-tests, so every signer computes the same effect, and removing an input from the new
self-test hides nothing. In addition, each tenant and model that changed is put into those inputs, once as the old
release has it and once as the new one does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from gateway import facts
from gateway.canonical import Json
from gateway.types import Check, Release
from gateway.workshop.deciding import embedded
from gateway.workshop.impact import Impact, by_rule
from gateway.workshop.lines import Line

MOST: Final = 20
"""The most changed tenants, and the most changed models, that are compared. `beyond` says how many more there are."""

EXAMPLES: Final = 8
"""The most looser decisions that the signed metadata names."""

CEILING: Final = "UNCLASSIFIED"
"""The enclave's ceiling. An enclave is not part of a release, so each input that is compared has its own."""

Inputs: TypeAlias = tuple[str, str, dict[str, Json], dict[str, Json]]


def effect(old: Release, new: Release) -> dict[str, Any]:
    """Counts, the rules behind them, and the looser decisions, for the signed metadata. Raises StartError.

    parts: the same, by what an input is about: "tenant ID", "model ID", or "" for the rules themselves.
    """
    new = replace(new, checks=(*new.checks, *no_longer_asked(old, new)))
    impact, parts = Impact(), defaultdict[str, Impact](Impact)
    inputs = list(_inputs(old, new))
    with embedded(old) as before, embedded(new) as after:
        decided = zip(inputs, before([i[2] for i in inputs]), after([i[3] for i in inputs]), strict=True)
        for (about, name, _, facts_now), was, now in decided:
            line = Line(f"{about}, {name}" if about else name, facts_now)
            for counted in (impact, parts[about]):
                counted.add(line, was, now)
    looser = _looser(impact)
    return {
        "decisions": impact.decisions(),
        "looser": len(looser),
        "stricter": impact.count(loosened=False),
        "rules": [{"id": row.name, "looser": row.loosened, "stricter": row.tightened} for row in by_rule(impact)],
        "examples": looser[:EXAMPLES],
        "parts": [
            {
                "about": about,
                "decisions": part.decisions(),
                "looser": part.count(loosened=True),
                "stricter": part.count(loosened=False),
                "examples": _looser(part)[:EXAMPLES],
            }
            for about, part in sorted(parts.items())
        ],
        "beyond": sum(
            max(0, len(_changed(a, b)) - MOST) for a, b in ((old.tenants, new.tenants), (old.models, new.models))
        ),
    }


def no_longer_asked(old: Release, new: Release) -> list[Check]:
    """Inputs of the old self-test that the new one lacks, or has with other content under the same name."""
    asked = {check.id: check.input for check in new.checks}
    return [check for check in old.checks if asked.get(check.id) != check.input]


def _looser(impact: Impact) -> list[str]:
    flips = (flip for flip in impact.ordered() if flip.loosened)
    return [f"{f.id}: {f.step()}, no longer {', '.join(f.gone) or 'refused'}" for f in flips]


def _inputs(old: Release, new: Release) -> Iterator[Inputs]:
    for check in new.checks:
        yield "", check.id, dict(check.input), dict(check.input)
    before, after = facts.prepare(old, CEILING, ""), facts.prepare(new, CEILING, "")
    for name in _changed(before.tenants, after.tenants)[:MOST]:
        was, now = before.tenants[name], after.tenants[name]
        for ident, asked in _asked(new, was, now):
            facts_ = _at_a_model_of(asked, now, after.models)
            yield f"tenant {name}", ident, {**facts_, "tenant": was}, {**facts_, "tenant": now}
    for name in _changed(before.models, after.models)[:MOST]:
        for check in new.checks:
            asked = _to(check.input, name, after.models[name])
            yield (
                f"model {name}",
                check.id,
                asked | {"model": before.models[name]},
                asked | {"model": after.models[name]},
            )


def _asked(new: Release, was: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every input, and every permitted input again for each purpose that only one of the two tenants may have."""
    for check in new.checks:
        yield check.id, dict(check.input)
    for purpose in sorted(_texts(was["purposes"]) ^ _texts(now["purposes"])):
        for check in new.checks:
            if check.effect == "allow":
                yield f"{check.id} for {purpose}", _asking(check.input, "purpose", purpose)


def _at_a_model_of(asked: dict[str, Json], tenant: Mapping[str, Json], models: Mapping[str, Any]) -> dict[str, Json]:
    """The same question to a model that the tenant may ask; otherwise the model alone would be a reason to refuse."""
    name = next((name for name in sorted(_texts(tenant["models"])) if name in models), None)
    return asked if name is None else _to(asked, name, models[name])


def _to(asked: Mapping[str, Json], name: str, model: Mapping[str, Json]) -> dict[str, Json]:
    """The same question to this model, in an enclave where it may be asked: an enclave is not part of a release."""
    put, enclave = _asking(asked, "model", name) | {"model": model}, asked.get("enclave")
    home = min(_texts(model["enclaves"]), default=None)
    return put if home is None or not isinstance(enclave, Mapping) else put | {"enclave": {**enclave, "name": home}}


def _asking(asked: Mapping[str, Json], key: str, value: str) -> dict[str, Json]:
    request = asked.get("request")
    return {**asked, "request": {**request, key: value}} if isinstance(request, Mapping) else dict(asked)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names that are in both and have changed. Added and removed names are described in words."""
    return sorted(name for name in old if name in new and old[name] != new[name])


def _texts(value: Json) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list | tuple) else set()
