"""Makes the learned detector of texts, into gateway/assets/learned. `make train-detectors` runs it.

1 the pretrained encoder is read
2 it is tuned on the texts of the corpus's training and validation splits, and written with eight bits a weight
3 it reads, as the gateway will, the texts of detectors/apart, whose writers it has not seen
4 its last layer is tuned again on these; the threshold is the lowest at which, by layers that are each tuned without
  one writer, at most 2 % of the writers' hard negatives are refused, and 0.5 % of their ordinary texts or one

Neither the test split nor detectors/independent is looked at. Texts in scripts that the gateway can't read are left
out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from detectors.corpus import APART, CATEGORIES, CORPUS
from detectors.learned import last, pretrained
from detectors.learned.batches import LENGTH, bare, disturbed, packed
from detectors.learned.exporting import GIVEN, exported, giving, last_of, with_last
from detectors.learned.tuning import ANY, Tuned
from gateway.measuring.corpus import Text, read, split
from gateway.signals.learned import Manifest, passages, session, shown, worded
from gateway.signals.pieces import Pieces
from gateway.signals.script import form

OUT: Final = Path(__file__).parents[2] / "gateway" / "assets" / "learned"
ENCODER: Final = "encoder.onnx"
PIECES: Final = "vocabulary.txt"
FILES: Final = (PIECES, ENCODER)
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
    """Train, write the files, and print what they reach on texts of writers apart."""
    parser = argparse.ArgumentParser(description="Make the learned detector.")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="the folder to write to (default: gateway/assets/learned)"
    )
    parser.add_argument("--last", action="store_true", help="tune the last layer alone, of the encoder that is there")
    given = parser.parse_args()
    out: Path = given.out
    data = {name: (out / name).read_bytes() for name in FILES} if given.last else made(_texts())
    apart = read(APART)
    data[ENCODER], margins = _settled(data, apart)
    threshold = _threshold(margins, apart)
    found = margins[[bool(text.labels) for text in apart]] >= threshold
    print(f"threshold {threshold:.3f}: over it {found.mean():.3f} of {len(found)} restricted texts of writers apart")
    _write(out, data, threshold)


def made(of: list[Text]) -> dict[str, bytes]:
    """The files of a detector that is tuned on these texts."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    vocabulary, numbers = pretrained.read()  # 1
    data = "\n".join(vocabulary).encode() + b"\n"
    return {PIECES: data, ENCODER: exported(numbers["table"], tune(of, numbers, Pieces(data)))}  # 2


def _settled(data: dict[str, bytes], apart: list[Text]) -> tuple[bytes, Numbers]:
    """The encoder with its last layer tuned on these texts, and the margin of each by one without its writer's."""
    encoder, pieces = session(giving(data[ENCODER])), Pieces(data[PIECES])
    start = last.Layer(*last_of(data[ENCODER]))

    def rows(text: Text) -> Numbers:
        found = passages(worded(form(bare(text.text))))
        numbers = [encoder.run([GIVEN], shown(pieces, passage))[0][0] for passage in found]
        return np.array(numbers, dtype=np.float64).reshape(len(found), -1)

    seen = [last.Seen(rows(text), _wanted(text), text.id.partition("-")[0]) for text in apart]  # 3
    layer = last.tuned(start, seen, ANY)  # 4
    return with_last(data[ENCODER], layer.weights, layer.bias), last.elsewhere(start, seen, ANY)


def _wanted(text: Text) -> Numbers:
    return np.array([name in text.labels for name in CATEGORIES] + [bool(text.labels)], np.float64)


def _write(out: Path, data: dict[str, bytes], threshold: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = json.dumps(_manifest(data, threshold).model_dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    for name, content in {**data, "manifest.json": written}.items():
        (out / name).write_bytes(content)


def _texts() -> list[Text]:
    parts = split(read(CORPUS))
    return [text for text in parts["train"] + parts["validation"] if text.lang in LANGUAGES]


def tune(texts: list[Text], numbers: pretrained.Numbers, pieces: Pieces) -> pretrained.Numbers:
    """The numbers of the encoder after all epochs: each text disturbed anew, all in another order."""
    chance = np.random.default_rng(SEED)
    wanted = np.array([_wanted(text) for text in texts], np.float32)
    counts = np.array([HARD if text.hard else 1.0 for text in texts], np.float32)
    ordinary = [bare(text.text) for text in texts if _ordinary(text)]
    encoder = Tuned(numbers, wanted.shape[1], chance)
    steps = 0
    for epoch in range(EPOCHS):
        rows = [_cut(pieces, worded(form(disturbed(text.text, ordinary, chance)))) for text in texts]
        batches = packed(rows, chance.permutation(len(texts)))
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
        origin=f"all-MiniLM-L6-v2, Apache-2.0, from {pretrained.PACKAGE}; {_of(CORPUS)}; last layer: {_of(APART)}",
    )


def _of(folder: Path) -> str:
    """Which texts it was made of: as they grow, a detector may be older than they."""
    data = b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl")))
    lines = data.count(b"\n")
    return f"detectors/{folder.name}, {lines} lines, sha256 of its files {hashlib.sha256(data).hexdigest()}"


if __name__ == "__main__":
    main()
