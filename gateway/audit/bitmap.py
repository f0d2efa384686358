"""A set of positions among the 65,536 records of a block: a sorted list if there are few, otherwise a bitmap.

A stored list has less than 1,024 bytes and a stored bitmap 8,192, so the length tells which it is.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

WIDTH: Final = 1 << 16
_BITS: Final = WIDTH // 8
_FEW: Final = 512
FULL: Final = (1 << WIDTH) - 1


class Positions:
    """A set that grows by positions in ascending order."""

    __slots__ = ("_bits", "_few")

    def __init__(self, stored: bytes = b"") -> None:
        self._bits = bytearray(stored) if len(stored) == _BITS else None
        self._few = array("H") if self._bits is not None else _list(stored)

    def add(self, position: int) -> None:
        """Add a position. It must be above all positions in the set."""
        if self._bits is None and len(self._few) == _FEW - 1:
            self._bits = bytearray(_BITS)
            for known in self._few:
                self._bits[known >> 3] |= 1 << (known & 7)
        if self._bits is None:
            self._few.append(position)
        else:
            self._bits[position >> 3] |= 1 << (position & 7)

    def stored(self) -> bytes:
        """The stored form."""
        return bytes(self._bits) if self._bits is not None else _stored(self._few)


def both(stored: Sequence[bytes], mask: int) -> Iterator[int]:
    """The positions that are in all of these sets and in the mask, highest first."""
    few = [_list(one) for one in stored if len(one) != _BITS]
    many = [one for one in stored if len(one) == _BITS]
    if few:
        first, *others = sorted(few, key=len)
        found = sorted(set(first).intersection(*others), reverse=True)
        for bits in (*many, *([] if mask == FULL else [mask.to_bytes(_BITS, "little")])):
            found = [p for p in found if bits[p >> 3] >> (p & 7) & 1]
        yield from found
        return
    for bits in many:
        mask &= int.from_bytes(bits, "little")
    while mask:
        highest = mask.bit_length() - 1
        yield highest
        mask ^= 1 << highest


def span(first: int, end: int) -> int:
    """A mask of the positions from `first` to `end` - 1."""
    return (1 << end) - (1 << first) if first < end else 0


def _list(stored: bytes) -> array[int]:
    found = array("H", stored)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _stored(found: array[int]) -> bytes:
    if sys.byteorder == "big":
        found = array("H", found)
        found.byteswap()
    return found.tobytes()
