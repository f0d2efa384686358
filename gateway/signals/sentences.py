"""The frozen encoder: the direction in which a passage points, whatever its language. Universal Sentence Encoder,
multilingual, version 3, with the pieces that our form of a text can contain.

1 pieces become vectors     2 runs of 2, 3 and 5 vectors are looked at, twice, each adding to what was there
3 everything is levelled and summed     4 four layers make of the sum the 512 numbers of a direction

Bounded: a passage has at most `PIECES` pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sentencepiece

__all__ = ["PIECES", "Sentences"]

PIECES: Final = 160
"""The most of a passage that is read; passages are made to have fewer (`gateway.signals.learned`)."""
_RUNS: Final = ((2, 0), (3, 1), (5, 2))
"""Lengths of runs, and how many of a run stand before its piece."""
_WIDTH: Final = 256
_SAME: Final = 1e-12

Floats = npt.NDArray[np.float32]


class Sentences:
    """The encoder, of its tokenizer and its numbers. Immutable after construction."""

    def __init__(self, tokenizer: bytes, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        self._pieces: Any = sentencepiece.SentencePieceProcessor()
        self._pieces.LoadFromSerializedProto(tokenizer)
        self._table, self._scale, self._low = numbers["table"], numbers["scale"], numbers["low"]
        self._numbers: dict[str, Floats] = {
            name: value.astype(np.float32) for name, value in numbers.items() if value.dtype == np.float16
        }

    def directions(self, texts: Sequence[str]) -> Floats:
        """A row of length one for each text in the form of `gateway.signals.script`."""
        return np.stack([self._direction(text) for text in texts])

    def _direction(self, text: str) -> Floats:
        of = self._numbers
        pieces = self._pieces.encode(text, out_type=int, add_bos=True, add_eos=True)[:PIECES]
        vectors = self._table[pieces] * self._scale[pieces, None] + self._low[pieces, None]  # 1
        seen = [vectors]
        levelled = _level(vectors @ of["proj_w"] + of["proj_b"], of["proj_g"], of["proj_s"])
        for index, (length, before) in enumerate(_RUNS):  # 2
            now = levelled[:, index * _WIDTH : (index + 1) * _WIDTH]
            for again in ("one", "two"):
                looked = _runs(now, length, before) @ of[f"{again}_w{length}"] + of[f"{again}_b{length}"]
                now = now + np.maximum(looked, 0)
            seen.append(now)
        sums = _level(np.concatenate(seen, axis=1), of["all_g"], of["all_s"]).sum(axis=0)  # 3
        mean = (sums @ of["sum_w"] + len(pieces) * of["sum_b"]) / np.float32(np.sqrt(len(pieces)))
        first = np.maximum(mean @ of["d0"], 0)  # 4
        second = np.maximum(mean @ of["p1"] + first @ of["d1"], 0)
        third = np.maximum(second @ of["d2"], 0)
        found: Floats = np.tanh(second @ of["p3"] + third @ of["d3"])
        return found / np.float32(np.sqrt(found @ found + _SAME))


def _level(values: Floats, gain: Floats, shift: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + _SAME)
    levelled: Floats = centred / spread * gain + shift
    return levelled


def _runs(values: Floats, length: int, before: int) -> Floats:
    """Beside each row its neighbours, nothing where there are none."""
    padded = np.zeros((len(values) + length - 1, _WIDTH), dtype=np.float32)
    padded[before : before + len(values)] = values
    return np.concatenate([padded[start : start + len(values)] for start in range(length)], axis=1)
