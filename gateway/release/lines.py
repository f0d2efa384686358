"""The line of a value in a JSON document, so that an error can say where to look."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def line(text: str, path: Sequence[str | int]) -> int:
    """The line of the value at the path, or of the deepest part of it that is there. text: JSON that was parsed."""
    here: list[str | int] = []  # the key or the index that is at hand in each open object and array
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
    """File, line and field. What a program wrote stands on one line, which need not be named."""
    row = line(raw.decode("utf-8"), where)
    return f"{path}:{row}: {'.'.join(map(str, where))}" if row > 1 else f"{path}: {'.'.join(map(str, where))}"
