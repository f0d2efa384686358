"""The learned detector: what a text wants, by its likeness to texts that people have labelled.

1 a text is cut into passages that overlap     2 a passage is likened to labelled ones by its runs of characters and
words     3 and by its direction (`gateway.signals.sentences`)     4 both give a margin for each category, and for any
5 the highest of all passages counts; 500 thousandths are where the margin for any was tuned to be refused

What it was made of, and how well it does, is in docs/detectors.md. Its files travel with the package and are checked by
digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import StartError
from gateway.signals.features import features
from gateway.signals.script import form
from gateway.signals.sentences import Sentences

__all__ = ["FOLDER", "Learned", "load", "passages", "thousandths"]

FOLDER: Final = files("gateway") / "assets" / "learned"
_PASSAGE: Final = 480
_DENSE: Final = 120
"""Of scripts that write a word with one or two characters."""
_SHARED: Final = 3
"""Neighbouring passages share a third."""

Floats = npt.NDArray[np.float32]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What the detector is made of. sharp: the kernel's; threshold: the margin for any category that counts as 500.

    shown: the margin of a category from which it is named beside the highest one. wide: the margin from 500 to 881.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int = Field(ge=1, le=1)
    categories: list[str] = Field(min_length=1)
    files: dict[str, _Digest]
    languages: list[str]
    sharp: float
    threshold: float
    shown: float
    wide: float
    origin: str


class Learned:
    """The detector, of its files. Immutable after construction. names: the categories that it scores."""

    def __init__(self, manifest: Manifest, data: Mapping[str, bytes], version: str) -> None:
        encoder, detector = _arrays(data["encoder.npz"]), _arrays(data["detector.npz"])
        self._sentences = Sentences(data["tokenizer.model"], encoder)
        self._common, self._runs = detector["common"].astype(np.float32), detector["runs"]
        self._examples = detector["examples"].astype(np.float32).T.copy()
        self._weights = detector["weights"].astype(np.float32)
        self._made = manifest
        self.names, self.version = tuple(manifest.categories), version

    def score(self, text: str) -> dict[str, int]:
        """Thousandths, 0 to 1000, for each category. Takes time in proportion to the text, outside any event loop."""
        found = [*passages(form(text))]
        if not found:
            return dict.fromkeys(self.names, 0)
        highest = np.max([self._shares(row) for row in self.margins(found)], axis=0)
        return dict(zip(self.names, map(int, highest), strict=True))

    def margins(self, found: list[str]) -> Floats:
        """A row for each passage: a margin for each category, then for any."""
        near = np.exp(self._made.sharp * (self._sentences.directions(found) @ self._examples - 1))  # 3
        margins: Floats = np.stack([self._likened(text) for text in found]) + near @ self._weights  # 2, 4
        return margins

    def _likened(self, text: str) -> Floats:
        numbers, counts = features(text)
        weighted = counts * self._common[numbers]
        length = np.float32(np.sqrt(weighted @ weighted)) or np.float32(1)
        likened: Floats = (weighted / length) @ self._runs[numbers].astype(np.float32)
        return likened

    def _shares(self, row: Floats) -> npt.NDArray[np.int64]:
        """The margin for any, as the score of the highest category and of those shown beside it; others stay below."""
        named = np.maximum(row[:-1] - self._made.shown, np.where(row[:-1] == row[:-1].max(), 0, -np.inf))
        margin = np.where(named >= 0, row[-1], np.minimum(row[-1], self._made.threshold) - self._made.wide)
        return thousandths(margin, self._made.threshold, self._made.wide)


def thousandths(margin: npt.NDArray[Any], threshold: float, wide: float) -> npt.NDArray[np.int64]:
    """Margins as scores: 500 at the threshold."""
    scores: npt.NDArray[np.int64] = np.floor(500 + 500 * np.tanh((margin - threshold) / wide)).astype(np.int64)
    return scores


def passages(text: str) -> list[str]:
    """The text in pieces that overlap, cut between words where there are any. text: in form."""
    size = _DENSE if sum(c >= "\u2e80" for c in text) * 4 > len(text) else _PASSAGE
    found, start = [], 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text) and (space := text.rfind(" ", start + size // 2, end)) > 0:
            end = space
        found.append(text[start:end].strip())
        if end == len(text):
            break
        start = end - size // _SHARED
        start = space + 1 if (space := text.find(" ", start, end)) > 0 else start
    return [*filter(None, found)]


def load(folder: Traversable = FOLDER) -> Learned:
    """The detector that travels with the package. Raises StartError when a file is missing or another."""
    try:
        written = (folder / "manifest.json").read_bytes()
        manifest = Manifest.model_validate_json(written)
        data = {name: (folder / name).read_bytes() for name in ("encoder.npz", "detector.npz", "tokenizer.model")}
    except (OSError, ValidationError):
        raise StartError("the learned detector can't be read; reinstall the package") from None
    for name, content in data.items():
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise StartError(f"the learned detector: {name} is not the file of the manifest; reinstall the package")
    return Learned(manifest, data, f"learned-1-{hashlib.sha256(written).hexdigest()[:12]}")


def _arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(BytesIO(data), allow_pickle=False) as file:
        return dict(file)
