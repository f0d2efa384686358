"""The METADATA of a rule's package, which verdicts, callers, counsel and auditors rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.workshop.layout import RULE_FILE, Finding, is_policy
from gateway.workshop.modules import Module, line

READ: Final = ("first_hand", "second_hand", "general_knowledge")
RELAXED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "red_line": ("nobody",),
    "provider_baseline": ("nobody", "grant"),
    "law": ("nobody", "statute", "official"),
    "directive": ("nobody", "statute", "official"),
    "agency": ("nobody", "official", "agency"),
}
"""Who may relax a rule, by its class."""

TO_FILL: Final = "FILL IN"
"""A placeholder that the author still has to fill in."""

Text = Annotated[str, Field(pattern=r"\S")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(_Part):
    """A source of a rule, and how its author interpreted it."""

    title: Text
    read: Literal["first_hand", "second_hand", "general_knowledge"]


class Custom(_Part):
    """The annotations below `custom`."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    cls: Literal["red_line", "provider_baseline", "law", "directive", "agency"] = Field(alias="class")
    statement: Text
    remedy: Text
    relaxed_by: Literal["nobody", "grant", "statute", "official", "agency"]
    relaxed_how: Text | None = None
    selected_by: Literal["grant", "tenant"] | None = None
    guard: bool = False
    facts: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]]
    sources: list[Source] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as its METADATA describes it. agency: its owner; empty for shared rules."""

    path: str
    line: int
    agency: str
    title: str
    description: str
    custom: Custom


def described(modules: Sequence[Module]) -> tuple[list[Rule], list[Finding]]:
    """Every properly described rule, by class and id; and what is wrong with the METADATA of the others."""
    rules, findings = [], []
    for module in modules:
        if not is_policy(module.path):
            continue
        about = module.about()
        row = line(about) or line(module.ast["package"])
        wrong = list(_wrong(module, about))
        findings += [Finding(module.path, f"METADATA: {text}", row) for text in wrong]
        place = RULE_FILE.fullmatch(module.path)
        if place and not wrong:
            custom = Custom.model_validate(about["custom"])
            title, description = (" ".join(about[key].split()) for key in ("title", "description"))
            rules.append(Rule(module.path, row, place["agency"] or "", title, description, custom))
    order = list(RELAXED_BY)
    return sorted(rules, key=lambda r: (r.agency, order.index(r.custom.cls), r.custom.id)), findings


def _wrong(module: Module, about: Mapping[str, Any]) -> Iterator[str]:
    for key in ("title", "description"):
        if not isinstance(about.get(key), str) or not about[key].strip():
            yield f"there is no {key}; add it above `package`"
    place = RULE_FILE.fullmatch(module.path)
    if place is None:
        return
    try:
        custom = Custom.model_validate(about.get("custom", {}))
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            yield f"custom.{'.'.join(map(str, one['loc']))}: {_plainly(one['type'], one['msg'])}; {_remedy(one['loc'])}"
        return
    for key, value in [("title", about.get("title")), ("description", about.get("description")), *custom]:
        if TO_FILL in str(value):
            yield f"{key}: still says {TO_FILL}; {_remedy((key,))}"
    yield from _same("id", custom.id, place["id"])
    yield from _same("class", custom.cls, place["cls"] or "agency")
    if not re.fullmatch(r"(?:[^.!?]|[.!?](?! )(?=.))*\.", custom.statement.strip()):
        yield "custom.statement: is not one sentence; say what is refused or required in one, with a full stop"
    yield from _who(custom)


def _who(custom: Custom) -> Iterator[str]:
    """Check who may relax or select the rule, which depends on its class."""
    if custom.relaxed_by not in RELAXED_BY[custom.cls]:
        allowed = ", ".join(RELAXED_BY[custom.cls])
        yield f"custom.relaxed_by: {custom.relaxed_by} relaxes no rule of class {custom.cls}; write one of {allowed}"
    if custom.relaxed_by in {"statute", "official"} and custom.relaxed_how is None:
        yield "custom.relaxed_how: is missing; say in one sentence who relaxes it, and by what"
    if custom.selected_by == "tenant" and custom.cls != "agency":
        yield f"custom.selected_by: no tenant selects a rule of class {custom.cls}; remove it"


def _plainly(kind: str, message: str) -> str:
    return {"missing": "is missing", "extra_forbidden": "is no such key"}.get(kind, message)


_REMEDIES: Final = {
    "title": "name it in a few words",
    "description": "say why it is there and how it decides",
    "id": "write the name of the folder",
    "class": "write the folder's class",
    "statement": "say in one sentence what is refused or required",
    "remedy": "say what the caller can do",
    "relaxed_by": f"write one of {', '.join(sorted({by for some in RELAXED_BY.values() for by in some}))}",
    "relaxed_how": "say in one sentence how, or remove it",
    "selected_by": "write grant where the rule speaks only with one, tenant where tenants select it, or remove it",
    "guard": "write true where the rule guards the decision itself and restricts no use, or remove it",
    "facts": "list the paths below input that the rule reads, like request.purpose",
    "sources": f"list {{title, read}}; read is one of {', '.join(READ)}",
}


def _remedy(where: Sequence[int | str]) -> str:
    return _REMEDIES.get(str(where[0]), f"keys of custom are {', '.join(_REMEDIES)}")


def _same(key: str, value: str, wanted: str) -> Iterator[str]:
    """Check that METADATA repeats what the folder says."""
    if value != wanted:
        yield f"custom.{key} is {value}, but its folder says {wanted}; make them the same"
