"""Publishes a log as static files for other programs: C2SP tlog-tiles. Only reads the log.

The folder has `checkpoint`; `tile/<level>/<number>` with 256 hashes each; and `tile/entries/<number>` with records,
each after its length in two bytes. The last tile of a level is partial, `<number>.p/<width>`, and is removed once a
full one replaces it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from brightline_verify.merkle import HASH_BYTES, frontier_at
from brightline_verify.note import NoteError, Verifier, open_checkpoint
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError, Rows, Source, nodes_of
from brightline_verify.tiles import HEIGHT, WIDTH, path_of
from gateway import atomic_files
from gateway.audit import disk


def publish(log: Source, verifier: Verifier, folder: Path) -> int:
    """Bring the folder up to the log's last checkpoint. Returns how many records the checkpoint covers.

    1 check that the folder is of this log, and that the log extends it  2 write new tiles  3 write the checkpoint, once
    all tiles are durable  4 remove partial tiles that are full now. Only one process at a time may do this: the slower
    of two would put back an older checkpoint over tiles that the other removed. Raises UnreadableError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with disk.held(folder, folder=True):
            return _publish(log, verifier, folder)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another process publishes there; try again", str(folder)) from error


def _publish(log: Source, verifier: Verifier, folder: Path) -> int:
    new: list[Path] = []
    with log.reading() as rows:
        try:
            last = rows.last_note()
            if last is None or not isinstance(note := last[1], bytes):
                raise UnreadableError(f"{log}: there is no checkpoint yet")
            size = open_checkpoint(note, verifier).size
            before = _published(rows, verifier, folder, size)  # 1
            for name, data in _tiles(rows, before, size):  # 2
                _write(folder / name, data)
                new.append(folder / name)
        except (CorruptError, NoteError, TypeError, OverflowError) as error:
            raise UnreadableError(f"{log}: can't be published in {folder}: {error}") from error
    os.sync()
    for path in new:  # os.sync() reports no errors, so sync each file, too
        atomic_files.sync(path)
    # Crash before this line: tiles beyond the published checkpoint, which the next call writes again.
    disk.replace(folder / "checkpoint", note)  # 3
    for name in _filled(before, size):  # 4
        shutil.rmtree(folder / f"{name}.p", ignore_errors=True)
    return size


def _published(rows: Rows, verifier: Verifier, folder: Path, size: int) -> int:
    try:
        published = open_checkpoint((folder / "checkpoint").read_bytes(), verifier)
    except FileNotFoundError:
        return 0
    if published.size > size:
        raise CorruptError(f"the log has {size} records under a checkpoint, and {published.size} are published")
    if frontier_at(published.size, nodes_of(rows)).root() != published.root:
        raise CorruptError(f"the log does not go on from the {published.size} records that are published")
    return published.size


def _tiles(rows: Rows, before: int, size: int) -> Iterator[tuple[str, bytes]]:
    """Every tile of the tree of `size` that the tree of `before` does not have."""
    perfect = nodes_of(rows)
    for level, number, width in _new(before, size):
        if level:
            first = number * WIDTH
            nodes = [perfect(level * HEIGHT, n) for n in range(first, first + width)]
            yield path_of(level, number, width), b"".join(nodes)
            continue
        start = number * WIDTH
        found = [(leaf, hashes[:HASH_BYTES]) for _, leaf, hashes, *_ in rows.rows(start, start + width)]
        if len(found) != width:
            raise CorruptError(f"records are missing after {start}")
        yield path_of(0, number, width), b"".join(node for _, node in found)
        yield path_of("entries", number, width), b"".join(len(leaf).to_bytes(2) + leaf for leaf, _ in found)


def _new(before: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of each tile of the tree of `size` that the tree of `before` does not have."""
    level = 0
    while count := size >> level * HEIGHT:
        done = before >> level * HEIGHT
        for number in range(done // WIDTH, -(-count // WIDTH)):
            width = min(count - number * WIDTH, WIDTH)
            if number * WIDTH + width > done:
                yield level, number, width
        level += 1


def _filled(before: int, size: int) -> Iterator[str]:
    for level, number, width in _new(before, size):
        if width == WIDTH:
            yield path_of(level, number)
            if not level:
                yield path_of("entries", number)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with atomic_files.told_of(path, temporary):
        temporary.write_bytes(data)
        temporary.replace(path)
