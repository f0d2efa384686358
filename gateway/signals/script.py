"""The form in which the encoder reads a text, in any script: pure and linear, as `gateway.signals.normalise`.

Text mostly in Latin letters is read as the lexical detector reads it. Other text keeps its letters: each character is
folded on its own, marks and what nobody sees are dropped, and a word that mixes Latin letters with look-alikes is made
Latin.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from gateway.confusables import plain_letters
from gateway.memo import Memo
from gateway.signals.normalise import normalise

_KEPT_MARKS: Final = re.compile("[\u0900-\u097f]")
"""Marks that are vowels: Devanagari can't be read without them."""
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Co", "Cn", "Cs"})
_WORD: Final = re.compile(r"\w{1,64}")
_REMEMBERED: Final = 16_384


def _fold(code: int) -> str:
    character = chr(code)
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return "".join(c for c in folded if _KEPT_MARKS.match(c) or unicodedata.category(c) not in _DROPPED)


_TABLE: Final = Memo(_fold, _REMEMBERED)


def form(text: str) -> str:
    """The text as the encoder reads it: lower-case, single spaces."""
    if text.isascii() or mostly_latin(text):
        return normalise(text)
    folded = text.translate(_TABLE)
    return " ".join(_WORD.sub(_unmixed, folded).split())


def mostly_latin(text: str) -> bool:
    """Whether most letters are Latin, words that mix scripts counting as Latin."""
    folded = text.translate(_TABLE)
    latin = sum("a" <= c <= "z" or "\xdf" <= c <= "\u024f" for c in folded)
    mixed = sum(len(word) for word in _WORD.findall(folded) if _is_mixed(word))
    letters = sum(map(str.isalpha, folded))
    return max(latin, mixed) * 2 >= letters


def _unmixed(word: re.Match[str]) -> str:
    return plain_letters(word[0]) if _is_mixed(word[0]) else word[0]


def _is_mixed(word: str) -> bool:
    return not word.isascii() and any("a" <= c <= "z" for c in word)
