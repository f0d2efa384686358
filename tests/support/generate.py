"""Generated policy inputs: all that rego/schemas/input.json accepts, near what rules act on, and a little beyond.

An input starts as that of a hand-written vector, so that every rule has something to judge, and a few of its facts are
changed. A new value fits the fact's schema: a value from a vector, a word of the policy, or a number next to one that
matters. Occasionally a fact is removed or gets another type.

made(base, changes)     # the input: base and changes are any integers; equal integers give equal inputs
inputs()                # the same as a hypothesis strategy, which shrinks to fewer changes
"""

from __future__ import annotations

import functools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import orjson
from hypothesis import strategies as st

from gateway.release import starter
from tests.support.policy import REGO
from tests.support.vectors import load

Path: TypeAlias = tuple[str, ...]
"""The keys down to a fact. Items of an array are all called `[]`."""

MOST: Final = 6
"""The most facts that are changed."""

_ODD: Final = (None, True, "", "odd", "\u0000\u2028\U0001f512", -1, 2**53 - 1, [], {}, [None], {"level": "3"})
_WORD: Final = 48
"""The longest text of the policy's data that counts as a word."""


def inputs() -> st.SearchStrategy[Any]:
    """Inputs of decisions."""
    numbers = st.integers(0, 2**32)
    return st.builds(made, numbers, st.lists(numbers, max_size=MOST))


def made(base: int, changes: Sequence[int]) -> Any:
    """The input for these integers. Fewer changes keep it closer to a vector."""
    known = _known()
    facts = orjson.loads(known.bases[base % len(known.bases)])
    for change in changes:
        rng = random.Random(change)  # noqa: S311 - generated tests, not secrets
        path = rng.choice(known.paths)
        if rng.random() < 0.96:
            known.put(facts, path, rng)
        else:
            _spoil(facts, path, rng)
    return facts


def drawn(rng: random.Random) -> tuple[int, list[int]]:
    """Random arguments for `made`."""
    return rng.getrandbits(32), [rng.getrandbits(32) for _ in range(rng.randint(0, MOST))]


def _spoil(facts: Any, path: Path, rng: random.Random) -> None:
    part = facts
    for key in path[:-1]:
        if not isinstance(part.get(key), dict):
            return
        part = part[key]
    if rng.random() < 0.5:
        part.pop(path[-1], None)
    else:
        part[path[-1]] = rng.choice(_ODD)


class _Known:
    """Facts as known from the schema, the vectors and the policy's data."""

    def __init__(self) -> None:
        self._schema = json.loads((REGO / "schemas/input.json").read_bytes())
        vectors = [vector.input for vector in load()]
        self.bases = [orjson.dumps(facts) for facts in vectors]
        self.paths = list(_paths(self._schema, self._schema))
        self._seen: dict[Path, dict[bytes, None]] = defaultdict(dict)
        for facts in vectors:
            for path, value in _walk(facts, ()):
                self._seen[path][orjson.dumps(value)] = None
        self._values = {path: list(values) for path, values in self._seen.items()}
        data = json.loads((starter() / "data.json").read_bytes())
        rules = [folder.name for folder in (REGO / "brightline/rules").glob("*/*")]
        self._words = sorted({*rules, *(w for w in _texts(data) if 0 < len(w) <= _WORD)})
        everywhere = [pair for value in (data, *vectors) for pair in _walk(value, ())]
        numbers = {number for _, number in everywhere if type(number) is int}
        self._numbers = sorted({n + step for n in numbers for step in (-1, 0, 1)})

    def put(self, facts: Any, path: Path, rng: random.Random) -> None:
        """Give the fact another value, and create its parents if they are missing."""
        node, part = self._schema, facts
        for depth, key in enumerate(path[:-1]):
            node = self._part(node, key)
            if not isinstance(part.get(key), dict):
                part[key] = self._value(node, path[: depth + 1], rng)
                return
            part = part[key]
        part[path[-1]] = self._value(self._part(node, path[-1]), path, rng)

    def _part(self, node: Any, key: str) -> Any:
        return next(o["properties"][key] for o in self._options(node) if key in o.get("properties", {}))

    def _options(self, node: Any) -> list[Any]:
        return [_resolved(self._schema, option) for option in _resolved(self._schema, node).get("anyOf", [node])]

    def _value(self, node: Any, path: Path, rng: random.Random) -> Any:
        seen = self._values.get(path)
        if seen and rng.random() < 0.5:
            return orjson.loads(rng.choice(seen))
        option = rng.choice(self._options(node))
        if "enum" in option:
            return rng.choice(option["enum"])
        if option["type"] == "array":
            return [self._value(option["items"], (*path, "[]"), rng) for _ in range(rng.randint(0, 2))]
        if option["type"] == "object":
            return {k: self._value(p, (*path, k), rng) for k, p in option.get("properties", {}).items()}
        return self._scalar(option, seen or [], rng)

    def _scalar(self, option: Any, seen: list[bytes], rng: random.Random) -> Any:
        match option["type"]:
            case "null":
                return None
            case "boolean":
                return rng.random() < 0.5
            case "string":
                return orjson.loads(rng.choice(seen)) if "pattern" in option else rng.choice(self._words)
            case "integer":
                low, high = option.get("minimum", 0), option.get("maximum", 2**53 - 1)
                return rng.choice([n for n in (*rng.choices(self._numbers, k=8), low) if low <= n <= high])
        raise ValueError(f"no values of type {option['type']}")


@functools.cache
def _known() -> _Known:
    return _Known()


def _resolved(schema: Any, node: Any) -> Any:
    """The schema node that a reference points to."""
    while "$ref" in node:
        node = schema["definitions"][node["$ref"].rpartition("/")[2]]
    return node


def _paths(schema: Any, node: Any, path: Path = ()) -> Iterator[Path]:
    """Every fact that has a key of its own."""
    for option in _resolved(schema, node).get("anyOf", [node]):
        for key, part in _resolved(schema, option).get("properties", {}).items():
            yield (*path, key)
            yield from _paths(schema, part, (*path, key))


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _walk(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part, (*path, "[]"))


def _texts(value: Any) -> Iterator[str]:
    for path, part in _walk(value, ()):
        yield from path[-1:]
        if isinstance(part, str):
            yield part
