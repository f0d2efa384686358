"""Checks places, names, tests and the entrypoint, so that readers and the dispatch find a rule by its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.workshop.layout import (
    CLASSES,
    ENTRY,
    RULE_FILE,
    RULE_FOLDER,
    Finding,
    agency_of,
    is_policy,
    is_test,
    tests_of,
)
from gateway.workshop.modules import Module, line
from gateway.workshop.modules import name as defined

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that reorder or hide text, so that a reader sees another rule than the one that is compiled."""


def placed(rego: Path, modules: Sequence[Module]) -> Iterator[Finding]:
    """What is wrong with the place, name or package of any file, and with the text that a reader sees."""
    for module in modules:
        for text, row in _placed(rego, module):
            yield Finding(module.path, text, row)
        for row, text in enumerate((rego / module.path).read_text(encoding="utf-8").split("\n"), 1):
            if unseen := _UNSEEN.search(text):
                says = f"holds the unseen character U+{ord(unseen[0]):04X}; take it out, a reader is shown another text"
                yield Finding(module.path, says, row)
    yield from _entrypoints(modules)
    yield from _twice(modules)


def _placed(rego: Path, module: Module) -> Iterator[tuple[str, int]]:
    """Check that the package matches the folder, and that policy and tests are beside each other."""
    path, row = module.path, line(module.ast["package"])
    folder, _, name = path.rpartition("/")
    package = ".".join(module.package)
    expected = folder.replace("/", ".") + ("_test" if is_test(name) else "")
    if package != expected or any("." in part for part in module.package):
        owner = agency_of(path)
        stays = f" (an agency's packages stay below brightline.agency.{owner})" if owner else ""
        yield f"package {package} is not its folder; write: package {expected}{stays}", row
    if not re.fullmatch(r"([a-z][a-z0-9_]*/)+[a-z][a-z0-9_]*\.rego", path):
        yield "its path is not snake_case; rename it with lower-case letters, digits and underscores", 0
    if is_policy(path) and not (rego / tests_of(path)).exists():
        yield f"has no tests; write them in {tests_of(name)} beside it", 0
    if is_test(path) and not (rego / path.replace("_test.rego", ".rego")).exists():
        yield f"tests nothing; {name.replace('_test.rego', '.rego')} is not beside it", 0
    if re.fullmatch(r"brightline/agency/[^/]+", path):
        yield "belongs to no agency; put it into brightline/agency/<agency>/", 0
    if RULE_FOLDER.match(path) and not RULE_FILE.fullmatch(path):
        classes = ", ".join(CLASSES)
        yield f"is not where rules are found: rules/<class>/<id>/<id>.rego, class one of {classes}; move it there", 0
    if RULE_FILE.fullmatch(path) and is_policy(path) and "verdict" not in map(defined, module.ast.get("rules", [])):
        yield 'gives no verdict, so that it never fires; write: verdict := {"effect": …, "rule": about} if …', 0
    for imported in module.ast.get("imports", []):
        if [part["value"] for part in imported["path"]["value"]] == ["rego", "v1"]:
            yield "imports rego.v1; remove the line, it is the language here already", line(imported)


def _entrypoints(modules: Sequence[Module]) -> Iterator[Finding]:
    found = [(m.path, line(a)) for m in modules for a in m.annotations() if a.get("entrypoint")]
    for path, row in found:
        if path != ENTRY:
            yield Finding(path, f"has an entrypoint; there is one, in {ENTRY}: remove `entrypoint: true` here", row)
    if sum(path == ENTRY for path, _ in found) != 1:
        yield Finding(ENTRY, "the decision is not the one entrypoint; write `entrypoint: true` once, in its METADATA")


def _twice(modules: Sequence[Module]) -> Iterator[Finding]:
    """Ids that occur twice. A rule is cited by its id alone, across all layers and agencies."""
    first: dict[str, str] = {}
    for module in modules:
        rule = RULE_FILE.fullmatch(module.path)
        if rule and is_policy(module.path) and first.setdefault(rule["id"], module.path) != module.path:
            where = first[rule["id"]]
            yield Finding(module.path, f"the id {rule['id']} is taken by {where}; rename one of the two folders")
