"""Finds the facts that a rule reads, directly or through shared packages, by following its references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from gateway.workshop.layout import Finding, is_policy
from gateway.workshop.metadata import Rule
from gateway.workshop.modules import Module, Node, name, nodes, references

Named: TypeAlias = "tuple[tuple[str, ...], str]"
"""A package and the name of a rule in it."""


class Reading:
    """The references of each rule in each package."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self._facts: dict[Named, set[str]] = {}
        self._asks: dict[Named, set[Named]] = {}
        self._packages = {m.package for m in modules if is_policy(m.path)}
        for module in modules:
            if is_policy(module.path):
                self._read(module)

    def facts(self, package: tuple[str, ...]) -> set[str]:
        """The paths below input that the package reads, directly or through other packages."""
        pending = [named for named in self._facts if named[0] == package]
        seen: set[Named] = set()
        found: set[str] = set()
        while pending:
            named = pending.pop()
            if named not in seen and named in self._facts:
                seen.add(named)
                found |= self._facts[named]
                pending.extend(self._asks[named])
        return found

    def _read(self, module: Module) -> None:
        names = {name(rule) for rule in module.ast.get("rules", [])}
        for rule in module.ast.get("rules", []):
            named = (module.package, name(rule))
            facts = self._facts.setdefault(named, set())
            asks = self._asks.setdefault(named, set())
            local = set(_local(rule))
            for reference in references(module, rule):
                root, *path = reference.path
                if root == "input" and path:
                    facts.add(".".join(path))
                elif root == "data":
                    asks.update(self._asked(tuple(path)))
                elif root in names and root not in local:
                    asks.add((module.package, root))

    def _asked(self, path: tuple[str, ...]) -> Iterator[Named]:
        """The rule of another package that a path below data names."""
        for length in range(len(path) - 1, 0, -1):
            if path[:length] in self._packages:
                yield path[:length], path[length]
                return


def _local(rule: Node) -> Iterator[str]:
    """Local variables of the rule, which hide rules of the same name."""
    for argument in rule["head"].get("args", []):
        yield from (node["value"] for node in nodes(argument) if node.get("type") == "var")
    for node in nodes(rule):
        terms = node.get("terms")
        match terms:
            case [{"type": "ref", "value": [{"value": "assign"}]}, target, *_]:
                yield from (n["value"] for n in nodes(target) if n.get("type") == "var")
            case {"symbols": symbols}:
                yield from (n["value"] for n in nodes(symbols) if n.get("type") == "var")
            case {"key": key, "value": value, "domain": _}:
                yield from (n["value"] for n in nodes([key, value]) if n.get("type") == "var")


def declared(rules: Sequence[Rule], modules: Sequence[Module]) -> Iterator[Finding]:
    """Rules whose METADATA does not list exactly the facts that they read."""
    reading, packages = Reading(modules), {m.path: m.package for m in modules}
    for rule in rules:
        read, said = reading.facts(packages[rule.path]), rule.custom.facts
        missing = sorted(fact for fact in read if not any(_overlap(fact, one) for one in said))
        added = sorted(one for one in said if not any(_overlap(fact, one) for fact in read))
        if missing:
            yield Finding(
                rule.path, f"METADATA: custom.facts: the rule reads {', '.join(missing)} too; add it", rule.line
            )
        if added:
            text = f"METADATA: custom.facts: the rule does not read {', '.join(added)}; remove it"
            yield Finding(rule.path, text, rule.line)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
