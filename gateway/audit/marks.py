"""Marks: by them a start knows the records that no checkpoint covers yet for those which this log's key wrote.

Each commit carries one beside its last record: HMAC-SHA256 over the tree as it is then, under a key that comes of the
log's signing key. Like a checkpoint it stands for every record below it, but it costs microseconds, and only who has
the signing key can make or check it. Without marks, whoever writes the database of a stopped gateway could add records
for the next checkpoint to sign. The last mark is also in a file, so that the end can't be cut off unnoticed.
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
"""Of each line. The file is written in place, so that it is shorter only until the first one is whole."""


class Marks:
    """Makes the marks of a log."""

    def __init__(self, signer: Signer) -> None:
        self._key = signer.derived(_LABEL + signer.verifier.name.encode())

    def of(self, tree: Frontier) -> bytes:
        """The mark of a tree: over its size in eight bytes and its perfect subtrees, largest first."""
        return hmac.digest(self._key, tree.size.to_bytes(8) + b"".join(tree.nodes), "sha256")


class ForeignError(CorruptError):
    """A record was not written by who has the log's key, or not so. index: the first that may be one."""

    def __init__(self, index: int, what: str) -> None:
        super().__init__(what)
        self.index = index


def replayed(rows: Rows, marks: Marks, tree: Frontier) -> Frontier:
    """The tree with every record above `tree`. Raises ForeignError, UnreadableError.

    1 each follows the one before  2 and has the hashes  3 and the columns that belong to it  4 each commit has its mark
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
    """The last mark, in a file that is written after each commit and not synced.

    A process that is killed leaves the mark of its last commit, or of the one before; a loss of power may leave an
    older one. It is never a mark of records that were not durable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> tuple[int, bytes] | None:
        """Size and mark, None when there never was one. Raises OSError, CorruptError."""
        try:
            line = regular_files.read(self._path)
        except FileNotFoundError:
            return None
        if len(line) < _LENGTH or not line.strip(b"\0"):  # a loss of power, or a full disk, as it was made
            return None
        found = _LINE.fullmatch(line)
        if found is None:
            raise CorruptError(f"{self} holds no mark; remove it once the log verifies (brightline audit verify --log)")
        return int(found[1]), bytes.fromhex(found[2].decode())

    def begin(self, size: int, mark: bytes) -> None:
        """The first of a process: durably, so that there is a line from then on. Raises OSError."""
        self.write(size, mark)
        os.fsync(self._opened())

    def write(self, size: int, mark: bytes) -> None:
        """Put another in its place. Raises OSError."""
        # Crash before this: the mark of the commit before, which says less and is no sign of a rollback.
        line = b"%020d %b\n" % (size, mark.hex().encode())
        if os.pwrite(self._opened(), line, 0) != len(line):
            raise OSError(f"{self} can't be written whole")

    def close(self) -> None:
        """Let go of the file."""
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
    """What is wrong with the records from `covered` on, for who has the log's key.

    covered: how many a checkpoint covers that was verified; one that came since is not relied on.

    Works while the gateway writes. Raises UnreadableError, OSError, CorruptError.
    """
    last = tail.read()  # first: what it is the mark of was durable before
    with log.reading() as rows:
        try:
            tree = replayed(rows, Marks(signer), gathered(rows, partial(frontier_at, covered)))
        except ForeignError as error:
            return Problem(error.index, "", str(error))
        if last is not None and last[0] > tree.size:
            return Problem(None, "", f"the log has {tree.size} entries, but {tail} is the mark of {last[0]}")
    return None


def tail_path(path: Path) -> Path:
    """Where the last mark of the log is whose file, or whose place on this host, is `path`."""
    return path.with_name(path.name + ".tail")
