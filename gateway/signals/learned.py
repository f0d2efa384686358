"""The learned detector: what a text wants, by a small encoder that was tuned on texts that people have labelled.

1 a text, without long rows of numbers, is cut into passages that overlap     2 the encoder reads each alone, so none
weighs on another, and once for a tenant: part by part, and no further than until one is sure that a passage is nothing
3 its last part gives a margin for each category, for any, and for another language than English     4 the highest of
all passages counts; 500 thousandths are where the margin for any was tuned to be refused

What it was made of, and how well it does, is in docs/detectors.md. Its files travel with the package and are checked by
digest.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import StartError
from gateway.signals.fair_threads import finished
from gateway.signals.passage_cache import PassageCache
from gateway.signals.script import form
from gateway.signals.wordpiece import WordPiece

# Else it reports each session to its makers, and keeps a number of this machine for that. It looks once, when imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

__all__ = [
    "FOLDER",
    "PIECES",
    "SEEN",
    "Learned",
    "Manifest",
    "combined",
    "load",
    "passages",
    "session",
    "shown",
    "thousandths",
    "worded",
]

FOLDER: Final = files("gateway") / "assets" / "learned"
PIECES: Final = 510
"""The most of a passage that is read: more than a passage has characters."""
SEEN: Final = "seen"
"""What a part of the encoder is given by the one before it."""
_PASSAGE: Final = 480
_REMEMBERED: Final = 16_384
"""Passages: conversations of six million characters, in ten megabytes."""
_SHARED: Final = 4
"""Neighbouring passages share a fourth."""
_NUMBERS: Final = 8
"""How many numbers in a row are read."""
_BYTE: Final = re.compile("[0-9a-f]{2}")
_DIGIT: Final = re.compile("[0-9]")
_LETTERS: Final = re.compile(r"[^\W\d_]{3}")

Floats = npt.NDArray[np.float32]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What the detector is made of. threshold: the margin for any category that counts as 500.

    shown: the margin of a category from which it is named beside the highest one. wide: the margin from 500 to 881.
    foreign: the margin for another language from which a passage can't be read. parts: the files of the encoder, in the
    order in which they read.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int = Field(ge=4, le=4)
    categories: list[str] = Field(min_length=1)
    files: dict[str, _Digest]
    threshold: float
    shown: float
    wide: float
    foreign: float
    parts: list[str] = Field(min_length=1)
    origin: str


class Learned:
    """The detector, of its files. names: the categories that it scores. parts: of its encoder, in order."""

    def __init__(self, manifest: Manifest, data: Mapping[str, bytes], version: str) -> None:
        self._pieces = WordPiece(data["vocabulary.txt"])
        self.parts: list[Any] = [session(data[name]) for name in manifest.parts]
        self._made = manifest
        self._remembered = PassageCache(_REMEMBERED)
        self.names, self.version = tuple(manifest.categories), version

    def score(self, text: str, whose: str | None = None) -> tuple[dict[str, int], bool]:
        """Thousandths, 0 to 1000, for each category, and whether it knows the language.

        Takes time in proportion to the text, outside any event loop.
        whose: the tenant whose text it is, for whom no passage is read twice; None reads, and remembers nothing.
        """
        return finished(self.reads(text, whose))

    def reads(self, text: str, whose: str | None = None) -> Generator[None, None, tuple[dict[str, int], bool]]:
        """`score`, a passage a step."""
        said = self._said if whose is None else partial(self._remembered.get, whose, say=self._said)
        rows = []
        for passage in passages(worded(form(text))):
            rows.append(said(passage))
            yield
        if not rows:
            return dict.fromkeys(self.names, 0), True
        *highest, foreign = map(int, np.max(rows, axis=0))
        return dict(zip(self.names, highest, strict=True)), not foreign

    def _said(self, passage: str) -> npt.NDArray[np.int64]:
        """The scores of the categories, then 1 where the passage is in another language, else 0."""
        given = shown(self._pieces, passage)
        for part in self.parts[:-1]:
            seen, margins = part.run(None, given)
            if (margins < 0).all():
                return np.zeros(len(self.names) + 1, np.int64)
            given = {SEEN: seen}
        margins, foreign = self.parts[-1].run(None, given)
        return np.append(self._shares(margins), foreign[0] >= self._made.foreign)

    def _shares(self, margins: Floats) -> npt.NDArray[np.int64]:
        """The margin for any, as the score of the highest category and of those shown beside it; others stay below."""
        row = np.append(margins[0, :-1], combined(margins))
        named = np.maximum(row[:-1] - self._made.shown, np.where(row[:-1] == np.max(row[:-1]), 0, -np.inf))
        margin = np.where(named >= 0, row[-1], np.minimum(row[-1], self._made.threshold) - self._made.wide)
        return thousandths(margin, self._made.threshold, self._made.wide)


def shown(pieces: WordPiece, passage: str) -> dict[str, npt.NDArray[Any]]:
    """What the encoder is given of a passage."""
    numbers = [pieces.first, *pieces(passage)[:PIECES], pieces.last]
    return {"pieces": np.array([numbers], dtype=np.int64)}


def combined(margins: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The margin that decides, of each row: the mean of that for any and the highest of the others."""
    found: npt.NDArray[Any] = (margins[:, -1] + margins[:, :-1].max(axis=1)) / 2
    return found


def thousandths(margin: npt.NDArray[Any], threshold: float, wide: float) -> npt.NDArray[np.int64]:
    """Margins as scores: 500 at the threshold."""
    scores: npt.NDArray[np.int64] = np.floor(500 + 500 * np.tanh((margin - threshold) / wide)).astype(np.int64)
    return scores


def worded(text: str) -> str:
    """The text without what goes on after eight numbers in a row: the encoder has learnt nothing of tables, dumps."""
    kept, row = [], 0
    for word in text.split(" "):
        row = row + 1 if _is_number(word) else 0
        if row <= _NUMBERS:
            kept.append(word)
    return " ".join(kept)


def _is_number(word: str) -> bool:
    """Whether it has digits and nothing that is a word, or may be a byte in hexadecimal."""
    return bool(_BYTE.fullmatch(word) or (_DIGIT.search(word) and not _LETTERS.search(word)))


def passages(text: str) -> list[str]:
    """The text in pieces that overlap, cut between words where there are any. text: in form."""
    found, start = [], 0
    while start < len(text):
        end = min(len(text), start + _PASSAGE)
        if end < len(text) and (space := text.rfind(" ", start + _PASSAGE // 2, end)) > 0:
            end = space
        found.append(text[start:end].strip())
        if end == len(text):
            break
        start = end - _PASSAGE // _SHARED
        start = space + 1 if (space := text.find(" ", start, end)) > 0 else start
    return [*filter(None, found)]


def load(folder: Traversable = FOLDER) -> Learned:
    """The detector that travels with the package. Raises StartError when a file is missing or another."""
    try:
        written = (folder / "manifest.json").read_bytes()
        manifest = Manifest.model_validate_json(written)
        data = {name: (folder / name).read_bytes() for name in (*manifest.parts, "vocabulary.txt")}
    except (OSError, ValidationError):
        raise StartError("the learned detector can't be read; reinstall the package") from None
    for name, content in data.items():
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise StartError(f"the learned detector: {name} is not the file of the manifest; reinstall the package")
    return Learned(manifest, data, f"learned-5-{hashlib.sha256(written).hexdigest()[:12]}")


def session(model: bytes) -> Any:
    """One thread a call and no spinning: the gateway reads on two threads of its own, beside everything else.

    Sums are not fused with the norm after them: what onnxruntime has for both at once uses no vector instructions, and
    takes six times as long.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
