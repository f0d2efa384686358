"""Finds verdicts with an effect or obligation that no gateway understands, before the policy is built."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.workshop.layout import RULE_FOLDER, Finding, is_policy
from gateway.workshop.modules import Module, Node, line, nodes

DECISION: Final = "schemas/decision.json"
EFFECTS: Final = ("allow", "deny", "require_approval")
OF_THE_DECISION: Final = "output_marking"
"""The obligation that only the decision itself may add. A rule that added one could state a lower marking."""


def understood(rego: Path, modules: Sequence[Module]) -> Iterator[Finding]:
    """Effects and kinds of obligation, written as literals, that the schema of decisions does not have."""
    try:
        kinds = _kinds(json.loads((rego / DECISION).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        yield Finding(DECISION, "is missing or no schema of decisions; it is the same in every policy folder")
        return
    for module in modules:
        if not (is_policy(module.path) and RULE_FOLDER.match(module.path)):
            continue
        for node in nodes(module.ast.get("rules", [])):
            for key, said in _spoken(node).items():
                words = EFFECTS if key == "effect" else kinds
                if said["type"] == "string" and said["value"] not in words:
                    text = f"{key} {said['value']} is not one that a rule may bring; write one of {', '.join(words)}"
                    yield Finding(module.path, text, line(said))


def answers(module: Module) -> tuple[set[str], set[str]]:
    """The effects and the kinds of obligation that occur as literals in a rule."""
    found: dict[str, set[str]] = {"effect": set(), "kind": set()}
    for node in nodes(module.ast.get("rules", [])):
        for key, value in _spoken(node).items():
            if value["type"] == "string":
                found[key].add(value["value"])
    return found["effect"], found["kind"]


def _spoken(node: Node) -> dict[str, Node]:
    """The effect of a verdict, or the kind of an obligation, in an object literal."""
    if node.get("type") != "object":
        return {}
    members = {key["value"]: value for key, value in node["value"] if key["type"] == "string"}
    key = "effect" if "rule" in members else "kind" if "params" in members else ""
    return {key: members[key]} if key in members else {}


def _kinds(schema: dict[str, Any]) -> tuple[str, ...]:
    kinds = schema["properties"]["obligations"]["items"]["properties"]["kind"]["enum"]
    return tuple(kind for kind in kinds if kind != OF_THE_DECISION)
