"""Places, names, tests and metadata: what lets a reader and the dispatch find a rule by its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.workshop.opa import opa
from gateway.workshop.places import ENTRY, RULE_FILE, RULE_FOLDER, Finding, files, is_policy, is_rego, is_test, tests_of

READ: Final = ("first_hand", "second_hand", "general_knowledge")


def lint(rego: Path) -> Iterator[Finding]:
    """What is wrong with any file's place, name or metadata."""
    entrypoints = []
    for path in filter(is_rego, files(rego)):
        parsed = opa("parse", "--format", "json", path, at=rego)
        if parsed.returncode:
            yield Finding(path, f"is not Rego; `opa check {path}` says where")
            continue
        module = json.loads(parsed.stdout)
        for problem in (*_placed(rego, path, module), *_described(path, module)):
            yield Finding(path, problem)
        entrypoints += [path for a in module.get("annotations", []) if a.get("entrypoint")]
    if entrypoints != [ENTRY]:
        found = ", ".join(entrypoints) or "none"
        yield Finding("", f"entrypoints: {found}; leave one `entrypoint: true`, in {ENTRY}")


def _placed(rego: Path, path: str, module: dict[str, Any]) -> Iterator[str]:
    """The file's place says its package, and policy and tests lie beside each other."""
    folder, _, name = path.rpartition("/")
    package = ".".join(part["value"] for part in module["package"]["path"][1:])
    expected = folder.replace("/", ".") + ("_test" if is_test(name) else "")
    if package != expected:
        yield f"package {package} is not its folder; write: package {expected}"
    if not re.fullmatch(r"([a-z][a-z0-9_]*/)+[a-z][a-z0-9_]*\.rego", path):
        yield "its path is not snake_case; rename it with lower-case letters, digits and underscores"
    if is_policy(path) and not (rego / tests_of(path)).exists():
        yield f"has no tests; write them in {tests_of(name)} beside it"
    if is_test(path) and not (rego / path.replace("_test.rego", ".rego")).exists():
        yield f"tests nothing; {name.replace('_test.rego', '.rego')} is not beside it"
    if RULE_FOLDER.match(path) and not RULE_FILE.fullmatch(path):
        yield "is not where the dispatch looks; one folder is one rule: rules/<class>/<id>/<id>.rego"
    for imported in module.get("imports", []):
        if [part["value"] for part in imported["path"]["value"]] == ["rego", "v1"]:
            yield "imports rego.v1; remove the line, it is the language here already"


def _described(path: str, module: dict[str, Any]) -> Iterator[str]:
    """The metadata of the file's package has what a verdict, a caller and an auditor need."""
    if not is_policy(path):
        return
    scopes = ("package", "subpackages")
    about: dict[str, Any] = next((a for a in module.get("annotations", []) if a["scope"] in scopes), {})
    texts = {"title": about.get("title"), "description": about.get("description")}
    if rule := RULE_FILE.fullmatch(path):
        custom = about.get("custom", {})
        texts["custom.remedy"] = custom.get("remedy")
        yield from _same("custom.id", custom.get("id"), rule["id"])
        yield from _same("custom.class", custom.get("class"), rule["cls"] or "agency")
        yield from _cited(custom.get("sources"))
    for key, text in texts.items():
        if not isinstance(text, str) or not text:
            yield f"its package has no {key}; add it to the METADATA above `package`"


def _cited(sources: object) -> Iterator[str]:
    """At least one source, each with how its author read it."""
    if not isinstance(sources, list) or not sources:
        yield "its package has no custom.sources; add a list of {title, read} to the METADATA above `package`"
        return
    for source in sources:
        match source:
            case {"title": str(title), "read": str(read), **rest} if title and read in READ and not rest:
                pass
            case _:
                yield f"custom.sources: {source} is not {{title, read}}; read is one of {', '.join(READ)}"


def _same(key: str, value: object, wanted: str) -> Iterator[str]:
    """The metadata repeats what the folder says."""
    if value != wanted:
        yield f"{key} is {value}, but its folder says {wanted}; make them the same"
