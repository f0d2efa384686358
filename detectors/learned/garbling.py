"""Texts that are in no language: what an encoder of many languages has to say that it can't read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from gateway.measuring.corpus import Text

__all__ = ["garbled"]


def garbled(texts: Sequence[Text], chance: np.random.Generator) -> list[Text]:
    """Each text with its letters exchanged, its words' letters in another order, or backwards."""
    kinds = _exchanged, _stirred, _backwards
    return [text.model_copy(update={"text": kinds[chance.integers(3)](text.text, chance)}) for text in texts]


def _exchanged(text: str, chance: np.random.Generator) -> str:
    """Each letter for another one of the text's alphabet: a substitution cipher."""
    letters = sorted({c for c in text.lower() if c.isalpha()})
    others = [letters[n] for n in chance.permutation(len(letters))]
    return text.lower().translate(dict(zip(map(ord, letters), others, strict=True)))


def _stirred(text: str, chance: np.random.Generator) -> str:
    return re.sub(r"\w+", lambda word: "".join(word[0][n] for n in chance.permutation(len(word[0]))), text)


def _backwards(text: str, _: np.random.Generator) -> str:
    return unicodedata.normalize("NFC", text)[::-1]
