"""Reads chosen records with their proofs, as an auditor exports them: docs/spec/log.md as code.

1 the checkpoint is signed, also by as many witnesses as are asked for, and fits what was kept  2 each record is whole
and of this format  3 none is there twice  4 each is in the tree of the checkpoint. Whether records were left out can't
be seen here: only a whole log shows that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from brightline_verify.check import BadRecordError, Checker
from brightline_verify.merkle import ProofError, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, decode, open_checkpoint
from brightline_verify.proof import Proof
from brightline_verify.report import UnreadableError
from brightline_verify.whole import Trust

VERSION: Final = 1
_MOST_LINE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found. count: records that hold. size: of the tree. index, problem: of the first that does not."""

    origin: str
    size: int
    count: int
    witnesses: dict[str, int]
    index: int | None = None
    problem: str = ""


def verify(path: Path, trust: Trust) -> Chosen:
    """Check an export of chosen records. Raises UnreadableError where it is none; what else is wrong is told."""
    lines = _lines(path)
    header = _object(next(lines, b""))
    match header:
        case {"brightline": "records", "v": 1, "origin": str(), "checkpoint": str(note), **others} if not others:
            pass
        case _:
            raise UnreadableError(f"{path}: is not an export of records of version {VERSION}")
    size, count, seen = 0, 0, {}
    index: int | None = None
    try:
        checkpoint = open_checkpoint(note.encode(), trust.verifier)  # 1
        size = checkpoint.size
        seen = Proof(0, (), note.encode()).witnessed(trust.witnesses, trust.quorum)
        _kept(checkpoint, trust)
        last, checker = size, Checker()
        for line in lines:
            index = None
            index, leaf, hashes = _record(line)
            checker.read(leaf)  # 2
            _below(last, index)  # 3
            verify_inclusion(leaf_hash(leaf), index, size, hashes, checkpoint.root)  # 4
            last, count = index, count + 1
    except (NoteError, ProofError, BadRecordError) as error:
        return Chosen(trust.verifier.name, size, count, seen, index, str(error))
    return Chosen(trust.verifier.name, size, count, seen)


def _below(last: int, index: int) -> None:
    if not index < last:
        raise ProofError("the record is there twice, or not in order")


def _kept(checkpoint: Checkpoint, trust: Trust) -> None:
    for kept in trust.kept:
        if kept.size == checkpoint.size and kept.root != checkpoint.root:
            raise ProofError(f"another root of {kept.size} records was kept")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(_MOST_LINE):
                yield line
    except OSError as error:
        raise UnreadableError(f"{path}: can't be read: {error.strerror}") from error


def _record(line: bytes) -> tuple[int, bytes, list[bytes]]:
    match _object(line):
        case {"index": int(index), "record": str(record), "hashes": list(told), **others} if not others and index >= 0:
            try:
                return index, record.encode(), [decode(node) for node in told]
            except (NoteError, UnicodeEncodeError, TypeError, AttributeError) as error:
                raise ProofError("a line is malformed") from error
        case _:
            raise ProofError("a line is malformed, or cut off")


def _object(line: bytes) -> Any:
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
