"""How content is cut for the detectors: into one text, its overlapping slices, and their words. Pure and linear.

A slice holds so many characters, so what stands between words must not fill it: it is shortened before. Symbols that
are seen as letters, such as Ⓐ, are no such thing: they are spelled out first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_letters, ascii_lowercase, digits
from typing import Final

from gateway.confusables import is_hidden, letters
from gateway.memo import Memo
from gateway.signals.normalise import kinds, normalise
from gateway.signals.readable import is_opaque

__all__ = ["LETTERS", "SLICE", "glued", "length", "portions", "shortened", "slices", "words_of"]

SLICE: Final = 16_384
_OVERLAP: Final = 1_024
_GLUED: Final = 64
_LONGEST: Final = 64
"""A longer run of letters is read in pieces: no term is as long, and what is remembered of each word stays small."""
_WORD: Final = re.compile(rf"[a-z0-9]{{1,{_LONGEST}}}")
LETTERS: Final = 16
_BETWEEN: Final = 4
_SHORT: Final = 8
_SEVERAL: Final = 4
_SYMBOL: Final = re.compile(r"([^\w\s\0-\x7f]+)")
_REMEMBERED: Final = 16_384
_FAR_APART: Final = re.compile(rf"[\W_]{{{_BETWEEN + 1},}}")
_INSIDE: Final = re.compile(r"[^\W_]")
_LONG: Final = re.compile(rf"[^\W_]{{{LETTERS + 1},}}|{_FAR_APART.pattern}")
_PARTED: Final = bytes(code if chr(code) in ascii_lowercase + digits else ord(" ") for code in range(256))
_JOINED: Final = bytes(ord("a" if chr(code) in ascii_letters + digits else " ") for code in range(256))


def words_of(plain: str) -> list[str]:
    """The words of a text in normal form."""
    spelled = plain.replace("'", "").replace("u.s.", "us")
    words = kinds(spelled, _PARTED).decode().split()
    return words if max(map(len, words), default=0) <= _LONGEST else _WORD.findall(spelled)


def glued(texts: list[str]) -> Iterator[str]:
    """The texts, and between two neighbours the word that their ends make together: a term may be split anywhere.

    Two words, where they differ: one made as if no white space stood between the texts, and one that minds it. Several
    short texts in a row are also one: they may have a letter each. No text is empty.
    """
    loose = strict = ""
    row: list[str] = []
    for text in [*texts, ""]:
        if text and len(text) <= _SHORT:
            row.append(text)
        else:
            yield from ["".join(row)] * (len(row) >= _SEVERAL)
            row.clear()
        if not text:
            break
        first, *more = text.split(None, 1) or [""]
        if text[0].isspace():
            strict = ""
        yield from (end + first for end in dict.fromkeys((loose, strict)) if end and first)
        yield text
        last = text.rsplit(None, 1)[-1] if more else ""
        loose = (last or loose + first)[-_GLUED:]
        strict = "" if text[-1].isspace() else (last or strict + first)[-_GLUED:]


def shortened(text: str) -> str:
    """The text with at most four characters between words, of those that mean nothing by themselves.

    What parts words still does; what does not, though it is seen by nobody, still does not.
    """
    if text.isascii() and b" " * (_BETWEEN + 1) not in kinds(text, _JOINED):
        return text
    if not text.isascii():
        text = _SYMBOL.sub(lambda run: run[0].translate(_SPELLED), text)
    return _FAR_APART.sub(_cut_short, text)


def _spelled(code: int) -> str:
    """What a symbol spells, such as a letter in a circle; itself where that is nothing."""
    symbol = chr(code)
    cased, plain = letters(symbol), normalise(symbol)
    if is_hidden(symbol) or not any(map(str.isalnum, plain)):
        return symbol
    return cased if cased.lower() == plain else plain


_SPELLED: Final = Memo(_spelled, _REMEMBERED)


def _kept(code: int) -> str:
    """What is not cut out: by it a text may be unreadable, or say more than is seen."""
    return chr(code) if is_opaque(chr(code)) or is_hidden(chr(code)) else ""


_KEPT: Final = Memo(_kept, _REMEMBERED)


def _cut_short(between: re.Match[str]) -> str:
    run, first = between[0], between[0][: _BETWEEN - 1]
    if run.isspace():
        return f"{first} "
    kept = run[len(first) :].translate(_KEPT)
    if normalise(f"a{run}a") != "aa":
        return f"{first}{kept} "
    return first + kept if normalise(f"a{first}a") == "aa" else kept


def portions(text: str) -> Iterator[str]:
    """The text in parts of about a slice, that are `shortened` each alone as in the whole: each but the last one ends
    with a letter or a digit.
    """
    start = 0
    while start < len(text):
        inside = _INSIDE.search(text, start + SLICE)
        end = inside.end() if inside else len(text)
        yield text[start:end]
        start = end


def length(text: str) -> int:
    """How many characters a text has, if of a run of letters and digits sixteen count, and four of one without any."""
    runs = _LONG.findall(text)
    return len(text) - sum(len(run) - (LETTERS if run[0].isalnum() else _BETWEEN) for run in runs)


def slices(text: str) -> Iterator[str]:
    """Overlapping slices: whatever is shorter than the overlap is whole in one of them."""
    step = SLICE - _OVERLAP
    for start in range(0, max(1, len(text) - _OVERLAP), step):
        yield text[start : start + SLICE]
