"""Blocks: copies of the tree's nodes, grouped so that a proof finds the nodes of eight levels in one place.

A block holds 256 neighbouring nodes at a level that is a multiple of eight, and the nodes between them and their common
root, without the root, in order of completion. It is stored beside the record that completes it, lower levels first.
Blocks are not authenticated: a proof made from one has to lead to the root of a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from brightline_verify.merkle import HASH_BYTES

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
BYTES: Final = 2 * (WIDTH - 1) * HASH_BYTES
_CUT: Final = HEIGHT * HASH_BYTES


def place_of(level: int, n: int) -> tuple[int, int]:
    """The record that completes the block with the perfect node (level, n), and the node's offset in its blocks."""
    above, below = divmod(level, HEIGHT)
    number, at = divmod((n + 1 << below) - 1, WIDTH)
    before = 2 * at - at.bit_count() + below  # nodes that were completed earlier
    return (number + 1 << HEIGHT * (above + 1)) - 1, above * BYTES + before * HASH_BYTES


class Growing:
    """The incomplete blocks at the right edge of a tree. parts: for each, the hashes completed so far."""

    def __init__(self, parts: Iterable[Iterable[bytes]] = ()) -> None:
        self._parts = [list(part) for part in parts]

    def append(self, hashes: bytes) -> bytes | None:
        """Take the hashes that the next record completes. Returns the blocks that they complete, joined."""
        made = []
        for level in range(-(-len(hashes) // _CUT)):
            if level == len(self._parts):
                self._parts.append([])
            part = self._parts[level]
            part.append(_part(hashes, level))
            if len(part) == WIDTH:
                made.append(b"".join(part))
                part.clear()
        return b"".join(made) if made else None

    def copy(self) -> Growing:
        """An independent copy for the same tree."""
        return Growing(self._parts)


def growing_at(size: int, hashes: Callable[[Sequence[int]], dict[int, bytes]]) -> Growing:
    """The incomplete blocks of the first `size` records. hashes: looks up the hashes that records completed."""
    levels = [_ends(size, level, (size >> HEIGHT * level) % WIDTH) for level in range(size.bit_length() // HEIGHT + 1)]
    found = hashes(sorted({index for ends in levels for index in ends}))
    return Growing([_part(found[index], level) for index in ends] for level, ends in enumerate(levels))


def blocks_at(index: int, hashes: Callable[[Sequence[int]], dict[int, bytes]]) -> Iterator[bytes]:
    """The blocks that this record completes, lower levels first."""
    level = 0
    while (index + 1) % (WIDTH << HEIGHT * level) == 0:
        ends = _ends(index + 1, level, WIDTH)
        found = hashes(ends)
        yield b"".join(_part(found[end], level) for end in ends)
        level += 1


def _ends(size: int, level: int, count: int) -> range:
    """The records that complete the last `count` nodes at the bottom of a level's blocks."""
    step = 1 << HEIGHT * level
    end = size // step * step
    return range(end - count * step + step - 1, end, step)


def _part(hashes: bytes, level: int) -> bytes:
    return hashes[level * _CUT : (level + 1) * _CUT]
