"""The form in which the encoder for many languages reads text: pure and linear, as `gateway.signals.normalise`.

1. HTML entities and percent-encoding are undone, a few times in one another.
2. Each character is folded alone and stays a letter of its script. Marks and invisible characters are dropped. Text
   that is written in invisible characters is appended.
3. A word that mixes Latin letters with look-alikes of another script becomes Latin, or Cyrillic if most letters are.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from typing import Final
from urllib.parse import unquote

from gateway.confusables import hidden, plain_letters
from gateway.memo import Memo

__all__ = ["by_script", "mostly_ascii", "native"]

_KEPT_MARKS: Final = re.compile("[\u0900-\u097f]")
"""Marks that are vowels: Devanagari can't be read without them."""
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Co", "Cn", "Cs"})
_WORD: Final = re.compile(r"\w{1,64}")
_ASCII: Final = re.compile("[a-z]")
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_AS_CYRILLIC: Final = str.maketrans(
    "aceikmopstxyj", "\u0430\u0441\u0435\u0456\u043a\u043c\u043e\u0440\u0455\u0442\u0445\u0443\u0458"
)
"""Latin letters, as the Cyrillic ones that they pass for."""
_ALIEN: Final = re.compile("[^\\W\\d_\0-\u024f\u1e00-\u1eff]")
"""A letter that is not Latin."""
_DEPTH: Final = 4
_REMEMBERED: Final = 16_384


def _fold(code: int) -> str:
    character = chr(code)
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return "".join(c for c in folded if _KEPT_MARKS.match(c) or unicodedata.category(c) not in _DROPPED)


_TABLE: Final = Memo(_fold, _REMEMBERED)


def native(text: str) -> str:
    """The text in its own script: lower-case, single spaces."""
    for _ in range(_DEPTH):
        if (clear := unquote(unescape(text))) == text:
            break
        text = clear
    folded = " ".join([text, *hidden(text)]).translate(_TABLE)
    return " ".join(_WORD.sub(_unmixed, folded).split())


def by_script(plain: str) -> tuple[str, str]:
    """The words of a text in this form that are in Latin letters, and all others."""
    words = plain.split()
    others = [word for word in words if _ALIEN.search(word)]
    return " ".join(word for word in words if not _ALIEN.search(word)), " ".join(others)


def mostly_ascii(text: str) -> bool:
    """Whether of twenty letters at most one is none of ASCII. text: in normal form, so that look-alikes are ASCII."""
    if text.isascii():
        return True
    return sum(map(str.isalpha, text)) <= len(_ASCII.findall(text)) * 20 / 19


def _unmixed(word: re.Match[str]) -> str:
    text = word[0]
    if text.isascii() or not _ASCII.search(text) or not _ALIEN.search(text):
        return text
    cyrillic = len(_CYRILLIC.findall(text)) > len(_ASCII.findall(text))
    return text.translate(_AS_CYRILLIC) if cyrillic else plain_letters(text)
