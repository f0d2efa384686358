"""The Rego of a policy folder, parsed by OPA, with the line of every term."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gateway.workshop.layout import Finding, files, is_rego
from gateway.workshop.opa import opa, said

Node: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One file. package: its path below data. imports: the path of each imported name."""

    path: str
    package: tuple[str, ...]
    ast: Node
    imports: dict[str, tuple[str, ...]]

    def annotations(self) -> list[Node]:
        """The METADATA blocks of the file, in order."""
        found: list[Node] = self.ast.get("annotations", [])
        return found

    def about(self) -> Node:
        """The METADATA of its package; empty if there is none."""
        return next((a for a in self.annotations() if a["scope"] in {"package", "subpackages"}), {})


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference. path: the part that is known before run time. whole: whether that is all of it."""

    path: tuple[str, ...]
    line: int
    whole: bool


def parse(rego: Path, which: Callable[[str], bool] = is_rego) -> tuple[list[Module], list[Finding]]:
    """The parsed Rego files, by default all of them, and what is wrong with files that do not parse."""
    paths = [path for path in files(rego) if which(path)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parsed = list(pool.map(lambda path: _parse(rego, path, (rego / path).read_bytes()), paths))
    return [m for m in parsed if isinstance(m, Module)], [f for f in parsed if isinstance(f, Finding)]


@functools.lru_cache(maxsize=4096)
def _parse(rego: Path, path: str, _content: bytes) -> Module | Finding:
    done = opa("parse", "--format", "json", "--json-include", "locations", path, at=rego)
    if done.returncode:
        return next(errors(done.stderr), Finding(path, f"is not Rego: {said(done)}"))
    ast = json.loads(done.stdout)
    imports = {}
    for one in ast.get("imports", []):
        target = tuple(term["value"] for term in one["path"]["value"])
        imports[one.get("alias") or target[-1]] = target
    return Module(path, tuple(term["value"] for term in ast["package"]["path"][1:]), ast, imports)


def errors(output: str) -> Iterator[Finding]:
    """The errors that opa printed as JSON, without a remedy; none if its output is something else."""
    try:
        found = json.loads(output)["errors"]
    except (ValueError, KeyError, TypeError):
        return
    for error in found:
        place = error.get("location", {})
        kind = error.get("code", "").removeprefix("rego_").replace("_", " ")
        yield Finding(place.get("file", ""), f"{kind}: {error.get('message', '')}", place.get("row", 0))


def nodes(tree: object) -> Iterator[Node]:
    """Every object of a syntax tree."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def line(node: Node) -> int:
    """The line of the node; 0 if OPA gives none."""
    row: int = node.get("location", {}).get("row", 0)
    return row


def name(rule: Node) -> str:
    """The name that the rule defines in its package."""
    first: str = rule["head"]["ref"][0]["value"]
    return first


def references(module: Module, tree: object) -> Iterator[Reference]:
    """The references in the tree, with imported names resolved. The first part of a path is a root or a name."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            if item.get("type") in {"ref", "var"}:
                terms = item["value"] if item["type"] == "ref" else [item]
                yield _reference(module, terms, line(item))
                pending.extend(terms[1:])
                if terms[0]["type"] not in {"var", "string"}:
                    pending.append(terms[0])
            else:
                pending.extend(item.values())


def _reference(module: Module, terms: Sequence[Node], row: int) -> Reference:
    head = terms[0]
    start: tuple[str, ...] = ("",)
    if head["type"] == "var":
        start = module.imports.get(head["value"], (head["value"],))
    known = []
    for term in terms[1:]:
        if term["type"] != "string":
            break
        known.append(term["value"])
    return Reference((*start, *known), row, len(known) == len(terms) - 1)
