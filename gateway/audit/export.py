"""Writes an export of a log: records in order, with the checkpoints that cover them in between. Only reads the log.

docs/spec/log.md describes the format. The export has the hashes that were stored with the records. A verifier can
therefore tell exactly which record was changed, and not only below which checkpoint.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import IO, Any

from brightline_verify.export import VERSION
from brightline_verify.merkle import HASH_BYTES, frontier_at
from brightline_verify.note import NoteError, Verifier, open_checkpoint
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError, Rows, Source, nodes_of
from brightline_verify.whole import LEAVES_AT_ONCE


def write(
    log: Source,
    verifier: Verifier,
    out: IO[bytes],
    *,
    first: int = 0,
    until: int | None = None,
    cosigned: Iterable[bytes] = (),
) -> int:
    """Write the records from `first` to the last checkpoint, or to the last checkpoint that covers at most `until`.

    cosigned: checkpoints with signatures of witnesses, which replace the same checkpoints without. Returns the number
    of records that the last checkpoint covers. Raises UnreadableError.
    """
    with log.reading() as rows:
        try:
            size, _ = rows.last_note(until) or (0, None)
            if not 0 <= first < size:
                which = "" if until is None else f" over at most {until} records"
                raise UnreadableError(f"{log}: no checkpoint{which} covers record {first}")
            better = {open_checkpoint(note, verifier).size: note for note in cosigned}
            nodes = [_base64(node) for node in frontier_at(first, nodes_of(rows)).nodes]
            header = {"brightline": "export", "first": first, "nodes": nodes, "origin": verifier.name, "size": size}
            out.write(_line({**header, "v": VERSION}))
            out.writelines(_lines(rows, first, size, better))
        except (CorruptError, NoteError, UnicodeDecodeError, TypeError, AttributeError) as error:
            raise UnreadableError(f"{log}: can't be exported: {error}") from error
    return size


def _lines(rows: Rows, first: int, size: int, better: dict[int, bytes]) -> Iterator[bytes]:
    notes: Iterator[tuple[int | None, Any]] = iter(rows.notes(first - 1, size))
    signed, note = next(notes)
    hashes, begun = b"", first
    if signed == first:
        yield _checkpoint(better.get(signed, note))
        signed, note = next(notes)
    for index, leaf, nodes, *_ in rows.rows(first, size):
        yield leaf + b"\n"
        hashes += nodes[:HASH_BYTES]
        done = index + 1
        if done == signed or len(hashes) == LEAVES_AT_ONCE * HASH_BYTES:
            yield _line({"brightline": "leaves", "first": begun, "hashes": _base64(hashes)})
            hashes, begun = b"", done
        if done == signed:
            yield _checkpoint(better.get(signed, note))
            signed, note = next(notes, (None, b""))


def _checkpoint(note: bytes) -> bytes:
    return _line({"brightline": "checkpoint", "note": note.decode()})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
