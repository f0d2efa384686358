"""An encoder of text: a passage in, a score for each category out.

1. The vocabulary cuts the passage into pieces.
2. The encoder reads them part by part, and stops as soon as a part is sure that the passage is nothing.
3. The last part gives a margin for each category, one for any category, and one for text that it can't read.
4. Near the threshold, the margins of another encoder count as much, and another threshold does.
5. A margin at the threshold scores 500.

The files of an encoder travel with the package and are checked by digest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import StartError
from gateway.signals.margins import Margins, doubtful, shares
from gateway.signals.passage_cache import PassageCache
from gateway.signals.unigram import Unigram
from gateway.signals.wordpiece import WordPiece

# Else it reports each session to its makers, and keeps a number of this machine for that. It looks once, when imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

__all__ = [
    "FOREIGN",
    "PIECES",
    "READ",
    "SEEN",
    "VOCABULARY",
    "Encoder",
    "Manifest",
    "Pieces",
    "load",
    "session",
    "shown",
]

READ, FOREIGN, CIPHER = 0, 1, 2
"""Of a passage: the encoder can read it; it is in a language or script that it can't; it is in no language."""
PIECES: Final = 510
"""The most of a passage that is read: more than a passage has characters."""
SEEN: Final = "seen"
"""What a part of the encoder is given by the one before it."""
VOCABULARY: Final = "vocabulary.txt"
_REMEMBERED: Final = 16_384
"""Passages: conversations of six million characters, in ten megabytes."""

Pieces = WordPiece | Unigram
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What the encoder is made of. threshold: the margin for any category that counts as 500.

    shown: the margin of a category from which it is named beside the highest one. wide: the margin from 500 to 881.
    foreign: the margin from which a passage can't be read. parts: the files of the encoder, in the order in which they
    read. pieces: how the vocabulary cuts words.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int = Field(ge=5, le=5)
    categories: list[str] = Field(min_length=1)
    files: dict[str, _Digest]
    threshold: float
    together: float | None
    shown: float
    wide: float
    foreign: float
    parts: list[str] = Field(min_length=1)
    pieces: Literal["wordpiece", "unigram"] = "wordpiece"
    origin: str


class Encoder:
    """An encoder, of its files.

    names: the categories that it scores. parts: in order. digest: of its manifest.
    beside: another one, which tells what is in no language, and whose margins count as much where this one is in doubt.
    """

    def __init__(
        self, manifest: Manifest, data: Mapping[str, bytes], digest: str, beside: Encoder | None = None
    ) -> None:
        kind = Unigram if manifest.pieces == "unigram" else WordPiece
        self.pieces: Pieces = kind(data[VOCABULARY])
        self.parts: list[Any] = [session(data[name]) for name in manifest.parts]
        self.made, self._beside = manifest, beside
        self._remembered = PassageCache(_REMEMBERED)
        self.names, self.digest = tuple(manifest.categories), digest

    def said(self, passage: str, whose: str | None = None) -> npt.NDArray[Any]:
        """Thousandths of each category, then READ, FOREIGN or CIPHER.

        whose: the tenant whose text it is, for whom no passage is read twice; None reads, and remembers nothing.
        """
        return self._read(passage) if whose is None else self._remembered.get(whose, passage, say=self._read)

    def margins(self, passage: str, *, to_end: bool = False) -> tuple[Margins | None, int]:
        """The margins of a passage, a row for it, and READ or FOREIGN.

        None where the passage is in another script, or as soon as a part is sure that it is nothing. to_end: reads on.
        """
        if isinstance(self.pieces, Unigram) and not self.pieces.reads(passage):
            return None, FOREIGN
        given = shown(self.pieces, passage)
        for part in self.parts[:-1]:
            seen, margins = part.run(None, given)
            if not to_end and (margins < 0).all():
                return None, READ
            given = {SEEN: seen}
        margins, foreign = self.parts[-1].run(None, given)
        return margins, FOREIGN if foreign.max() >= self.made.foreign else READ

    def is_cipher(self, passage: str) -> bool:
        """Whether the vocabulary can tell that a passage is in no language."""
        return isinstance(self.pieces, Unigram) and self.pieces.is_cipher(passage)

    def _read(self, passage: str) -> npt.NDArray[np.int64]:
        margins, how = self.margins(passage)
        if how == READ and self._beside and self._beside.is_cipher(passage):
            how = CIPHER
        if margins is None:
            return np.append(np.zeros(len(self.names), np.int64), how)
        threshold, together = self.made.threshold, self.made.together
        if how == READ and self._beside and together is not None and doubtful(margins, threshold):
            others, theirs = self._beside.margins(passage, to_end=True)
            if theirs == READ:
                margins, threshold = (margins + others) / 2, together
        return np.append(shares(margins, threshold, self.made.shown, self.made.wide), how)


def shown(pieces: Pieces, passage: str) -> dict[str, npt.NDArray[Any]]:
    """What the encoder is given of a passage."""
    numbers = [pieces.first, *pieces(passage)[:PIECES], pieces.last]
    return {"pieces": np.array([numbers], dtype=np.int64)}


def load(folder: Traversable, beside: Encoder | None = None) -> Encoder:
    """The encoder of a folder. beside: as of an `Encoder`. Raises StartError when a file is missing or another."""
    try:
        written = (folder / "manifest.json").read_bytes()
        manifest = Manifest.model_validate_json(written)
        data = {name: (folder / name).read_bytes() for name in (*manifest.parts, VOCABULARY)}
    except (OSError, ValidationError):
        raise StartError("the learned detector can't be read; reinstall the package") from None
    for name, content in data.items():
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise StartError(f"the learned detector: {name} is not the file of the manifest; reinstall the package")
    return Encoder(manifest, data, hashlib.sha256(written).hexdigest(), beside)


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
