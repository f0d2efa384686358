"""Makes the learned detector of the corpus, into gateway/assets/learned. `make train-detectors` runs it.

1 the pretrained encoder is cut     2 each text of the training and validation splits becomes features and a direction
3 one kernel ridge regression of all categories, and of any, on both likenesses; solved exactly, so nothing is random
4 the threshold: the lowest at which at most 2 % of hard negatives and 0.5 % of ordinary texts are refused, among texts
that share neither style nor topic with the others, an eighth of them judged at a time as if it had not been there
(which the inverse gives without training again)

The test split is not looked at here.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import zipfile
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from detectors.corpus import CATEGORIES, CORPUS
from detectors.learned import pretrained
from gateway.measuring.corpus import Text, groups, read, split
from gateway.signals import Detectors
from gateway.signals.features import BITS, features
from gateway.signals.learned import Manifest, passages
from gateway.signals.script import form
from gateway.signals.sentences import Sentences

OUT: Final = Path(__file__).parents[2] / "gateway" / "assets" / "learned"
SHARP: Final = 4.0
RIDGE: Final = 0.1
ORDINARY: Final = 3.0
"""How much more an ordinary text counts: there are few in the corpus, and nearly all are in use."""
HARD_SHARE: Final = 0.02
ORDINARY_SHARE: Final = 0.005
FOLDS: Final = 8
SHOWN: Final = -0.4
WIDE: Final = 0.5
_PLACEHOLDER: Final = re.compile(r"\[[A-Z][A-Z _-]*\]")

Numbers = npt.NDArray[Any]


def main() -> None:
    """Train, and write the files and what they reach on what they were tuned on."""
    parser = argparse.ArgumentParser(description="Make the learned detector of the corpus.")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="the folder to write to (default: gateway/assets/learned)"
    )
    out: Path = parser.parse_args().out
    tokenizer, numbers = pretrained.read()  # 1
    parts = split(read(CORPUS))
    texts = parts["train"] + parts["validation"]
    plain = [passages(form(bare(text.text)))[0] for text in texts]
    directions = Sentences(tokenizer, numbers).directions(plain).astype(np.float16).astype(np.float32)  # 2
    common, rows = _rows(plain)
    kernel = np.exp(np.float32(SHARP) * (directions @ directions.T - 1))  # 3
    kernel += (rows @ rows.T).toarray()
    targets = (
        np.array([[name in t.labels for name in CATEGORIES] + [bool(t.labels)] for t in texts]) * np.float32(2) - 1
    )
    kernel[np.diag_indices(len(texts))] += RIDGE / np.where([_ordinary(t) for t in texts], ORDINARY, 1)
    inverse = _inverse(kernel)
    weights = inverse @ targets
    judged, alone = _left_out(inverse, weights, targets, texts)  # 4
    apart = [texts[place] for place in judged]
    threshold = _threshold(alone[:, -1], apart)
    detector: pretrained.Numbers = {
        "common": common.astype(np.float16),
        "runs": np.asarray(rows.T @ weights).astype(np.float16),
        "examples": directions.astype(np.float16),
        "weights": weights.astype(np.float32),
    }
    _write(out, tokenizer, numbers, detector, threshold)
    restricted = alone[[bool(text.labels) for text in apart], -1]
    print(f"made of {len(texts)} texts; threshold {threshold:.3f}, tuned on {len(apart)} of them")
    print(f"there {np.mean(restricted >= threshold):.3f} of the restricted texts are over it")


def _inverse(kernel: Numbers) -> Numbers:
    """Of a symmetric matrix, by its Cholesky factor: a third of the work, and the lower half is copied."""
    half: Numbers
    factor, _ = scipy.linalg.lapack.spotrf(kernel, lower=1, overwrite_a=1)
    half, _ = scipy.linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    lower = np.tril(half)
    whole: Numbers = lower + np.tril(lower, -1).T
    return whole


def bare(text: str) -> str:
    """A text without its placeholders, which would be learnt as a sign."""
    return _PLACEHOLDER.sub(" ", text)


def _ordinary(text: Text) -> bool:
    return not text.labels and not text.hard


def _rows(plain: list[str]) -> tuple[Numbers, Any]:
    """How much each feature says, and the texts as rows of length one. A feature of one text says nothing."""
    found = [features(text) for text in plain]
    texts = np.repeat(np.arange(len(found)), [len(numbers) for numbers, _ in found])
    counts = np.concatenate([counts for _, counts in found])
    rows = scipy.sparse.csr_matrix(
        (counts, (texts, np.concatenate([numbers for numbers, _ in found]))),
        shape=(len(found), 1 << BITS),
        dtype=np.float32,
    )
    having = np.asarray((rows > 0).sum(axis=0)).ravel()
    common = np.where(having >= 2, np.log((1 + len(found)) / (1 + having)) + 1, 0).astype(np.float16).astype(np.float32)
    rows = rows.multiply(common).tocsr()
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return common, scipy.sparse.diags(1 / np.where(lengths, lengths, 1)) @ rows


def _left_out(inverse: Numbers, weights: Numbers, targets: Numbers, texts: list[Text]) -> tuple[list[int], Numbers]:
    """Texts outside the largest group, and what the regression would say of each without its eighth of the groups."""
    folds = defaultdict(list)
    for place, group in enumerate(groups(texts)):
        if group:
            folds[hashlib.sha256(group.encode()).digest()[1] % FOLDS].append(place)
    said = targets.copy()
    for places in folds.values():
        said[places] -= np.linalg.solve(inverse[np.ix_(places, places)], weights[places])
    judged = sorted(place for places in folds.values() for place in places)
    return judged, said[judged]


def _threshold(margins: Numbers, texts: list[Text]) -> float:
    """For both detectors together, on English, which the gateway reads: the lexical one has its share already."""
    refused = asyncio.run(_lexical(texts))
    english = np.array([text.lang == "en" for text in texts])
    lowest = 0.0
    for kind, share in (([text.hard for text in texts], HARD_SHARE), ([_ordinary(t) for t in texts], ORDINARY_SHARE)):
        those = np.array(kind) & english
        left = max(0, int(np.ceil(those.sum() * share)) - int((those & refused).sum()))  # at least one text, if few
        lowest = max(lowest, float(np.sort(margins[those & ~refused])[-1 - left]))
    return round(lowest + 0.001, 3)


async def _lexical(texts: list[Text]) -> Numbers:
    detectors = Detectors(learned=None)
    readings = [await detectors.read([bare(text.text)]) for text in texts]
    return np.array([any((r.score or 0) >= 500 for r in said) for said in readings])


def _write(
    out: Path, tokenizer: bytes, numbers: pretrained.Numbers, detector: pretrained.Numbers, threshold: float
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    data = {"tokenizer.model": tokenizer, "encoder.npz": _packed(numbers), "detector.npz": _packed(detector)}
    manifest = Manifest(
        format=1,
        categories=list(CATEGORIES),
        files={name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
        languages=sorted({text.lang for text in read(CORPUS)}),
        sharp=SHARP,
        threshold=threshold,
        shown=SHOWN,
        wide=WIDE,
        origin=f"Universal Sentence Encoder multilingual 3, Apache-2.0, from {pretrained.PACKAGE}; detectors/corpus",
    )
    for name, content in {**data, "manifest.json": _written(manifest)}.items():
        (out / name).write_bytes(content)


def _packed(numbers: pretrained.Numbers) -> bytes:
    """Arrays as .npz, the same bytes each time."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(numbers):
            array = BytesIO()
            np.save(array, numbers[name], allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), array.getvalue(), zipfile.ZIP_DEFLATED, 6)
    return packed.getvalue()


def _written(manifest: Manifest) -> bytes:
    return json.dumps(manifest.model_dump(), indent=2, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    main()
