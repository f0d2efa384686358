"""Reads inputs of decisions, one in each line of JSON. An invalid line is reported and skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from gateway.canonical import Json, NotCanonicalError, parse
from gateway.pdp.engine import MAX_INPUT_BYTES

MAX_LINE: Final = 2 * MAX_INPUT_BYTES
"""Bytes. Twice the largest input that the gateway decides on."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. id: its own, otherwise its number. input: the facts. error: the fault of an invalid line."""

    id: str
    input: dict[str, Json]
    error: str = ""


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers. A line that is too long is cut off just past the limit."""
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        rest = raw
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE + 1)
        if raw.strip():
            yield number, raw


def lines(file: BinaryIO) -> Iterator[Line]:
    """Every line that is not empty: an input, or {"id": ..., "input": ...}."""
    for number, raw in numbered(file):
        yield of(number, raw)


def of(number: int, raw: bytes) -> Line:
    """Parse the line with this number."""
    return one(raw, f"line {number}", str(number))


def chunks(found: Iterable[Line], size: int) -> Iterator[list[Line]]:
    """The lines in lists of `size`."""
    chunk: list[Line] = []
    for line in found:
        chunk.append(line)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def one(raw: bytes, where: str, ident: str) -> Line:
    """Parse one line. where: its name in errors. ident: its id, unless it has its own."""
    if len(raw) > MAX_LINE:
        return Line(ident, {}, f"{where}: has more than {MAX_LINE} bytes; an input is smaller")
    try:
        value = parse(raw.strip())
    except NotCanonicalError as error:
        return Line(ident, {}, f"{where}: {error}; write one input in JSON, with integers only")
    match value:
        case {"id": str() | int() as own, "input": dict(facts), **rest} if not rest and not isinstance(own, bool):
            return Line(str(own), facts)
        case {"input": _}:
            return Line(ident, {}, f'{where}: is not {{"id": "...", "input": {{...}}}}')
        case dict(facts):
            return Line(ident, facts)
        case _:
            return Line(ident, {}, f"{where}: is not an object; write one input in JSON")
