"""Memory that lives as long as the process: out of garbage collection, and in large pages.

A call touches a few thousand places of the interpreter's memory. In pages of 4 KiB the processor looks most of them up
again for each call, in a virtual machine through two tables; in pages of 2 MiB it knows them.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LARGE: Final = 2 << 20
_COLLAPSE: Final = 25
"""MADV_COLLAPSE of Linux 6.1: now, not when the kernel comes round to it."""

_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *(?:\[heap\])?\n")


def settle() -> None:
    """To be called once everything is loaded, before the first call. Where there are no large pages, nothing changes.

    Fewer collections: a call makes hardly any cycles, and a collection walks over everything else.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    smaps = Path("/proc/self/smaps")
    if smaps.exists():
        for start, size in _dense(smaps.read_text(errors="replace")):
            large_pages(start, size)


def large_pages(start: int, size: int) -> None:
    """Ask for large pages between two addresses, for what is there and for what will be."""
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is not None:  # no advice is binding: what the kernel refuses stays as it is
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        madvise(start, size, advice)
        madvise(start, size, _COLLAPSE)


def _dense(smaps: str) -> Iterator[tuple[int, int]]:
    """Start and size of what holds whole large pages, in private memory without a file that is in use by half or more.

    The rest is the stacks of threads and the like, which would take up the room that they only reserve.
    """
    start = end = 0
    for line in smaps.splitlines(keepends=True):
        if "-" in line.partition(" ")[0]:
            mapping = _MAPPING.fullmatch(line)
            start, end = (int(mapping[1], 16), int(mapping[2], 16)) if mapping else (0, 0)
        elif line.startswith("Rss:"):
            first, last = -(-start // LARGE) * LARGE, end // LARGE * LARGE
            if first < last and int(line.split()[1]) * 1024 * 2 >= end - start:
                yield first, last - first
