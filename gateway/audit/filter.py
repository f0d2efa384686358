"""The filter of a search: what it matches, and the terms under which records are indexed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.canonical import Json

EFFECTS: Final = ("deny", "require_approval", "allow")
"""Effects, strictest first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A record must match every given field; an empty filter matches all. The words are those of the record.

    effect: of the decision about the request, or, for an outcome, the strictest about the answer. rule: one that fired.
    from_us, until_us: microseconds since 1970; from is inclusive, until exclusive.
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
        """The terms under which a matching record is indexed."""
        given = {name: getattr(self, name) for name in ("tenant", "subject", "rule", "effect", "kind", "outcome")}
        return [f"{name}={value}" for name, value in {**given, "reason": self.reason}.items() if value]

    def fits(self, record: dict[str, Any]) -> bool:
        """Whether the record matches. This looks at the record itself, not at an index."""
        if self.decision_id and record.get("decision_id") != self.decision_id:
            return False
        return self.in_time(record.get("time_us")) and set(self.terms()) <= set(terms(record))

    def in_time(self, time_us: object) -> bool:
        """Whether the value is a time within the filter's period."""
        return isinstance(time_us, int) and self.from_us <= time_us and (not self.until_us or time_us < self.until_us)

    def asked(self) -> dict[str, Json]:
        """The given fields, for the record of the search."""
        return {name: value for name, value in asdict(self).items() if value}


def terms(record: dict[str, Any]) -> Iterator[str]:
    """The terms under which a record is indexed. A malformed record gives the terms that it has."""
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
    """The effect of the decision about the request; for an outcome, the strictest about the answer. May be empty."""
    decision = record.get("decision")
    said = [decision] if isinstance(decision, dict) else _objects(record.get("judgements"))
    effects = [one.get("effect") for one in said]
    return next((word for word in EFFECTS if word in effects), "")


def rule_ids(record: dict[str, Any]) -> Iterator[str]:
    """The rules that fired; may repeat some."""
    for place in (record, *_objects(record.get("judgements"))):
        for rule in _objects(place.get("rules")):
            if isinstance(name := rule.get("id"), str):
                yield name


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
