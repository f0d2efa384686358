"""Makes the learned detector of the corpus, into gateway/assets/learned. `make train-detectors` runs it.

1 the pretrained encoder is read
2 it is tuned on the largest group of texts that are linked by style or topic, and written with eight bits a weight
3 it reads, as the gateway will, the texts of the training and validation splits that are linked to none of those; the
threshold is the lowest at which it refuses at most 2 % of hard negatives, and 0.5 % of ordinary ones or one
4 it is tuned again, on all texts of both splits: this is the detector, with that threshold

Both are tuned side by side, each in a process of one thread: neither needs the other. The test split is not looked at
here. Texts in scripts that the gateway can't read are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from detectors.corpus import CATEGORIES, CORPUS
from detectors.learned import pretrained
from detectors.learned.batches import LENGTH, bare, disturbed, packed
from detectors.learned.exporting import exported
from detectors.learned.tuning import Tuned
from gateway.measuring.corpus import Text, groups, read, split
from gateway.signals.learned import Learned, Manifest, passages, worded
from gateway.signals.pieces import Pieces
from gateway.signals.script import form

OUT: Final = Path(__file__).parents[2] / "gateway" / "assets" / "learned"
LANGUAGES: Final = frozenset({"en", "es", "de", "fr", "pt", "tr", "id", "it", "pl"})
EPOCHS: Final = 5
SEED: Final = 1
HARD: Final = 1.5
"""How much more a hard negative counts."""
HARD_SHARE: Final = 0.02
ORDINARY_SHARE: Final = 0.005
SHOWN: Final = 0.0
WIDE: Final = 4.0

Numbers = npt.NDArray[Any]


def main() -> None:
    """Train, and write the files and what they reach on what they were tuned on."""
    parser = argparse.ArgumentParser(description="Make the learned detector of the corpus.")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="the folder to write to (default: gateway/assets/learned)"
    )
    out: Path = parser.parse_args().out
    texts, apart = _texts()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as two:
        tried, whole = two.submit(made, texts), two.submit(made, texts + apart)  # 2 and 4
        threshold = _tried(tried.result(), texts, apart)  # 3
        _write(out, whole.result(), threshold)


def made(of: list[Text]) -> dict[str, bytes]:
    """The files of a detector that is tuned on these texts."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    vocabulary, numbers = pretrained.read()  # 1
    data = "\n".join(vocabulary).encode() + b"\n"
    return {"vocabulary.txt": data, "encoder.onnx": exported(numbers["table"], tune(of, numbers, Pieces(data)))}


def _tried(trial: dict[str, bytes], texts: list[Text], apart: list[Text]) -> float:
    """The threshold, by texts apart from those that the trial was tuned on; and what is over it."""
    reader = Learned(_manifest(trial, 0.0), trial, "")
    margins = np.array([np.max(reader.margins(passages(worded(form(bare(text.text)))))[:, -1]) for text in apart])
    threshold = _threshold(margins, apart)
    found = margins[[bool(text.labels) and text.lang == "en" for text in apart]] >= threshold
    print(f"threshold {threshold:.3f}, by {len(apart)} texts apart from {len(texts)}", flush=True)
    print(f"there {found.mean():.3f} of the restricted English texts are over it", flush=True)
    return threshold


def _write(out: Path, data: dict[str, bytes], threshold: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = json.dumps(_manifest(data, threshold).model_dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    for name, content in {**data, "manifest.json": written}.items():
        (out / name).write_bytes(content)


def _texts() -> tuple[list[Text], list[Text]]:
    """Those to learn from, and those apart from them to choose the threshold by."""
    whole = read(CORPUS)
    group = dict(zip([text.id for text in whole], groups(whole), strict=True))
    parts = split(whole)
    used = [text for text in parts["train"] + parts["validation"] if text.lang in LANGUAGES]
    return [text for text in used if not group[text.id]], [text for text in used if group[text.id]]


def tune(texts: list[Text], numbers: pretrained.Numbers, pieces: Pieces) -> pretrained.Numbers:
    """The numbers of the encoder after all epochs: each text disturbed anew, all in another order."""
    chance = np.random.default_rng(SEED)
    wanted = np.array([[name in t.labels for name in CATEGORIES] + [bool(t.labels)] for t in texts], np.float32)
    counts = np.array([HARD if text.hard else 1.0 for text in texts], np.float32)
    ordinary = [bare(text.text) for text in texts if _ordinary(text)]
    encoder = Tuned(numbers, wanted.shape[1], chance)
    steps = 0
    for epoch in range(EPOCHS):
        shown = [_cut(pieces, worded(form(disturbed(text.text, ordinary, chance)))) for text in texts]
        batches = packed(shown, chance.permutation(len(texts)))
        steps = steps or EPOCHS * len(batches)
        losses = [encoder.step(batch, wanted[batch.texts], counts[batch.texts], steps) for batch in batches]
        print(f"{len(texts)} texts, epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}", flush=True)
    return encoder.settle()


def _cut(pieces: Pieces, text: str) -> list[int]:
    return [pieces.first, *pieces(text)[: LENGTH - 2], pieces.last]


def _ordinary(text: Text) -> bool:
    return not text.labels and not text.hard


def _threshold(margins: Numbers, texts: list[Text]) -> float:
    """On English, which the gateway reads; one text more may be refused where the share is less than one."""
    english = np.array([text.lang == "en" for text in texts])
    lowest = -np.inf
    for kind, share in (([text.hard for text in texts], HARD_SHARE), ([_ordinary(t) for t in texts], ORDINARY_SHARE)):
        those = margins[np.array(kind) & english]
        lowest = max(lowest, float(np.sort(those)[-1 - max(1, int(len(those) * share))]))
    return round(lowest + 0.001, 3)


def _manifest(data: dict[str, bytes], threshold: float) -> Manifest:
    return Manifest(
        format=2,
        categories=list(CATEGORIES),
        files={name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
        languages=sorted(LANGUAGES),
        threshold=threshold,
        shown=SHOWN,
        wide=WIDE,
        origin=f"all-MiniLM-L6-v2, Apache-2.0, from {pretrained.PACKAGE}; {_corpus()}",
    )


def _corpus() -> str:
    """Which corpus it was made of: as it grows, a detector may be older than it."""
    data = b"".join(file.read_bytes() for file in sorted(CORPUS.glob("*.jsonl")))
    lines = data.count(b"\n")
    return f"detectors/corpus, {lines} lines, sha256 of its files {hashlib.sha256(data).hexdigest()}"


if __name__ == "__main__":
    main()
