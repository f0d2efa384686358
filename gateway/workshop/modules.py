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
    """One file. package: its path below data. imports: what a name stands for."""

    path: str
    package: tuple[str, ...]
    ast: Node
    imports: dict[str, tuple[str, ...]]

    def annotations(self) -> list[Node]:
        """METADATA in the file, in its order."""
        found: list[Node] = self.ast.get("annotations", [])
        return found

    def about(self) -> Node:
        """The METADATA of its package; empty where there is none."""
        return next((a for a in self.annotations() if a["scope"] in {"package", "subpackages"}), {})


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that is referred to. path: what is known of it before run time; whole: that is all of it."""

    path: tuple[str, ...]
    line: int
    whole: bool


def parse(rego: Path, which: Callable[[str], bool] = is_rego) -> tuple[list[Module], list[Finding]]:
    """The files that are Rego, by default every one, and what is wrong with the others."""
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
    """The errors that opa printed as JSON, without a remedy; none when it printed something else."""
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
    """Where it stands; 0 where OPA does not say."""
    row: int = node.get("location", {}).get("row", 0)
    return row


def name(rule: Node) -> str:
    """What the rule defines in its package."""
    first: str = rule["head"]["ref"][0]["value"]
    return first


def references(module: Module, tree: object) -> Iterator[Reference]:
    """What the tree refers to, names of imports replaced by what they stand for. The first part is a root or a name."""
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
