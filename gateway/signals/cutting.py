"""How content is cut for the detectors: into one text, its overlapping slices, and their words. Pure and linear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import Final

__all__ = ["SLICE", "glued", "slices", "words_of"]

SLICE: Final = 16_384
_OVERLAP: Final = 1_024
_GLUED: Final = 64
_LONGEST: Final = 64
"""A longer run of letters is read in pieces: no term is as long, and what is remembered of each word stays small."""
_WORD: Final = re.compile(rf"[a-z0-9]{{1,{_LONGEST}}}")
_PARTED: Final = bytes(code if chr(code) in ascii_lowercase + digits else ord(" ") for code in range(256))


def words_of(plain: str) -> list[str]:
    """The words of a text in normal form."""
    spelled = plain.replace("'", "").replace("u.s.", "us")
    words = spelled.encode("ascii", "replace").translate(_PARTED).decode().split()
    return words if max(map(len, words), default=0) <= _LONGEST else _WORD.findall(spelled)


def glued(texts: list[str]) -> Iterator[str]:
    """The texts, and between two neighbours the word that their ends make together: a term may be split anywhere.

    Two words, where they differ: one made as if no white space stood between the texts, and one that minds it. No text
    is empty.
    """
    loose = strict = ""
    for text in texts:
        first, *more = text.split(None, 1) or [""]
        if text[0].isspace():
            strict = ""
        yield from (end + first for end in dict.fromkeys((loose, strict)) if end and first)
        yield text
        last = text.rsplit(None, 1)[-1] if more else ""
        loose = (last or loose + first)[-_GLUED:]
        strict = "" if text[-1].isspace() else (last or strict + first)[-_GLUED:]


def slices(text: str) -> Iterator[str]:
    """Overlapping slices: whatever is shorter than the overlap is whole in one of them."""
    step = SLICE - _OVERLAP
    for start in range(0, max(1, len(text) - _OVERLAP), step):
        yield text[start : start + SLICE]
