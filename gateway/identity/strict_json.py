"""Strict JSON for input from strangers and operators: every text has one meaning or is an error."""

from __future__ import annotations

import json
from typing import NoReturn


def loads(data: bytes) -> object:
    """Parse JSON in UTF-8. Raises ValueError for anything else.

    Refuses duplicate member names (RFC 8725 section 2.4 warns of parsers that disagree), NaN, infinities, and nesting
    that exhausts the stack.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name occurs twice")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
