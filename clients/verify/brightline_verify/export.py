"""Reads an export, as docs/spec/log.md defines it. A line is a record, unless it begins with {"brightline":"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from brightline_verify import workers
from brightline_verify.check import BadRecordError, Checker
from brightline_verify.lines import parsed
from brightline_verify.merkle import HASH_BYTES, Frontier
from brightline_verify.report import Problem, Report, UnreadableError
from brightline_verify.whole import Batch, Broken, FoundError, Leaves, Mark, Trust, Whole, signed

VERSION: Final = 1
PREFIX: Final = b'{"brightline":'
MOST_LINE: Final = 1 << 20
_AT_ONCE: Final = 1 << 20
_ALONE: Final = 16 << 20
"""In bytes. Below this size, starting processes takes longer than checking."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the amount checked and the total."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. length: of the line in bytes. tree: of the records before `first`."""

    origin: str
    size: int
    tree: Frontier
    length: int


def verify(path: Path, trust: Trust, *, processes: int = 1, progress: Progress = lambda _done, _size: None) -> Report:
    """Check a whole export. Raises UnreadableError; all other faults are in the report."""
    header = read_header(path)
    whole = Whole(trust, header.tree)
    problem = None
    try:
        _same("the name of the log", header.origin, trust.verifier.name)
        length = path.stat().st_size
        tasks = ((path, start, end, trust) for start, end in _pieces(path, header.length, length))
        for batch in workers.run(check_lines, tasks, processes if length > _ALONE else 1):
            whole.add(batch)
            progress(whole.tree.size - whole.first, header.size - whole.first)
        _same("the number of records", whole.tree.size, header.size)
        _ended(whole)
        whole.finish()
    except FoundError as found:
        problem = _named(path, header, found.problem)
    finally:
        whole.close()
    return whole.report(problem)


def read_header(path: Path) -> Header:
    """The first line. Raises UnreadableError."""
    try:
        with path.open("rb") as file:
            line = file.readline(MOST_LINE) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError as error:
        raise UnreadableError(f"{path}: can't be read: {error.strerror}") from error
    if line is None:
        raise UnreadableError(f"{path}: is no file, and is read more than once; write the export into a file")
    try:
        match parsed(line):
            case {
                "brightline": "export",
                "v": 1,
                "origin": str(origin),
                "first": int(first),
                "nodes": list(told),
                "size": int(size),
                **others,
            } if not others:
                nodes = [_hashes(node) for node in told]
                if 0 <= first <= size and all(len(node) == HASH_BYTES for node in nodes):
                    return Header(origin, size, Frontier(first, nodes), len(line))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableError(f"{path}: is not an export: {error}") from error
    raise UnreadableError(f"{path}: is not an export of version {VERSION}")


def check_lines(path: Path, start: int, end: int, trust: Trust) -> Batch:
    """Check the lines between two offsets in the file."""
    with path.open("rb") as file:
        file.seek(start)
        *lines, last = file.read(end - start).split(b"\n")
    leaves: list[bytes] = []
    marks: list[Mark] = []
    for line in lines:
        if line.startswith(PREFIX):
            marks.append(_mark(len(leaves), line, trust))
        else:
            leaves.append(line)
    if last:
        marks.append(Broken(len(leaves), "the export ends within a line"))
    return Batch(_checker().check(leaves), marks)


def _mark(at: int, line: bytes, trust: Trust) -> Mark:
    try:
        match parsed(line):
            case {"brightline": "checkpoint", "note": str(note), **others} if not others:
                return signed(at, note.encode(), trust)
            case {"brightline": "leaves", "first": int(first), "hashes": str(hashes), **others} if not others:
                return Leaves(at, first, _hashes(hashes))
    except (ValueError, RecursionError):
        pass
    return Broken(at, "a line between the records is malformed")


def _hashes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("hashes are not base64") from error


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise FoundError(None, "", f"{what} is {found}, and should be {expected}")


def _ended(whole: Whole) -> None:
    """Check that the export ends with a checkpoint of all its records. Records after the last one would be unproved."""
    if not whole.checkpoints or whole.covered != whole.tree.size:
        first = max(whole.covered, whole.first)
        what = f"no checkpoint covers the records from {first} on, and the last line of an export is one over all"
        raise FoundError(None, "", what)


def _named(path: Path, header: Header, problem: Problem) -> Problem:
    """The problem with index and decision id of its record, if they can be read."""
    if (problem.index is None) == (not problem.decision_id):
        return problem
    with path.open("rb") as file:
        file.seek(header.length)
        lines = iter(partial(file.readline, MOST_LINE), b"")
        leaves = (line.rstrip(b"\n") for line in lines if not line.startswith(PREFIX))
        numbered = enumerate(leaves, header.tree.size)
        if problem.index is not None:
            leaf = next((leaf for n, leaf in numbered if n == problem.index), b"")
            with suppress(BadRecordError):
                return replace(problem, decision_id=_checker().read(leaf)[0])
            return problem
        member = f'"decision_id":"{problem.decision_id}"'.encode()
        found = [n for n, leaf in numbered if member in leaf and b'"kind":"outcome"' not in leaf]
        return replace(problem, index=found[1]) if len(found) > 1 else problem


def _pieces(path: Path, start: int, length: int) -> Iterator[tuple[int, int]]:
    """Offsets at which to split the file: at ends of lines."""
    with path.open("rb") as file:
        while start < length:
            file.seek(min(start + _AT_ONCE, length))
            file.readline(MOST_LINE)
            yield start, file.tell()
            start = file.tell()


@cache
def _checker() -> Checker:
    """The checker of this process, cached because it learns shapes."""
    return Checker()
