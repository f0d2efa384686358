"""Verifies selected records with their proofs, as exported by an auditor: see docs/spec/log.md.

1 the checkpoint of each log is signed by the key of that name and by the required number of witnesses, and agrees with
  kept checkpoints
2 each record is complete, of this format, and not later than a witness's signature
3 no record occurs twice
4 each record is in the tree of its log's checkpoint

This can't show whether records were left out. Only a whole log shows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from brightline_verify.check import BadRecordError, Checker
from brightline_verify.lines import parsed
from brightline_verify.merkle import ProofError, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, decode, open_checkpoint
from brightline_verify.proof import Proof, not_early
from brightline_verify.report import UnreadableError
from brightline_verify.whole import Trust

ONE, SEVERAL = 1, 2
"""Versions: records of one log, or of several."""
_MOST_LINE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """The result.

    count: records that are proved. size: of the tree; for several logs the sum.
    witnesses: when each signed; for several logs, those that signed all of them, with the earliest time.
    index, problem: of the first record that is not proved.
    """

    origin: str
    size: int
    count: int
    witnesses: dict[str, int]
    index: int | None = None
    problem: str = ""


def verify(path: Path, *trusts: Trust) -> Chosen:
    """Check an export of selected records. Raises UnreadableError if it is none; other faults are in the result.

    trusts: one for each log that may have records in it.
    """
    lines = _lines(path)
    notes = _header(_object(next(lines, b"")))
    if not notes:
        raise UnreadableError(f"{path}: is not an export of records of version {ONE} or {SEVERAL}")
    known = {trust.verifier.name: trust for trust in trusts}
    origin = ", ".join(name for name, _ in notes)
    count, seen, index = 0, dict[str, dict[str, int]](), None
    logs: dict[str, Checkpoint] = {}
    try:
        for name, note in notes:  # 1
            logs[name], seen[name] = _checkpoint(name, note, known.get(name))
        last, checker = {name: checkpoint.size for name, checkpoint in logs.items()}, Checker()
        for line in lines:
            index = None
            name, index, leaf, hashes = _record(line, notes)
            _, _, time_us, *_ = checker.read(leaf)  # 2
            not_early(seen[name], time_us)  # 2
            _below(last[name], index)  # 3
            verify_inclusion(leaf_hash(leaf), index, logs[name].size, hashes, logs[name].root)  # 4
            last[name], count = index, count + 1
    except (NoteError, ProofError, BadRecordError) as error:
        return Chosen(origin, _sum(logs), count, _by_all(list(seen.values())), index, str(error))
    return Chosen(origin, _sum(logs), count, _by_all(list(seen.values())))


def _header(header: Any) -> list[tuple[str, str]]:
    """Name and checkpoint of each log; none if this is not a header."""
    match header:
        case {"brightline": "records", "v": 1, "origin": str(name), "checkpoint": str(note), **others} if not others:
            return [(name, note)]
        case {"brightline": "records", "v": 2, "logs": list(logs), **others} if not others and len(logs) > 1:
            found = [_log(one) for one in logs]
            return [one for one in found if one] if all(found) and len(dict(filter(None, found))) == len(found) else []
    return []


def _log(one: Any) -> tuple[str, str] | None:
    match one:
        case {"origin": str(name), "checkpoint": str(note), **others} if not others:
            return name, note
    return None


def _checkpoint(name: str, text: str, trust: Trust | None) -> tuple[Checkpoint, dict[str, int]]:
    if trust is None:
        raise ProofError(f"the checkpoint of {name} is not signed by a key that was given")
    try:
        note = text.encode()
    except UnicodeEncodeError as error:
        raise ProofError(f"the checkpoint of {name} is malformed") from error
    checkpoint = open_checkpoint(note, trust.verifier)
    seen = Proof(0, (), note).witnessed(trust.witnesses, trust.quorum)
    _kept(checkpoint, trust)
    return checkpoint, seen


def _by_all(seen: list[dict[str, int]]) -> dict[str, int]:
    """The witnesses that signed the checkpoint of every log, with the time of each one's earliest signature."""
    everywhere = set(seen[0]).intersection(*seen) if seen else set()
    return {witness: min(times[witness] for times in seen) for witness in sorted(everywhere)}


def _sum(logs: dict[str, Checkpoint]) -> int:
    return sum(checkpoint.size for checkpoint in logs.values())


def _below(last: int, index: int) -> None:
    if not index < last:
        raise ProofError("the record is there twice, or not in order")


def _kept(checkpoint: Checkpoint, trust: Trust) -> None:
    """Compare with kept checkpoints. One of another size can't be compared: that takes a whole log."""
    for kept in trust.kept:
        if kept.size != checkpoint.size:
            what = f"covers {kept.size} records, and the one here {checkpoint.size}"
            raise ProofError(f"a kept checkpoint {what}: only a whole log shows whether it goes on from it")
        if kept.root != checkpoint.root:
            raise ProofError(f"another root of {kept.size} records was kept")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(_MOST_LINE):
                yield line
    except OSError as error:
        raise UnreadableError(f"{path}: can't be read: {error.strerror}") from error


def _record(line: bytes, notes: list[tuple[str, str]]) -> tuple[str, int, bytes, list[bytes]]:
    """A record: its log, its index, its bytes and its proof. A line names the log only if there are several."""
    match _object(line):
        case {"index": int(index), "record": str(record), "hashes": list(told), **others} if index >= 0:
            name = others.pop("origin", None) if len(notes) > 1 else notes[0][0]
            if others or not isinstance(name, str) or name not in dict(notes):
                raise ProofError("a line is malformed, or of a log that the file does not have")
            try:
                return name, index, record.encode(), [decode(node) for node in told]
            except (NoteError, UnicodeEncodeError, TypeError, AttributeError) as error:
                raise ProofError("a line is malformed") from error
        case _:
            raise ProofError("a line is malformed, or cut off")


def _object(line: bytes) -> Any:
    try:
        return parsed(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
