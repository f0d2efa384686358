"""What the learned detector sees of a text: runs of two to six characters, words, and pairs of words, each as a number.

Every run is hashed from the numbers of its characters, all at once: linear in the text, in any script.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

BITS: Final = 18
"""Of the number that a feature is hashed to."""
_RUNS: Final = (2, 3, 4, 5, 6)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_SPREAD: Final = np.uint64(0xD6E8FEB86659FD93)
_SPACE: Final = 32

Hashes = npt.NDArray[np.uint64]


def features(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The numbers of the features, each once, and how much each counts. text: in form (`gateway.signals.script`)."""
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    kinds = [*_runs(codes), *_words(codes)]
    found, counts = np.unique(np.concatenate(kinds) >> np.uint64(64 - BITS), return_counts=True)
    weights = (1 + np.log(counts)).astype(np.float32)
    return found.astype(np.int64), weights


def _runs(codes: Hashes) -> list[Hashes]:
    """Runs of each length, by the hash of the run that is shorter by one."""
    found, run = [], codes
    for length in range(1, max(_RUNS) + 1):
        if length > 1:
            run = run[:-1] * _ODD + codes[length - 1 :]
        if length in _RUNS and len(run):
            found.append(_mixed(run, length))
    return found


def _words(codes: Hashes) -> list[Hashes]:
    """Words, and each two neighbours."""
    at = np.flatnonzero(codes == _SPACE)
    starts = at[:-1] + 1
    starts = starts[codes[starts] != _SPACE]
    if not len(starts):
        return []
    powers = np.cumprod(np.full(len(codes), _ODD, dtype=np.uint64))
    bounds = np.add.reduceat(codes * powers, starts)  # a word with the space after it
    words = _mixed(bounds * _inverse(powers[starts]), 100)
    return [words, _mixed(words[:-1] * _ODD + words[1:], 101)] if len(words) > 1 else [words]


def _inverse(odd: Hashes) -> Hashes:
    """The numbers that give one when multiplied, modulo 2^64: Newton's way doubles the right bits."""
    found = odd.copy()
    for _ in range(5):
        found = found * (np.uint64(2) - odd * found)
    return found


def _mixed(values: Hashes, kind: int) -> Hashes:
    values = (values + np.uint64(kind)) * _SPREAD
    values ^= values >> np.uint64(32)
    return values * _ODD
