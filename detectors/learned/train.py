"""Makes the learned detector of texts, into gateway/assets/learned. `make train-detectors` runs it.

1 the pretrained encoder is read
2 it is tuned on the texts of the corpus's training and validation splits, and written with eight bits a weight
3 its last layers and the thresholds are settled by detectors/apart, whose writers it has not seen (settling.py)

Neither the test split nor detectors/independent is looked at. Texts in scripts that the gateway can't read are left
out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from detectors.corpus import APART, CATEGORIES, CORPUS
from detectors.learned import pretrained
from detectors.learned.batches import LENGTH, bare, disturbed, packed
from detectors.learned.exporting import PARTS, exported
from detectors.learned.settling import WIDE, Settled, settled, wanted
from detectors.learned.tuning import Tuned
from gateway.measuring.corpus import Text, read, split
from gateway.signals.learned import Manifest, worded
from gateway.signals.script import form
from gateway.signals.wordpiece import WordPiece

OUT: Final = Path(__file__).parents[2] / "gateway" / "assets" / "learned"
PIECES: Final = "vocabulary.txt"
LANGUAGES: Final = frozenset({"en", "es", "de", "fr", "pt", "tr", "id", "it", "pl"})
EPOCHS: Final = 5
SEED: Final = 1
HARD: Final = 1.5
"""How much more a hard negative counts."""
SHOWN: Final = 0.0


def main() -> None:
    """Train, write the files, and print what they reach on texts of writers apart."""
    parser = argparse.ArgumentParser(description="Make the learned detector.")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="the folder to write to (default: gateway/assets/learned)"
    )
    parser.add_argument("--last", action="store_true", help="the last layers alone, of the encoder that is there")
    given = parser.parse_args()
    out: Path = given.out
    texts = _texts()
    data = {name: (out / name).read_bytes() for name in (PIECES, *PARTS)} if given.last else made(texts)
    found = settled({name: data[name] for name in PARTS}, WordPiece(data[PIECES]), read(APART), texts)  # 3
    print(f"threshold {found.threshold}: over it {found.restricted:.3f} of the restricted texts of writers apart")
    print(f"threshold {found.foreign}: over it {found.elsewhere:.3f} of the texts in other languages")
    for name, share in found.left.items():
        print(f"{name}: leaves {share:.3f} of the passages apart that are nothing")
    _write(out, {**data, **found.encoder}, found)


def made(of: list[Text]) -> dict[str, bytes]:
    """The files of a detector that is tuned on these texts."""
    tf.config.threading.set_inter_op_parallelism_threads(1)  # one step after the other; a product may use every core
    vocabulary, numbers = pretrained.read()  # 1
    data = "\n".join(vocabulary).encode() + b"\n"
    return {PIECES: data, **exported(numbers["table"], tune(of, numbers, WordPiece(data)))}  # 2


def _write(out: Path, data: dict[str, bytes], found: Settled) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = json.dumps(_manifest(data, found).model_dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    for name, content in {**data, "manifest.json": written}.items():
        (out / name).write_bytes(content)


def _texts() -> list[Text]:
    parts = split(read(CORPUS))
    return [text for text in parts["train"] + parts["validation"] if text.lang in LANGUAGES]


def tune(texts: list[Text], numbers: pretrained.Numbers, pieces: WordPiece) -> pretrained.Numbers:
    """The numbers of the encoder after all epochs: each text disturbed anew, all in another order."""
    chance = np.random.default_rng(SEED)
    labels = np.array([wanted(text) for text in texts], np.float32)
    counts = np.array([HARD if text.hard else 1.0 for text in texts], np.float32)
    harmless = [bare(text.text) for text in texts if text.ordinary]
    encoder = Tuned(numbers, labels.shape[1], chance)
    steps = 0
    for epoch in range(EPOCHS):
        rows = [_cut(pieces, worded(form(disturbed(text.text, harmless, chance)))) for text in texts]
        batches = packed(rows, chance.permutation(len(texts)))
        steps = steps or EPOCHS * len(batches)
        losses = [encoder.step(batch, labels[batch.texts], counts[batch.texts], steps) for batch in batches]
        print(f"{len(texts)} texts, epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}", flush=True)
    return encoder.settle()


def _cut(pieces: WordPiece, text: str) -> list[int]:
    return [pieces.first, *pieces(text)[: LENGTH - 2], pieces.last]


def _manifest(data: dict[str, bytes], found: Settled) -> Manifest:
    return Manifest(
        format=4,
        categories=list(CATEGORIES),
        files={name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
        threshold=found.threshold,
        shown=SHOWN,
        wide=WIDE,
        foreign=found.foreign,
        parts=list(PARTS),
        origin=f"all-MiniLM-L6-v2, Apache-2.0, from {pretrained.PACKAGE}; {_of(CORPUS)}; last layers: {_of(APART)}",
    )


def _of(folder: Path) -> str:
    """Which texts it was made of: as they grow, a detector may be older than they."""
    data = b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl")))
    lines = data.count(b"\n")
    return f"detectors/{folder.name}, {lines} lines, sha256 of its files {hashlib.sha256(data).hexdigest()}"


if __name__ == "__main__":
    main()
