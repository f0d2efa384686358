"""Canonical JSON (RFC 8785) for records and digests. Integers only, because engines and serialisers differ on floats.

orjson serialises, thirty times faster than the reference implementation; a property test shows that the bytes are the
same. orjson sorts keys by code point, RFC 8785 by UTF-16 code unit, so keys must be ASCII here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, overload

import orjson

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON implementation represents exactly (RFC 8785 section 3.2.2.3, I-JSON)."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class NotCanonicalError(ValueError):
    """The value has no canonical form here: a float, a large integer, a key that is not ASCII, a lone surrogate."""


class _Once:
    """A value that is serialised more than once, alone or inside others. Its bytes are cached; it must not change."""

    __slots__ = ("_text", "_value")

    def __init__(self, value: Json) -> None:
        self._value = value
        self._text = b""

    @property
    def text(self) -> bytes:
        """Its canonical bytes. Raises NotCanonicalError."""
        if not self._text:
            self._text = canonical(self._value)
        return self._text

    def __repr__(self) -> str:
        return repr(self._value)


class Written(_Once, Mapping[str, Json]):
    """An object whose canonical bytes are cached."""

    __slots__ = ()
    _value: Mapping[str, Json]

    def __getitem__(self, key: str) -> Json:
        return self._value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)


class WrittenArray(_Once, Sequence[Json]):
    """An array whose canonical bytes are cached."""

    __slots__ = ()
    _value: Sequence[Json]

    @overload
    def __getitem__(self, index: int) -> Json: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Json]: ...
    def __getitem__(self, index: int | slice) -> Json:
        return self._value[index]

    def __len__(self) -> int:
        return len(self._value)


def canonical(value: Json) -> bytes:
    """The RFC 8785 bytes of `value`. Raises NotCanonicalError."""
    if isinstance(value, Written | WrittenArray):
        return value.text
    _check(value)
    try:
        return orjson.dumps(value, _fragment, _OPTIONS)
    except orjson.JSONEncodeError as error:
        raise NotCanonicalError(f"a string holds a lone surrogate, or nesting is too deep: {error}") from error


def _fragment(value: _Once) -> orjson.Fragment:
    return orjson.Fragment(value.text)


def digest(value: Json) -> str:
    """SHA-256 of the canonical bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parse(text: bytes) -> Json:
    """Parse JSON text that every reader understands alike: UTF-8, no duplicate key, no float, no NaN.

    Raises NotCanonicalError.
    """
    try:
        value: Json = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise NotCanonicalError(f"not strict JSON: {error}") from error
    return value


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotCanonicalError("a key appears twice in one object")
    return value


def _no_float(text: str) -> Json:
    raise NotCanonicalError(f"not an integer: {text[:32]}")


_PLAIN = frozenset({str, bool, type(None)})
_KEYS_KEPT = 4096
_keys: set[str] = set()
"""Keys that passed the check. Records use the same few keys. Once the set is full, other keys are checked each time."""


def _check(value: Json) -> None:  # noqa: C901 - a branch for each type: calls would cost more than the checks
    """Check breadth-first, the commonest types first: this runs several times per call. Raises NotCanonicalError."""
    level: list[Any] = [value]
    while level:
        inner: list[Any] = []
        for node in level:
            kind = type(node)
            if kind in _PLAIN:
                continue
            if kind is dict:
                if not _keys.issuperset(node):
                    _check_keys(node)
                inner += node.values()
            elif kind is list or kind is tuple:
                inner += node
            elif kind is int:
                if not -MAX_INTEGER <= node <= MAX_INTEGER:
                    raise NotCanonicalError(f"integer out of range: {node}")
            elif kind is Written or kind is WrittenArray:
                node.text  # noqa: B018 - serialised now, so that a value that can't be serialised raises here
            elif not isinstance(node, str):
                raise NotCanonicalError(f"{kind.__name__} has no canonical form")
        level = inner


def _check_keys(value: Mapping[object, object]) -> None:
    for key in value:
        if not isinstance(key, str) or not key.isascii():
            raise NotCanonicalError(f"key is not ASCII text: {key!r}")
        if len(_keys) < _KEYS_KEPT:
            _keys.add(key)
