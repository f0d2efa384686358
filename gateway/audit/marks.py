"""Marks: they let a start recognise records that this log's key wrote and that no checkpoint covers yet.

Each commit has a mark beside its last record: an HMAC-SHA256 over the tree at that point, under a key derived from the
log's signing key. Like a checkpoint, a mark vouches for every record below it. It costs only microseconds, and only a
holder of the signing key can make or check it. Without marks, somebody who can write the database of a stopped gateway
could add records for the next checkpoint to sign. The last mark is also in a file, so that the end of the log can't be
cut off unnoticed.
"""

from __future__ import annotations

import hmac
import os
import re
from functools import partial
from pathlib import Path

from brightline_verify.check import BadRecordError, Checker
from brightline_verify.merkle import Frontier, frontier_at
from brightline_verify.note import Signer
from brightline_verify.report import Problem
from brightline_verify.stored import CorruptError, Rows, Source, gathered
from gateway import regular_files

_LABEL = b"brightline.v1.mark\x00"
_LINE = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")
_LENGTH = 86
"""Bytes of a line. The file is overwritten in place, so it is shorter only until the first line is complete."""


class Marks:
    """Makes the marks of a log."""

    def __init__(self, signer: Signer) -> None:
        self._key = signer.derived(_LABEL + signer.verifier.name.encode())

    def of(self, tree: Frontier) -> bytes:
        """The mark of a tree, over its size in eight bytes and its perfect subtrees, largest first."""
        return hmac.digest(self._key, tree.size.to_bytes(8) + b"".join(tree.nodes), "sha256")


class ForeignError(CorruptError):
    """Records were not written with the log's key, or were changed. index: the first record that may be affected."""

    def __init__(self, index: int, what: str) -> None:
        super().__init__(what)
        self.index = index


def replayed(rows: Rows, marks: Marks, tree: Frontier) -> Frontier:
    """The tree extended by every record above `tree`. Raises ForeignError, UnreadableError.

    Checks: 1 the records follow each other  2 their hashes match  3 their columns match  4 each commit has its mark
    """
    tree = tree.copy()
    _, end = rows.ends()
    if tree.size >= end:
        return tree
    kept, checker, begun = rows.marks(tree.size, end), Checker(), tree.size
    for index, leaf, hashes, *columns in rows.rows(tree.size, end):
        if index != tree.size or not isinstance(leaf, bytes) or tree.append(leaf) != hashes:  # 1, 2
            raise ForeignError(index, f"entry {index} is not what was written; run: brightline audit verify")
        if not _fit(checker, leaf, tuple(columns)):  # 3
            raise ForeignError(index, f"entry {index} is not what the columns beside it say")
        mark = kept.get(index)
        if mark is None:
            continue
        if mark != marks.of(tree):  # 4
            which = f"entry {index} is" if index == begun else f"entries {begun} to {index} are"
            raise ForeignError(begun, f"{which} not what was written: the mark of the log's key is another")
        begun = index + 1
    if begun != tree.size:
        raise ForeignError(begun, f"entry {begun} has no mark of the log's key: its gateway did not write it")
    return tree


def _fit(checker: Checker, leaf: bytes, columns: tuple[object, ...]) -> bool:
    try:
        return checker.read(leaf) == columns
    except BadRecordError:
        return False


class Tail:
    """The last mark, in a file that is written after each commit but not synced.

    After a kill the file has the mark of the last commit or the one before. After a power failure it may have an older
    one. It never has a mark of records that were not durable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> tuple[int, bytes] | None:
        """Size and mark; None if there never was one. Raises OSError, CorruptError."""
        try:
            line = regular_files.read(self._path)
        except FileNotFoundError:
            return None
        if len(line) < _LENGTH or not line.strip(b"\0"):  # a power failure, or a full disk, at the first write
            return None
        found = _LINE.fullmatch(line)
        if found is None:
            raise CorruptError(f"{self} holds no mark; remove it once the log verifies (brightline audit verify --log)")
        return int(found[1]), bytes.fromhex(found[2].decode())

    def begin(self, size: int, mark: bytes) -> None:
        """Write the first mark of a process durably, so that there is a line from then on. Raises OSError."""
        self.write(size, mark)
        os.fsync(self._opened())

    def write(self, size: int, mark: bytes) -> None:
        """Replace the mark. Raises OSError."""
        # Crash before this line: the mark of the previous commit. It covers less, and is no sign of a rollback.
        line = b"%020d %b\n" % (size, mark.hex().encode())
        if os.pwrite(self._opened(), line, 0) != len(line):
            raise OSError(f"{self} can't be written whole")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def __str__(self) -> str:
        return str(self._path)


def look(log: Source, signer: Signer, tail: Tail, covered: int) -> Problem | None:
    """Check the records from `covered` on, for a holder of the log's key; return the problem found, if any.

    covered: how many records a verified checkpoint covers. A checkpoint signed since then is not relied on.

    Works while the gateway writes. Raises UnreadableError, OSError, CorruptError.
    """
    last = tail.read()  # read first: the records of this mark were durable before it was written
    with log.reading() as rows:
        try:
            tree = replayed(rows, Marks(signer), gathered(rows, partial(frontier_at, covered)))
        except ForeignError as error:
            return Problem(error.index, "", str(error))
        if last is not None and last[0] > tree.size:
            return Problem(None, "", f"the log has {tree.size} entries, but {tail} is the mark of {last[0]}")
    return None


def tail_path(path: Path) -> Path:
    """The path of the last mark. path: the log's file, or the log's place on this host."""
    return path.with_name(path.name + ".tail")
