"""What an agency's policy may touch: it adds to what others decided, and sees nothing of other agencies.

It may read the input, brightline.facts, the shared data, and its own packages and data. It may not read anything else
below data, decide at run time what to read there, or replace facts with `with`. That its packages stay in its folder is
seen where packages are compared with folders.
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
"""What makes the decision ask every rule of an agency."""


def confined(modules: Sequence[Module]) -> Iterator[Finding]:
    """Everything in an agency's rules that reaches beyond them. Tests are not built, and may reach anywhere."""
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
    """Agencies whose rules are not collected, so that the decision would never ask them."""
    collected = {m.package for m in modules for rule in m.ast.get("rules", []) if name(rule) == "verdicts"}
    for owner in sorted({agency_of(m.path) for m in modules if is_policy(m.path)} - {""}):
        if ("brightline", "agency", owner) not in collected:
            text = f"no verdicts are collected here; write there: `{COLLECTED.format(agency=owner)}`"
            yield Finding(f"brightline/agency/{owner}/{owner}.rego", text)
