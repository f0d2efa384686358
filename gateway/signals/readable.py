"""Whether the detectors can read a text at all. What they can't read has no score: unavailable, which is never a zero.

A text can't be read when
1 eight or more of its letters, and a fifth or more of all, belong to another script than Latin;
2 some block of 200 characters has 40 or more such letters: a passage inside a longer text;
3 some block of 200 characters has 4 or more characters that are no text: controls, lone surrogates, private use,
  unassigned, U+FFFD: a binary blob as text;
4 it has an unbroken run of more than 128 base64 characters: nobody's words;
5 in some stretch of 20 words, those that tell another language apart outnumber the English ones, and are four or more.
A letter of a script that writes a syllable or a word with one character (Han, Kana, Hangul, Yi) counts as four.

Rules 1, 2 and 5 are for gateways that read English only: where other languages are read, `gateway.signals.learned`
says which texts it can't. A short text in another language, or one in Latin letters without any common word of a listed
language, passes for readable by these rules: that is a limit, not a promise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

BLOCK: Final = 200
STRETCH: Final = 20
RUN: Final = 129
_RUN: Final = re.compile(rf"[A-Za-z0-9+/=]{{{RUN}}}")
_NO_TEXT: Final = re.compile(r"[^\t\n\v\f\r -~]")
_TEXT: Final = bytes([*range(9, 14), *range(32, 127)])
_SYLLABLES: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "YI", "IDEOGRAPHIC")
_LATIN: Final = ("LATIN", "FULLWIDTH LATIN", "MODIFIER LETTER", "FEMININE", "MASCULINE", "MICRO", "KELVIN", "ANGSTROM")


def readable_text(text: str, *, any_script: bool = False) -> bool:
    """Rules 1 to 4, on the text as it came; in any script, rules 3 and 4. Linear."""
    if _has_run(text):
        return False  # 4
    if text.isascii() and not text.encode("ascii").translate(None, _TEXT):
        return True
    foreign_in_all = 0
    for start in range(0, len(text), BLOCK):
        foreign, opaque = _count(text[start : start + BLOCK])
        if (foreign >= 40 and not any_script) or opaque >= 4:
            return False  # 2, 3
        foreign_in_all += foreign
    return any_script or foreign_in_all < 8 or foreign_in_all * 5 < sum(map(str.isalpha, text))  # 1


def readable_words(words: Sequence[str], english: AbstractSet[str], other: AbstractSet[str]) -> bool:
    """Rule 5, on normalised words. Linear."""
    if sum(map(other.__contains__, words)) < 4:
        return True
    for start in range(0, len(words), STRETCH // 2):
        stretch = words[start : start + STRETCH]
        elsewhere = sum(word in other for word in stretch)
        if elsewhere >= 4 and elsewhere > sum(word in english for word in stretch):
            return False
    return True


def foreign_letters(text: str) -> int:
    """How many letters are of another script than Latin, as rule 1 counts them."""
    return _count(text)[0]


def is_opaque(character: str) -> bool:
    """Whether it is no text at all, by rule 3."""
    return bool(_NO_TEXT.match(character)) and _weight(character) < 0


def _has_run(text: str) -> bool:
    """Rule 4. A run has no space, so looking for it goes from space to space, as far apart as may be."""
    start = 0
    while start + RUN <= len(text):
        space = text.rfind(" ", start, start + RUN)
        if space < 0:
            return bool(_RUN.search(text, start))
        start = space + 1
    return False


def _count(block: str) -> tuple[int, int]:
    foreign = opaque = 0
    for character in _odd(block):
        weight = _weight(character)
        if weight < 0:
            opaque += 1
        else:
            foreign += weight
    return foreign, opaque


def _odd(block: str) -> Iterator[str]:
    return (match[0] for match in _NO_TEXT.finditer(block))


@lru_cache(maxsize=16_384)
def _weight(character: str) -> int:
    """How much a character counts: letters outside Latin 1 or 4, characters that are no text -1, all others 0."""
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Co", "Cn"} or character == "\ufffd":
        return -1
    if category[0] != "L" or character.isascii():
        return 0
    name = unicodedata.name(character, "")
    if name.startswith(_LATIN) or unicodedata.normalize("NFKD", character)[0].isascii():
        return 0
    return 4 if name.startswith(_SYLLABLES) else 1
