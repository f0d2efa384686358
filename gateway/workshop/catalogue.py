"""Describes the rules of a policy folder in plain language, from METADATA and the schemas, for readers without Rego."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.canonical import Json
from gateway.workshop import literals, metadata, modules
from gateway.workshop.layout import Finding, is_policy
from gateway.workshop.metadata import Rule
from gateway.workshop.type_check import INPUT

LAYERS: Final[Mapping[str, str]] = {
    "red_line": "the provider's, in every deployment; nobody relaxes them",
    "provider_baseline": "the provider's usage policy",
    "law": "statutes and what rests on them",
    "directive": "presidential and departmental directives, memoranda",
    "agency": "an agency's own",
}
READ: Final[Mapping[str, str]] = {
    "first_hand": "read first hand",
    "second_hand": "read second hand, through another source",
    "general_knowledge": "general knowledge, not checked",
}
RELAXED: Final[Mapping[str, str]] = {
    "nobody": "nobody",
    "grant": "the provider, by a signed grant that is limited in scope and time",
    "statute": "nobody beyond what the statute itself excepts, cited in the request and recorded",
    "official": "the official whom the source names",
    "agency": "the agency",
}
SELECTED: Final[Mapping[str, str]] = {
    "grant": "it permits only what the provider has granted the tenant",
    "tenant": "it speaks only about tenants that selected it",
}
ANSWERS: Final[Mapping[str, str]] = {
    "deny": "refuses",
    "require_approval": "asks for an approval",
    "allow": "permits, and adds to the call",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule, with the effects and obligations of its verdict and the facts that it reads.

    facts: the meaning of each fact, by its path below input.
    """

    rule: Rule
    effects: tuple[str, ...]
    obligations: tuple[str, ...]
    facts: Mapping[str, str]

    def relaxed(self) -> str:
        """Who may relax the rule, and how."""
        custom = self.rule.custom
        who = RELAXED[custom.relaxed_by]
        if custom.selected_by:
            who = f"{who}; {SELECTED[custom.selected_by]}"
        return f"{who}: {custom.relaxed_how}" if custom.relaxed_how else who

    def as_json(self) -> dict[str, Json]:
        """The entry as JSON, for programs."""
        custom = self.rule.custom
        return {
            "id": custom.id,
            "layer": custom.cls,
            "agency": self.rule.agency,
            "guard": custom.guard,
            "title": self.rule.title,
            "statement": custom.statement,
            "description": self.rule.description,
            "effects": list(self.effects),
            "obligations": list(self.obligations),
            "remedy": custom.remedy,
            "relaxed_by": custom.relaxed_by,
            "relaxed_how": custom.relaxed_how,
            "facts": list(custom.facts),
            "sources": [{"title": source.title, "read": source.read} for source in custom.sources],
            "file": self.rule.path,
        }


def catalogue(rego: Path) -> tuple[list[Entry], list[Finding]]:
    """Every rule, shared ones first, by class and id; and what is wrong with the rules that are left out."""
    parsed, broken = modules.parse(rego, is_policy)
    rules, wrong = metadata.described(parsed)
    schema = json.loads((rego / INPUT).read_bytes())
    by_path = {module.path: module for module in parsed}
    return [_entry(rule, by_path[rule.path], schema) for rule in rules], [*broken, *wrong]


def _entry(rule: Rule, module: modules.Module, schema: Mapping[str, Any]) -> Entry:
    effects, obligations = literals.answers(module)
    facts = {path: _meaning(schema, path) for path in rule.custom.facts}
    return Entry(rule, tuple(e for e in ANSWERS if e in effects), tuple(sorted(obligations)), facts)


def _meaning(schema: Mapping[str, Any], path: str) -> str:
    """What the schema says about a fact: its description, otherwise its enum values."""
    node: Mapping[str, Any] = schema
    for key in path.split("."):
        node = _resolved(schema, node).get("properties", {}).get(key, {})
    found = _resolved(schema, node)
    text: str = node.get("description") or found.get("description") or ""
    return text or (f"One of {', '.join(found['enum'])}." if "enum" in found else "")


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema node of the value, with references resolved and null left out."""
    if "$ref" in node:
        return _resolved(schema, schema["definitions"][node["$ref"].rpartition("/")[2]])
    described = [one for one in node.get("anyOf", []) if one != {"type": "null"}]
    return _resolved(schema, described[0]) if described else node
