"""The form in which the encoder for many languages reads text: pure and linear, as `gateway.signals.normalise`.

1. Each character is folded alone and stays a letter of its script. Marks and invisible characters are dropped. Text
   that is written in invisible characters is appended.
2. HTML entities and percent-encoding are undone, a few times in one another, and what came out is folded.
3. Markup within words is dropped; words broken at a line's end, and letters that stand apart, are joined.
4. A word that mixes Latin letters with look-alikes of another script becomes Latin; with Cyrillic letters that pass for
   no Latin ones it becomes Cyrillic.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Final

from gateway.confusables import is_ideograph, is_seen, plain_letters
from gateway.memo import Memo
from gateway.signals.normalise import joining, undone

__all__ = ["UNSPACED", "by_script", "latin_rows", "mostly_ascii", "native"]

_DEVANAGARI: Final = "\u0900-\u097f"
_KEPT_MARKS: Final = re.compile(f"[{_DEVANAGARI}]")
"""Marks that are vowels: Devanagari can't be read without them."""
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Co", "Cn", "Cs"})
_WORD: Final = re.compile(r"[^\W_]{1,64}")
_ASCII: Final = re.compile("[a-z]")
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_AS_CYRILLIC: Final = str.maketrans(
    "aceikmopstxyj", "\u0430\u0441\u0435\u0456\u043a\u043c\u043e\u0440\u0455\u0442\u0445\u0443\u0458"
)
"""Latin letters, as the Cyrillic ones that they pass for."""
_ALIEN: Final = re.compile("[^\\W\\d_\0-\u024f\u1e00-\u1eff]")
"""A letter that is no plain Latin one, which may pass for one."""
_OTHER: Final = re.compile("[^\\W\\d_\0-\u02ff\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff]")
"""A letter of another script than Latin."""
_LATIN: Final = "[a-z\u00df-\u02ff\u1e00-\u1eff]"
UNSPACED: Final = "[\u3040-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]"
"""A character that is a syllable or a word, in scripts without spaces, or with few."""
_CHANGE: Final = re.compile(f"(?<={UNSPACED})(?={_LATIN})|(?<={_LATIN})(?={UNSPACED})")
"""Where such a character stands beside a Latin letter."""
_LINE_ENDS: Final = "\n\r\v\f\x85\u2028\u2029"
_JOINED: Final = joining(rf"[^\W\d_{_DEVANAGARI}]", _DEVANAGARI)
_REMEMBERED: Final = 16_384


def _fold(code: int) -> str:
    character = chr(code)
    if is_ideograph(code):
        return character
    if character in _LINE_ENDS:
        return "\n"
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    return "".join(c for c in folded if _is_kept(c))


def _is_kept(character: str) -> bool:
    dropped = unicodedata.category(character) in _DROPPED or not is_seen(character)
    return not dropped or bool(_KEPT_MARKS.match(character))


_TABLE: Final = Memo(_fold, _REMEMBERED)


def native(text: str) -> str:
    """The text in its own script: lower-case, single spaces."""
    plain = _JOINED(undone(text, _TABLE))
    latin = len(_CYRILLIC.findall(plain)) <= len(_ASCII.findall(plain))
    return " ".join(_WORD.sub(lambda word: _unmixed(word[0], latin=latin), plain).split())


def by_script(plain: str) -> tuple[str, str]:
    """The words of a text in this form that are in Latin letters, and all others."""
    words = _words(plain)
    others = [word for word in words if _is_other(word)]
    return " ".join(word for word in words if not _is_other(word)), " ".join(others)


def latin_rows(plain: str, least: int) -> str:
    """The words in Latin letters of which so many stand in a row, without those that are scattered in other text."""
    rows = ([*row] for other, row in groupby(_words(plain), _is_other) if not other)
    return " ".join(word for row in rows if len(row) >= least for word in row)


def _words(plain: str) -> list[str]:
    return _CHANGE.sub(" ", plain).split()


def _is_other(word: str) -> bool:
    return bool(_OTHER.search(word))


def mostly_ascii(text: str) -> bool:
    """Whether of twenty letters at most one is none of ASCII. text: in normal form, so that look-alikes are ASCII."""
    if text.isascii():
        return True
    return sum(map(str.isalpha, text)) <= len(_ASCII.findall(text)) * 20 / 19


def _unmixed(word: str, *, latin: bool) -> str:
    """The word in one script. latin: whether it is Latin where all its letters pass for both."""
    if word.isascii() or not _ASCII.search(word) or not _ALIEN.search(word):
        return word
    plain, cyrillic = plain_letters(word), word.translate(_AS_CYRILLIC)
    only_latin, only_cyrillic = len(_ASCII.findall(cyrillic)), len(_CYRILLIC.findall(plain))
    if only_latin == only_cyrillic:
        return plain if latin or not _CYRILLIC.search(word) else cyrillic
    return plain if only_latin > only_cyrillic else cyrillic
