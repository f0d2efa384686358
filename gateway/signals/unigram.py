"""Text as the numbers that the encoder for many languages knows: the likeliest pieces that make up each word.

This is the unigram model of SentencePiece (Kudo, ACL 2018), with which the pretrained encoder was made. It is linear in
the text: a long run without spaces is cut, and the memory of words is bounded.
"""

from __future__ import annotations

import re
from array import array
from functools import lru_cache
from typing import Final

from gateway.signals.script import mostly_ascii

__all__ = ["Unigram"]

LONGEST: Final = 64
"""Characters of a word that are looked at together; a script without spaces is cut after as many."""
_BEGINS: Final = "\u2581"
"""Stands before what begins a word (U+2581)."""
_WORD: Final = re.compile(rf"(?<!\S)\S{{1,{LONGEST - 1}}}|\S{{1,{LONGEST}}}")
_REMEMBERED: Final = 16_384
_UNLIKELY: Final = 10.0
"""By how much an unknown character is less likely than the least likely piece."""
_UNKNOWN: Final = 20
"""Where more than one piece in so many is unknown, a text can't be read."""
_UNLIKELY_LETTER: Final = -4.6
"""The mean log-likelihood of a letter, below which a text is a cipher. Of the English texts in detectors/ one in 10,000
is below it, and in a Caesar cipher every one of them."""
_FEW: Final = 60
"""Letters that are too few to say so."""
_LETTERS: Final = re.compile(r"\b[^\W\d_]+\b")


class Unigram:
    """A vocabulary, one piece a line after its log-likelihood and a tab; the line is the number.

    first, last: what begins and ends a text. unknown: a character that no piece has.
    """

    def __init__(self, vocabulary: bytes) -> None:
        self._numbers: dict[str, int] = {}
        self._likely = array("f")
        for number, line in enumerate(vocabulary.decode("utf-8").rstrip("\n").split("\n")):
            likely, piece = line.split("\t")
            self._numbers[piece] = number
            self._likely.append(float(likely))
        self.first, self.last, self.unknown = (self._numbers.pop(name) for name in ("<s>", "</s>", "<unk>"))
        self._longest = max(map(len, self._numbers))
        self._likely[self.unknown] = min(self._likely) - _UNLIKELY
        self._word = lru_cache(maxsize=_REMEMBERED)(self._split)

    def __call__(self, text: str) -> list[int]:
        """The pieces of a text in the form of `gateway.signals.script`."""
        found: list[int] = []
        for match in _WORD.finditer(text):
            begins = match.start() == 0 or text[match.start() - 1].isspace()
            found.extend(self._word(_BEGINS + match[0] if begins else match[0]))
        return found

    def reads(self, text: str) -> bool:
        """Whether a text is in a script that the vocabulary has, and in a language."""
        numbers = self(text)
        return numbers.count(self.unknown) * _UNKNOWN <= len(numbers) and not self.is_cipher(text)

    def is_cipher(self, text: str) -> bool:
        """Whether a text in Latin letters has them in an order that is unlikely in any language."""
        words = " ".join(_LETTERS.findall(text))  # a digest or a key, which has digits in it, is no cipher
        if len(words) < _FEW or not mostly_ascii(words):
            return False
        return sum(self._likely[number] for number in self(words)) < _UNLIKELY_LETTER * sum(map(len, words.split()))

    def _split(self, word: str) -> tuple[int, ...]:
        """The pieces of the likeliest way to make the word (Viterbi)."""
        best = [0.0] + [float("-inf")] * len(word)
        ways = [(0, self.unknown)] * (len(word) + 1)
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + self._longest) + 1):
                number = self._numbers.get(word[start:end], self.unknown)
                likely = best[start] + self._likely[number]
                if likely > best[end] and (number != self.unknown or end == start + 1):
                    best[end], ways[end] = likely, (start, number)
        found, end = [], len(word)
        while end:
            end, number = ways[end]
            found.append(number)
        return tuple(reversed(found))
