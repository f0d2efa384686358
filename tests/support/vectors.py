"""The vectors of tests/vectors: decisions written by hand, from the sources. Their README defines the format of a line.

load()            # every vector, checked against its schema; ValueError names file, line and fault
vector.input      # the whole input, made from its base
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from gateway.canonical import NotCanonicalError, canonical, parse
from gateway.release.selftest import changed

FOLDER = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """The expected decision for an input. about: the rule or subject of the file that holds it."""

    id: str
    about: str
    why: str
    input: Any
    effect: str
    rules: frozenset[str]
    obligations: list[Any]
    grants: frozenset[str]


@functools.cache
def bases() -> dict[str, Any]:
    """The named base inputs."""
    described: dict[str, Any] = json.loads((FOLDER / "bases.json").read_bytes())

    def whole(name: str) -> Any:
        base = described[name]
        return base["input"] if "input" in base else changed(whole(base["base"]), base["set"], ())

    return {name: whole(name) for name in described}


@functools.cache
def load(folder: Path = FOLDER) -> tuple[Vector, ...]:
    """Every vector, by file and line. Raises ValueError."""
    found = tuple(vector for path in sorted(folder.glob("*.jsonl")) for vector in read(path))
    twice = {name for name, times in Counter(vector.id for vector in found).items() if times > 1}
    if twice:
        raise ValueError(f"ids that are there twice: {', '.join(sorted(twice))}; rename one of each")
    return found


def read(path: Path) -> Iterator[Vector]:
    """The vectors of one file. Raises ValueError."""
    schema = Draft7Validator(json.loads((FOLDER / "vector.schema.json").read_bytes()))
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path.name}:{number}"
        try:
            value: Any = parse(line)
        except NotCanonicalError as error:
            raise ValueError(f"{where}: {error}") from error
        for wrong in schema.iter_errors(value):
            raise ValueError(f"{where}: {wrong.json_path}: {wrong.message}; vector.schema.json says what is accepted")
        about = value["id"].partition(".")[0]
        if about != path.stem:
            raise ValueError(f"{where}: id: {value['id']} belongs into {about}.jsonl")
        if value["base"] not in bases():
            raise ValueError(f"{where}: base: {value['base']} is not one of {', '.join(bases())}")
        try:
            facts = changed(bases()[value["base"]], value.get("set", {}), value.get("without", ()))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{where}: without: the base has no {error}") from None
        yield Vector(
            id=value["id"],
            about=about,
            why=value["why"],
            input=facts,
            effect=value["effect"],
            rules=frozenset(value["rules"]),
            obligations=sorted(value.get("obligations", []), key=canonical),
            grants=frozenset(value.get("grants", [])),
        )
