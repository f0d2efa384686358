"""Parses a JSON line of an export, with only one possible reading.

It has to be UTF-8 without a byte order mark and without duplicate names, and may contain only what the format uses: no
true or false, and no numbers but integers of at most 19 digits.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

_MOST_DIGITS: Final = 19


def parsed(line: bytes) -> Any:
    """The value of a line. Raises ValueError, RecursionError."""
    return json.loads(
        line.decode(), object_pairs_hook=_members, parse_int=_integer, parse_float=_never, parse_constant=_never
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or any(isinstance(value, bool) for value in found.values()):
        raise ValueError("a name is there twice, or a value is of no type that the format knows")
    return found


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _never(text: str) -> NoReturn:
    raise ValueError(f"{text[:_MOST_DIGITS]} is no integer")
