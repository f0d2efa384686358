"""Tables that list what the code has are complete, and say what it says."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import tomllib
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brightline import BrightlineError, RoleRequired
from brightline.errors import BY_REASON
from brightline.v1 import message_pb2, refusal_pb2, use_context_pb2
from brightline_verify.record import Kind, Outcome
from gateway import config
from gateway.activation import Activation
from gateway.config import Config
from gateway.status import CODES
from tests.docs.pages import ROOT, rows
from tests.support import logs
from tests.support.gateways import HARMLESS, Deployment, serving

CALLERS, OPERATORS, AUDITORS = "docs/callers-guide.md", "docs/operators-page.md", "docs/auditors-guide.md"
STARTER = ROOT / "gateway" / "assets" / "starter"


def test_every_public_reason_is_explained() -> None:
    """The table of reasons has every reason of the contract, with its status and the exception of the client."""
    wire = {v.name.removeprefix("REASON_") for v in refusal_pb2.Reason.DESCRIPTOR.values if v.number}
    expected = {reason: (CODES[reason].name, BY_REASON[reason].__name__) for reason in CODES}
    assert {row[0]: (row[1], row[2]) for row in rows(CALLERS, "Every reason")} == expected
    assert {str(reason) for reason in expected} == wire


def test_every_purpose_is_listed() -> None:
    """The table of purposes is the closed list of the starter policy: words, titles, descriptions and areas."""
    data = json.loads((STARTER / "data.json").read_bytes())["brightline"]["purposes"]
    expected = [[n, p["title"], p["description"], ", ".join(p["areas"])] for n, p in sorted(data.items())]
    assert rows(CALLERS, "Purposes") == expected


WORDS = {
    "Autonomy": use_context_pb2.Autonomy,
    "Data origin": use_context_pb2.DataOrigin,
    "Channel": use_context_pb2.Channel,
    "Tools and effectors": message_pb2.Effector,
}


@pytest.mark.parametrize("heading", WORDS)
def test_every_word_of_a_field_is_explained(heading: str) -> None:
    """The table of a field's words has those of the contract, in its order."""
    names = [value.name for value in WORDS[heading].DESCRIPTOR.values]
    prefix = names[0].removesuffix("UNSPECIFIED")
    assert [row[0] for row in rows(CALLERS, heading)] == [n.removeprefix(prefix).lower() for n in names]


@pytest.mark.parametrize(("heading", "words"), [("Kinds", Kind), ("Outcomes", Outcome)])
def test_every_word_of_a_record_is_explained(heading: str, words: type[Kind | Outcome]) -> None:
    """The tables of kinds and outcomes have every one."""
    assert {row[0] for row in rows(AUDITORS, heading)} == {str(word) for word in words}


def test_every_configuration_key_is_explained() -> None:
    """The configuration reference has every key, with the type and the default of the model, and a meaning."""
    found = {row[0]: (row[1], row[2]) for row in rows(OPERATORS, "Configuration reference")}
    assert found == {key: (kind, default) for key, kind, default in reference(Config, "")}
    assert all(len(row) == 4 and row[3] for row in rows(OPERATORS, "Configuration reference"))


def test_every_event_of_the_log_is_explained() -> None:
    """The table of the operator's log has every event that the gateway's code writes, each with its level."""
    written = {event: level for path in (ROOT / "gateway").rglob("*.py") for event, level in events(path)}
    found = [(event.strip(" `"), row[1]) for row in rows(OPERATORS, "Logs") for event in row[0].split(",")]
    told = dict(found)
    assert len(told) == len(found)
    assert written.items() <= told.items()
    assert told.keys() - written.keys() == {"refused", "library"}  # whose levels differ from one to the next


def events(path: Path) -> Iterator[tuple[str, str]]:
    """The events that a module writes, as log.level("event"), with their levels."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match call:
            case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(event)), *_]):
                yield event, {"exception": "error"}.get(level, level)


def reference(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Every key below a section: its path, its type in words, its default as TOML."""
    for name, field in model.model_fields.items():
        kind = _inner(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from reference(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _words(kind, field), _default(field)


def _inner(annotation: Any) -> Any:
    """What a key holds: the item of an array of sections, the type beside None."""
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    if get_origin(annotation) in {types.UnionType, Union}:
        return next(a for a in get_args(annotation) if a is not types.NoneType)
    return annotation


def _words(kind: Any, field: FieldInfo) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(f'"{word}"' for word in get_args(kind))
    if get_origin(kind) is dict:
        return f"{_words(get_args(kind)[1], field)}, by name"
    metadata = [*getattr(kind, "__metadata__", ()), *field.metadata]
    base = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    bounds = [c for m in metadata for c in (getattr(m, "metadata", None) or [m])]
    low: list[Any] = [b.ge for b in bounds if isinstance(b, annotated_types.Ge)]
    above: list[Any] = [b.gt for b in bounds if isinstance(b, annotated_types.Gt)]
    low += [bound + 1 for bound in above]
    high = [b.le for b in bounds if isinstance(b, annotated_types.Le)]
    words = {bool: "boolean", int: "integer", str: "text", Path: "path"}[base]
    if low or high:
        words += f", {low[0]} to {high[0]}" if low and high else f", at least {low[0]}"
    return words


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else json.dumps(field.default)


async def test_every_field_of_a_record_is_explained(tmp_path: Path) -> None:
    """The table of fields has every field that records of a running gateway have, and no other."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[audit]\n", "[audit]\nunauthenticated_per_s = 1\n")
    async with serving(deployed) as gateway:
        client, nobody = gateway.client(), gateway.client(token="x")
        ask: dict[str, Any] = {"model": "loopback", "prompt": "How many trucks?", "use": HARMLESS}
        await client.generate(**ask)
        await client.check(**ask)
        await client.models()
        await gateway.auditor().search()
        for _ in range(2):
            await asyncio.gather(*(nobody.models() for _ in range(5)), return_exceptions=True)
        with pytest.raises(BrightlineError):
            await client.generate(**{**ask, "use": replace(HARMLESS, purpose="weapon_engagement")})
        with pytest.raises(RoleRequired):
            await client.approve("0" * 32, why="read", **ask)
        assert gateway.gate is not None
        deployed.damage_release("models.json")
        await Activation(config.load(deployed.config), gateway.gate).reload()
    records = [*deployed.records(), logs.record(Kind.SEALED, 1)]  # that one is in the log of openings
    assert {record["kind"] for record in records} == {str(kind) for kind in Kind}
    fields = {field for record in records for field in record} | {"omitted"}
    assert {row[0] for row in rows(AUDITORS, "Fields")} == fields


def test_every_attack_has_the_test_that_is_named() -> None:
    """The table of attacks on releases names tests that are there, each once."""
    folder = ROOT / "tests/unit/release"
    named = [row[2].split("::") for row in rows("docs/keys.md", "Attacks, and the test of each")]
    for file, test in named:
        assert f"\ndef {test}(" in (folder / file).read_text(encoding="utf-8"), f"{file} has no {test}"
    assert len({test for _, test in named}) == len(named) > 25


def test_the_layers_are_those_of_the_contract() -> None:
    """The drawing of the layers has those that import-linter checks, in their order."""
    (contract, *_) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [sorted(re.findall(r"\w+", layer.replace("gateway.", ""))) for layer in contract["layers"]]
    drawn = (ROOT / "docs/architecture.md").read_text().partition("## Layers")[2].split("```")[1].strip().splitlines()
    assert [sorted(re.findall(r"\w+", re.split(r" {3,}", line)[0])) for line in drawn] == checked
