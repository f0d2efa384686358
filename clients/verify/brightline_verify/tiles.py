"""Reads a tree's nodes from published tiles (C2SP tlog-tiles). Only the resulting proofs authenticate them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from brightline_verify.merkle import HASH_BYTES, Frontier, Perfect

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT


class TileError(ValueError):
    """A tile is missing or has the wrong length."""


def path_of(level: int | str, number: int, width: int = WIDTH) -> str:
    """The path of a tile below the folder. width: the number of hashes; below 256 in a partial tile."""
    digits = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        digits = f"x{number % 1000:03}/{digits}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def nodes_of(folder: Path, size: int) -> Perfect:
    """A lookup of nodes of a tree of `size` leaves. The lookup raises TileError."""

    @lru_cache(maxsize=64)
    def tile(level: int, number: int) -> bytes:
        width = min((size >> level * HEIGHT) - number * WIDTH, WIDTH)
        for path in (folder / path_of(level, number, width), folder / path_of(level, number)):
            if path.is_file():
                found = path.read_bytes()[: width * HASH_BYTES]
                if len(found) == width * HASH_BYTES > 0:
                    return found
        raise TileError(f"{folder / path_of(level, number, max(width, 1))} is missing or too short")

    def perfect(level: int, n: int) -> bytes:
        above, below = divmod(level, HEIGHT)
        first, count = n << below, 1 << below
        number, at = divmod(first, WIDTH)
        row = tile(above, number)[at * HASH_BYTES : (at + count) * HASH_BYTES]
        if len(row) != count * HASH_BYTES:
            raise TileError(f"{folder / path_of(above, number)} does not have the node ({level}, {n})")
        above_row = Frontier()
        above_row.extend(row)
        return above_row.root()

    return perfect
