"""Checks that identifiers are all different, in constant memory, with a temporary file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from tempfile import TemporaryFile
from typing import IO, Final

ID_BYTES: Final = 16
_AT_ONCE: Final = 1 << 18
_READ: Final = ID_BYTES << 12
_BITS: Final = 4
_DEEPEST: Final = 15
"""A hash has no more bits. So many identifiers that are alike in all of them are equal."""


class Distinct:
    """Identifiers of 16 bytes. Closed at the end."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by close
        self._at_once = at_once

    def add(self, ids: bytes) -> None:
        """Add identifiers, joined."""
        self._file.write(ids)

    def twice(self) -> bytes | None:
        """An identifier that was added twice, or None if all differ."""
        return _twice(self._file, self._at_once, 0)

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


def _twice(file: IO[bytes], at_once: int, depth: int) -> bytes | None:
    """Find a duplicate. Too many identifiers are divided among files by an unpredictable hash, equal ones together."""
    if file.tell() <= at_once * ID_BYTES or depth == _DEEPEST:
        seen: set[bytes] = set()
        for some in _blocks(file):
            before = len(seen)
            seen.update(some)
            if len(seen) < before + len(some):
                return _first_twice(file)
        return None
    with ExitStack() as opened:
        files = [opened.enter_context(TemporaryFile()) for _ in range(1 << _BITS)]
        shift, mask = depth * _BITS, (1 << _BITS) - 1
        for some in _blocks(file):
            dealt: list[list[bytes]] = [[] for _ in files]
            for one in some:
                dealt[hash(one) >> shift & mask].append(one)
            for to, ids in zip(files, dealt, strict=True):
                to.write(b"".join(ids))
        found = (_twice(to, at_once, depth + 1) for to in files)
        return next((one for one in found if one is not None), None)


def _first_twice(file: IO[bytes]) -> bytes | None:
    seen: set[bytes] = set()
    for one in chain.from_iterable(_blocks(file)):
        if one in seen:
            return one
        seen.add(one)
    return None


def _blocks(file: IO[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The identifiers, some thousands at a time."""
    file.seek(0)
    while block := file.read(_READ):
        yield struct.unpack(f"{ID_BYTES}s" * (len(block) // ID_BYTES), block)
