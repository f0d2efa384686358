"""Words as the numbers that the encoder knows: the longest piece that the vocabulary has, then the longest after it.

This is WordPiece, as the pretrained encoder was made with. Linear in the text: a word of more than `LONGEST` characters
is one unknown piece, and what is remembered of words is bounded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["WordPiece"]

LONGEST: Final = 64
_WORD: Final = re.compile(r"[^\W_]+|\S")
_REMEMBERED: Final = 16_384


class WordPiece:
    """A vocabulary, one piece a line, of which the line is the number. ## stands before what goes on within a word."""

    def __init__(self, vocabulary: bytes) -> None:
        lines = vocabulary.decode("utf-8").splitlines()
        self._numbers = {piece: number for number, piece in enumerate(lines)}
        self._unknown, self.first, self.last = (self._numbers[name] for name in ("[UNK]", "[CLS]", "[SEP]"))
        self._word = lru_cache(maxsize=_REMEMBERED)(self._split)

    def __call__(self, text: str) -> list[int]:
        """The pieces of a text in the form of `gateway.signals.script`."""
        return [number for word in _WORD.findall(text) for number in self._word(word)]

    def _split(self, word: str) -> tuple[int, ...]:
        found: list[int] = []
        start = 0
        while start < len(word) <= LONGEST:
            for end in range(len(word), start, -1):
                number = self._numbers.get(word[start:end] if not start else f"##{word[start:end]}")
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(found) or (self._unknown,)
