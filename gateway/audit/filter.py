"""What a reviewer looks for: a filter, whether a record fits it, and the words under which a record is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.canonical import Json

EFFECTS: Final = ("deny", "require_approval", "allow")
"""Effects, strictest first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Every field that is given has to fit; an empty one fits everything. Words are those of the record.

    effect: what was decided about the request, or of an outcome the strictest about the answer. rule: one that fired.
    from_us, until_us: microseconds since 1970, the first included and the last not.
    """

    tenant: str = ""
    subject: str = ""
    rule: str = ""
    effect: str = ""
    kind: str = ""
    outcome: str = ""
    reason: str = ""
    decision_id: str = ""
    from_us: int = 0
    until_us: int = 0

    def terms(self) -> list[str]:
        """The words that a record has to be found under."""
        given = {name: getattr(self, name) for name in ("tenant", "subject", "rule", "effect", "kind", "outcome")}
        return [f"{name}={value}" for name, value in {**given, "reason": self.reason}.items() if value]

    def fits(self, record: dict[str, Any]) -> bool:
        """Whether the record is one of those that are looked for. What it says counts, not what an index says."""
        if self.decision_id and record.get("decision_id") != self.decision_id:
            return False
        return self.in_time(record.get("time_us")) and set(self.terms()) <= set(terms(record))

    def in_time(self, time_us: object) -> bool:
        """Whether that is a time within the filter's."""
        return isinstance(time_us, int) and self.from_us <= time_us and (not self.until_us or time_us < self.until_us)

    def asked(self) -> dict[str, Json]:
        """The fields that are given, for the record of the search."""
        return {name: value for name, value in asdict(self).items() if value}


def terms(record: dict[str, Any]) -> Iterator[str]:
    """The words under which a record is found. A record that is none gives those that it has."""
    principal = record.get("principal")
    if isinstance(principal, dict):
        for name in ("tenant", "subject"):
            if isinstance(value := principal.get(name), str) and value:
                yield f"{name}={value}"
    for name in ("kind", "outcome", "reason"):
        if isinstance(value := record.get(name), str) and value:
            yield f"{name}={value}"
    if found := effect(record):
        yield f"effect={found}"
    for rule in set(rule_ids(record)):
        yield f"rule={rule}"


def effect(record: dict[str, Any]) -> str:
    """What was decided: about the request, or of an outcome the strictest about the answer; empty if nothing was."""
    decision = record.get("decision")
    said = [decision] if isinstance(decision, dict) else _objects(record.get("judgements"))
    effects = [one.get("effect") for one in said]
    return next((word for word in EFFECTS if word in effects), "")


def rule_ids(record: dict[str, Any]) -> Iterator[str]:
    """The rules that fired, some of them more than once."""
    for place in (record, *_objects(record.get("judgements"))):
        for rule in _objects(place.get("rules")):
            if isinstance(name := rule.get("id"), str):
                yield name


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
