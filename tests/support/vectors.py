"""The vectors of tests/vectors: decisions written by hand, from the sources. Their README says what a line means.

load()            # every vector, checked against its schema; ValueError names file, line and what is wrong
vector.input      # the whole input, made from its base
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from gateway.canonical import NotCanonicalError, canonical, parse

FOLDER = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """What has to be decided about an input. about: the rule, or the subject, whose file it is in."""

    id: str
    about: str
    why: str
    input: Any
    effect: str
    rules: frozenset[str]
    obligations: list[Any]
    grants: frozenset[str]


@functools.cache
def bases(folder: Path = FOLDER) -> dict[str, Any]:
    """The named inputs, whole."""
    described: dict[str, Any] = json.loads((folder / "bases.json").read_bytes())

    def whole(name: str) -> Any:
        base = described[name]
        return base["input"] if "input" in base else changed(whole(base["base"]), base["set"], ())

    return {name: whole(name) for name in described}


def load(folder: Path = FOLDER) -> list[Vector]:
    """Every vector, by file and line. Raises ValueError."""
    found = [vector for path in sorted(folder.glob("*.jsonl")) for vector in read(path)]
    twice = {v.id for v in found if sum(v.id == other.id for other in found) > 1}
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


def changed(facts: Any, given: dict[str, Any], without: tuple[str, ...] | list[str]) -> Any:
    """The facts with others in their place: objects are merged, anything else replaces; then some are left out."""
    made = _merged(facts, given)
    for pointer in without:
        *path, last = pointer.split("/")[1:]
        part = made
        for key in path:
            part = part[key]
        del part[last]
    return made


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return copy.deepcopy(new)
    kept = copy.deepcopy({key: value for key, value in old.items() if key not in new})
    return kept | {key: _merged(old.get(key), value) for key, value in new.items()}
