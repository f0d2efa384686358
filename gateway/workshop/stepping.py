"""Finds which conditions of the policy hold for an input, with Open Policy Agent.

For each policy file a generated module is added. It has a rule for every prefix of every body: the first condition, the
first two, and so on. The first of these rules that is undefined identifies the first condition that fails.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gateway.canonical import Json
from gateway.errors import StartError
from gateway.pdp.engine import encode
from gateway.workshop.layout import RULE_FILE, files, is_policy
from gateway.workshop.opa import opa, said

Name: TypeAlias = tuple[str, ...]
"""A package or a rule, as its path below data."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One expression of a body. refers: the rule, if the expression is only the name of one; otherwise None."""

    line: int
    text: str
    negated: bool
    refers: Name | None


@dataclass(frozen=True, slots=True)
class Body:
    """One body of a rule. file: relative to the policy folder. first: the number of its first step."""

    name: Name
    file: str
    line: int
    conditions: tuple[Condition, ...]
    first: int

    def steps(self) -> range:
        """The number of each prefix of the body, from the first condition alone to all of them."""
        return range(self.first, self.first + len(self.conditions))


@dataclass(frozen=True, slots=True)
class Stepped:
    """Every body of the rules without arguments, the steps that hold, and the verdicts by rule."""

    bodies: dict[Name, list[Body]]
    holds: frozenset[int]
    verdicts: dict[Name, Any]


def step(sources: Path, facts: dict[str, Json]) -> Stepped:
    """Evaluate every condition that can matter for the input. Raises StartError if that fails."""
    paths = _asked(sources, facts)
    with ThreadPoolExecutor() as several:
        parsed = list(several.map(lambda path: _parse(sources, path), paths))
    bodies: dict[Name, list[Body]] = {}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (path, module) in enumerate(zip(paths, parsed, strict=True)):
            of_file = list(_bodies(path, module, count))
            count += sum(len(body.conditions) for body in of_file)
            lines = (sources / path).read_text(encoding="utf-8").splitlines()
            (Path(folder) / f"{number}.rego").write_text(_beginnings(module, lines, of_file), encoding="utf-8")
            for body in of_file:
                bodies.setdefault(body.name, []).append(body)
        (Path(folder) / "collected.rego").write_text(_collected(bodies), encoding="utf-8")
        answer = _ask(sources, Path(folder), facts)
    return Stepped(bodies, frozenset(answer["holds"]), {tuple(k.split(".")): v for k, v in answer["verdicts"].items()})


def is_verdict(name: Name) -> bool:
    """Whether the name is that of a rule's verdict."""
    return name[-1] == "verdict" and RULE_FILE.fullmatch(f"{'/'.join(name[:-1])}/{name[-2]}.rego") is not None


def _asked(sources: Path, facts: dict[str, Json]) -> list[str]:
    """The policy files that can matter: shared rules and facts, and the policy of the tenant's agency."""
    tenant = facts.get("tenant")
    agency = tenant.get("policy") if isinstance(tenant, dict) else None
    places = ("brightline/rules/", "brightline/facts/", f"brightline/agency/{agency}/")
    return [path for path in files(sources) if is_policy(path) and path.startswith(places)]


def _parse(sources: Path, path: str) -> Any:
    parsed = opa("parse", "--format", "json", "--json-include", "locations", path, at=sources)
    if parsed.returncode:
        raise StartError(f"{sources / path}: {said(parsed)}")
    return json.loads(parsed.stdout)


def _bodies(path: str, module: Any, first: int) -> Iterator[Body]:
    """The bodies of rules that take no arguments and make no set or object."""
    package = _name(module["package"]["path"])
    imports = {_alias(i): _name(i["path"]["value"]) for i in module.get("imports", [])}
    for rule in module.get("rules", []):
        head = rule["head"]
        if rule.get("default") or head.get("args") or head.get("key") or len(head["ref"]) > 1:
            continue
        conditions = tuple(_condition(expression, package, imports) for expression in rule["body"])
        yield Body((*package, head["name"]), path, rule["location"]["row"], conditions, first)
        first += len(conditions)


def _condition(expression: Any, package: Name, imports: dict[str, Name]) -> Condition:
    where = expression["location"]
    text = base64.b64decode(where["text"]).decode("utf-8")
    refers = _refers(expression["terms"], package, imports)
    return Condition(where["row"], text, bool(expression.get("negated")), refers)


def _refers(terms: Any, package: Name, imports: dict[str, Name]) -> Name | None:
    match terms:
        case {"type": "var", "value": str(name)}:
            return (*package, name)
        case {"type": "ref", "value": [{"type": "var", "value": str(alias)}, *rest]} if alias in imports:
            return (*imports[alias], *(part["value"] for part in rest))
    return None


def _beginnings(module: Any, lines: list[str], bodies: list[Body]) -> str:
    """A module of the same package with a rule for every prefix of every body."""
    package = ".".join(_name(module["package"]["path"]))
    text = [f"package {package}", *(lines[i["location"]["row"] - 1] for i in module.get("imports", []))]
    for body in bodies:
        for count, number in enumerate(body.steps(), 1):
            so_far = "\n".join(condition.text for condition in body.conditions[:count])
            text.append(f"explaining_{number} if {{\n{so_far}\n}}")
    return "\n".join(text) + "\n"


def _collected(bodies: dict[Name, list[Body]]) -> str:
    """A module that collects the steps that hold and the value of every verdict."""
    text = ["package explaining"]
    for name, ways in bodies.items():
        package = ".".join(("data", *name[:-1]))
        text += [f"holds contains {n} if {package}.explaining_{n}" for body in ways for n in body.steps()]
        if is_verdict(name):
            text.append(f'verdicts["{".".join(name)}"] := {package}.verdict')
    return "\n".join(text) + "\n"


def _ask(sources: Path, beside: Path, facts: dict[str, Json]) -> Any:
    query = '{"holds": data.explaining.holds, "verdicts": data.explaining.verdicts}'
    place = ("--data", sources, "--data", beside)
    done = opa("eval", *place, "--stdin-input", "--format", "json", query, at=beside, stdin=encode(facts).decode())
    if done.returncode:
        raise StartError(f"the policy can't be explained, which asks about its conditions one by one: {said(done)}")
    return json.loads(done.stdout)["result"][0]["expressions"][0]["value"]


def _alias(imported: Any) -> str:
    return str(imported.get("alias") or imported["path"]["value"][-1]["value"])


def _name(path: Any) -> Name:
    return tuple(part["value"] for part in path[1:])
