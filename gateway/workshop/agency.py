"""Confines an agency's policy: it can only add to the decision, and can't see other agencies.

Its rules may read the input, brightline.facts, the shared data, and the agency's own packages and data. They may not
read anything else below data, compute at run time what to read there, or replace facts with `with`. lint.py checks that
the agency's packages match its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.workshop.layout import SHARED, Finding, agency_of, is_policy
from gateway.workshop.modules import Module, Reference, line, name, nodes, references

_READABLE: Final = (("brightline", "facts"), *(("brightline", name) for name in SHARED))
_INSTEAD: Final = (
    f"an agency's rules read input, data.brightline.facts, the shared data ({', '.join(SHARED)}) and what is their own"
)

COLLECTED: Final = "verdicts contains data.brightline.agency.{agency}.rules[_].verdict"
"""The rule that adds the verdicts of all of an agency's rules to the decision."""


def confined(modules: Sequence[Module]) -> Iterator[Finding]:
    """Everything in agencies' rules that reaches beyond their confines. Tests are exempt: they are not built."""
    for module in modules:
        owner = agency_of(module.path)
        if owner and is_policy(module.path):
            own = ("brightline", "agency", owner)
            for imported in module.ast.get("imports", []):
                yield from _read(module, next(references(module, imported["path"])), own)
            for reference in references(module, module.ast.get("rules", [])):
                yield from _read(module, reference, own)
            yield from _replaced(module)
    yield from _heard(modules)


def _read(module: Module, reference: Reference, own: tuple[str, ...]) -> Iterator[Finding]:
    root, *rest = reference.path
    path = tuple(rest)
    if root != "data" or any(path[: len(p)] == p for p in (*_READABLE, own)):
        return
    name = ".".join(("data", *path))
    if path[:2] == ("brightline", "agency") and len(path) > 2:
        text = f"reads another agency's {name}; {_INSTEAD}: keep a copy of what you need in your own folder"
    elif path[:2] == ("brightline", "rules"):
        text = f"reads {name}, a rule of another layer; ask the facts what that rule asks them"
    elif not reference.whole:
        text = f"reads {name}[…], which is known at run time only; {_INSTEAD}: name it in full"
    else:
        text = f"reads {name}; {_INSTEAD}"
    yield Finding(module.path, text, reference.line)


def _replaced(module: Module) -> Iterator[Finding]:
    for node in nodes(module.ast.get("rules", [])):
        for one in node.get("with", []) if isinstance(node.get("with"), list) else []:
            text = "replaces facts with `with`; that is for tests: pass what differs as an argument of a function"
            yield Finding(module.path, text, line(one))


def _heard(modules: Sequence[Module]) -> Iterator[Finding]:
    """Agencies whose verdicts are not collected, so that the decision would ignore their rules."""
    collected = {m.package for m in modules for rule in m.ast.get("rules", []) if name(rule) == "verdicts"}
    for owner in sorted({agency_of(m.path) for m in modules if is_policy(m.path)} - {""}):
        if ("brightline", "agency", owner) not in collected:
            text = f"no verdicts are collected here; write there: `{COLLECTED.format(agency=owner)}`"
            yield Finding(f"brightline/agency/{owner}/{owner}.rego", text)
