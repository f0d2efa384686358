"""Checks data files: the shared ones against their JSON Schemas, and all of them for values on which engines differ."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.workshop.layout import Finding, agency_of, files, is_data
from gateway.workshop.modules import errors
from gateway.workshop.opa import opa, said

_QUERY = """{
    "wrong": [{"at": e.field, "what": e.desc} | some e in json.match_schema(data, input)[1]],
    "fractions": [concat(".", [sprintf("%v", [p]) | some p in at]) | walk(data, [at, v]); is_number(v); v != floor(v)],
    "nulls": [concat(".", [sprintf("%v", [p]) | some p in at]) | walk(data, [at, v]); is_null(v)],
}"""


_UNKNOWN = """[concat(".", [kind, signal]) |
    some kind, own in data.own; some signal, _ in own; not signal in object.keys(data.all)
]"""


def typed(rego: Path) -> Iterator[Finding]:
    """What is wrong with the data files."""
    paths = list(filter(is_data, files(rego)))
    for path in paths:
        schema = "" if agency_of(path) else f"schemas/data/{path.split('/')[1]}.json"
        if schema and not (rego / schema).is_file():
            yield Finding(path, f"has no schema; describe it in {schema}")
        else:
            described = (rego / schema).read_bytes() if schema else b""
            yield from _typed(rego, path, schema, (rego / path).read_bytes(), described)
    shared = {path.split("/")[1]: path for path in paths if not agency_of(path)}
    if {"tenant_thresholds", "thresholds"} <= shared.keys():
        own, everybodys = shared["tenant_thresholds"], shared["thresholds"]
        yield from _heard(rego, own, everybodys, (rego / own).read_bytes(), (rego / everybodys).read_bytes())


@functools.lru_cache(maxsize=256)
def _heard(rego: Path, own: str, everybodys: str, _content: bytes, _other: bytes) -> tuple[Finding, ...]:
    """Thresholds for some tenants that name no known signal, so that no rule would ever use them."""
    done = opa("eval", "--format", "json", "--data", f"own:{own}", "--data", f"all:{everybodys}", _UNKNOWN, at=rego)
    if done.returncode:  # a file is unreadable; its own check reports that
        return ()
    unknown: list[str] = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return tuple(
        Finding(own, f"{at}: is no signal; {everybodys} has every signal there is", _line(rego / own, at))
        for at in unknown
    )


@functools.lru_cache(maxsize=256)
def _typed(rego: Path, path: str, schema: str, _content: bytes, _described: bytes) -> tuple[Finding, ...]:
    return tuple(_found(rego, path, schema))


def _found(rego: Path, path: str, schema: str) -> Iterator[Finding]:
    arguments = ("--input", schema, _QUERY) if schema else (_QUERY.replace("input", '{"type": "object"}'),)
    done = opa("eval", "--format", "json", "--data", path, *arguments, at=rego)
    if done.returncode:
        told = next(errors(done.stdout), None)
        yield Finding(path, f"is not readable as data: {told.text if told else said(done)}; correct it")
        return
    found: dict[str, Any] = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    for one in found["wrong"]:
        where = one["at"].removeprefix("(Root)").lstrip(".")
        text = f"{where or 'the file'}: {one['what']}; {schema or 'an object'} says what is accepted"
        yield Finding(path, text, _line(rego / path, where))
    for where in found["fractions"]:
        text = f"{where}: is no integer, and engines differ on others; write it in smaller units"
        yield Finding(path, text, _line(rego / path, where))
    for where in found["nulls"]:
        text = f"{where}: is null, which sorts below every number; leave the key out, or give it a value"
        yield Finding(path, text, _line(rego / path, where))


def _line(file: Path, where: str) -> int:
    """The line of a dotted path, found by searching for each key after the one before; 0 if not found."""
    row, lines = 0, file.read_text(encoding="utf-8", errors="replace").splitlines()
    for key in where.split("."):
        pattern = re.compile(rf"[\s{{,-]*[\"']?{re.escape(key)}[\"']?\s*:")
        row = next((n for n in range(row, len(lines)) if pattern.match(lines[n])), row - 1) + 1
    return row
