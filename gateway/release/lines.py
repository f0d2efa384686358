"""Finds the line of a value in a JSON document, for error messages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def line(text: str, path: Sequence[str | int]) -> int:
    """The line of the value at the path, or of its deepest part that exists. text: JSON that has been parsed."""
    here: list[str | int] = []  # the current key or index of each open object and array
    place, depth, key_next = 0, -1, False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in {"}", "]"}:
            here.pop()
            key_next = False
        elif word == ",":
            last = here[-1]
            key_next = isinstance(last, str)
            here[-1] = last if isinstance(last, str) else last + 1
        elif key_next:
            here[-1] = json.loads(word)
            key_next = False
        elif word != ":":
            if len(here) > depth and here == list(path[: len(here)]):
                place, depth = token.start(), len(here)
            if word in {"{", "["}:
                key_next = word == "{"
                here.append("" if key_next else 0)
    return text.count("\n", 0, place) + 1


def at(path: Path, raw: bytes, where: Sequence[str | int]) -> str:
    """File, line and field. The line is left out for one-line documents, which a program wrote."""
    row = line(raw.decode("utf-8"), where)
    return f"{path}:{row}: {'.'.join(map(str, where))}" if row > 1 else f"{path}: {'.'.join(map(str, where))}"
