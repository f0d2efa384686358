# ruff: noqa: TRY004 - one error type for all that the caller gives: ValueError
"""Checks arguments before anything is sent. Each raises ValueError with the field, what is accepted, and the value.

They repeat the validation rules of proto/brightline/v1. A property test checks that both agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON implementation represents exactly."""

DEEPEST = 31
"""The deepest nesting of objects and lists: protobuf parses 100 nested messages, and each object takes three."""

PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,63}")
KEY = re.compile(r"[A-Za-z0-9_.:-]{0,128}")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def matching(field: str, value: object, pattern: re.Pattern[str], accepted: str) -> None:
    """Check that the value is text that matches the pattern as a whole."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(f"{field}: must be {accepted}; got {_show(value)}")


def text(field: str, value: object, least: int = 0, most: int | None = None) -> None:
    """Check that the value is text of `least` to `most` characters. The error does not quote it: it may be content."""
    if not isinstance(value, str):
        raise ValueError(f"{field}: must be text; got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{field}: holds a lone surrogate, which is not text that can be sent") from None
    if "\0" in value:
        raise ValueError(f"{field}: holds U+0000, which the gateway refuses")
    if len(value) < least:
        raise ValueError(f"{field}: must not be empty")
    if most is not None and len(value) > most:
        raise ValueError(f"{field}: must have at most {most} characters; got {len(value)}")


def word(field: str, value: object, accepted: Sequence[str]) -> None:
    """Check that the value is one of a closed list of words."""
    if value not in accepted:
        raise ValueError(f"{field}: must be one of {', '.join(accepted)}; got {_show(value)}")


def integer(field: str, value: object, least: int, most: int = MAX_INTEGER) -> None:
    """Check that the value is an integer from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{field}: must be a whole number from {least} to {most}; got {_show(value)}")


def instance(field: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Check that the value has one of these types."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise ValueError(f"{field}: must be {' or '.join(k.__name__ for k in kinds)}; got {type(value).__name__}")


def several(field: str, value: object, most: int, least: int = 0) -> None:
    """Check that the value is a list or tuple of `least` to `most` items."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        got = f"{len(value)} of them" if isinstance(value, list | tuple) else type(value).__name__
        raise ValueError(f"{field}: must be a list of {least} to {most}; got {got}")


def json_object(field: str, value: object) -> None:
    """Check that the value is a JSON object that arrives unchanged."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{field}: must be a mapping that JSON can say; got {type(value).__name__}")
    _json(field, value)


def _json(field: str, value: object, depth: int = 1) -> None:
    match value:
        case None | bool():
            return
        case str():
            text(field, value)
        case int():
            integer(field, value, -MAX_INTEGER)
        case Mapping():
            _not_too_deep(field, depth)
            for key, item in value.items():
                text(f"{field}: a name", key)
                _json(f"{field}.{key}", item, depth + 1)
        case list() | tuple():
            _not_too_deep(field, depth)
            for index, item in enumerate(value):
                _json(f"{field}[{index}]", item, depth + 1)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{field}: must be a number that JSON has; got {value}")
        case _:
            raise ValueError(f"{field}: JSON has no {type(value).__name__}")


def _not_too_deep(field: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"{field[:80]}: must have at most {DEEPEST} objects and lists in one another")


def _show(value: object) -> str:
    shown = repr(value) if isinstance(value, str | int | None) else type(value).__name__
    return shown if len(shown) <= 80 else shown[:77] + "..."
