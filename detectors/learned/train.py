"""Makes the encoders of the learned detector, into gateway/assets. `make train-detectors` runs it for each.

1. The pretrained encoder is read.
2. It is tuned on texts of the corpus's training and validation splits, and written with eight bits a weight.
3. Its last layers and thresholds are settled by texts of writers whom it has not seen (settling.py).

Both are tuned on detectors/apart, too. The encoder for English takes of the corpus the texts in Latin letters, and is
settled by the English ones of detectors/settling, with the other encoder beside it. The encoder for other languages
takes the texts in all languages and detectors/multilingual, and is settled by the others of detectors/settling. Neither
looks at the test split, detectors/independent or detectors/languages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from detectors.corpus import APART, CATEGORIES, CORPUS, MULTILINGUAL, SETTLING
from detectors.learned import multilingual, pretrained, together
from detectors.learned.batches import LENGTH, bare, disturbed, packed
from detectors.learned.exporting import exported, parts
from detectors.learned.garbling import garbled
from detectors.learned.pretrained import Pretrained
from detectors.learned.reading import cut, reader
from detectors.learned.settling import WIDE, Sets, Settled, settled, wanted
from detectors.learned.tuning import Tuned
from gateway.measuring.corpus import Text, read, split
from gateway.signals.encoder import VOCABULARY, Manifest, Pieces, load
from gateway.signals.learned import FOLDER, LANGUAGES, worded
from gateway.signals.normalise import normalise
from gateway.signals.script import native
from gateway.signals.unigram import Unigram
from gateway.signals.wordpiece import WordPiece

LATIN: Final = frozenset({"en", "es", "de", "fr", "pt", "tr", "id", "it", "pl"})
SEED: Final = 1
HARD: Final = 1.5
"""How much more a hard negative counts."""
SHOWN: Final = 0.0
GARBLED: Final = 10
"""Every text of so many is garbled, to be known as unreadable."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one of the encoders is made.

    form: in which it reads. texts: to tune on, of these folders, and `often`, those that an epoch has once more.
    sets: to settle by.
    """

    out: Path
    pretrained: Callable[[], Pretrained]
    form: Callable[[str], str]
    epochs: int
    folders: tuple[Path, ...]
    texts: list[Text]
    often: Callable[[Text], bool]
    sets: Sets


def main() -> None:
    """Train, write the files, and print what they reach on texts of writers apart."""
    parser = argparse.ArgumentParser(description="Make an encoder of the learned detector.")
    parser.add_argument("--languages", action="store_true", help="the one for other languages than English")
    parser.add_argument("--out", type=Path, help="the folder to write to (default: that in gateway/assets)")
    parser.add_argument("--last", action="store_true", help="the last layers alone, of the encoder that is there")
    given = parser.parse_args()
    plan = _languages() if given.languages else _english()
    out: Path = given.out or plan.out
    of = plan.pretrained()  # 1
    encoder = {name: (out / name).read_bytes() for name in parts(of.layers)} if given.last else tuned(plan, of)
    found = settled(encoder, reader(encoder, _pieces(of), plan.form), plan.sets)  # 3
    print(f"threshold {found.threshold}: over it {found.restricted:.3f} of the restricted texts of writers apart")
    if found.together is not None:
        print(f"threshold {found.together} of both encoders: over it {found.over:.3f} of those restricted texts")
    print(f"threshold {found.foreign}: over it {found.elsewhere:.3f} of the texts that can't be read")
    for name, share in found.left.items():
        print(f"{name}: leaves {share:.3f} of the passages apart that are nothing")
    _write(out, plan, of, {VOCABULARY: of.vocabulary, **found.encoder}, found)


def _english() -> Plan:
    texts = [text for text in _tuned_on() if text.lang in LATIN]
    english = [text for text in texts if text.lang == "en"]
    others = [text for text in texts if text.lang != "en"]
    beside = together.asked(load(LANGUAGES), lambda text: cut(text, normalise))
    settling = [text for text in read(SETTLING) if text.lang == "en"]
    sets = Sets(settling, english, others, lambda text: text.id.partition("-")[0], beside)
    return Plan(Path(str(FOLDER)), pretrained.read, normalise, 5, (CORPUS, APART), texts, lambda _: False, sets)


def _languages() -> Plan:
    texts = _tuned_on() + read(MULTILINGUAL)
    others = [text for text in texts if text.lang != "en"]
    unreadable = garbled([*others, *texts[::GARBLED]], np.random.default_rng(SEED))
    settling = [text for text in read(SETTLING) if text.lang != "en"]
    sets = Sets(settling, others, unreadable, lambda text: text.lang)
    folders = CORPUS, APART, MULTILINGUAL
    return Plan(
        Path(str(LANGUAGES)), multilingual.read, native, 3, folders, texts, lambda text: text.lang != "en", sets
    )


def _tuned_on() -> list[Text]:
    splits = split(read(CORPUS))
    return splits["train"] + splits["validation"] + read(APART)


def _pieces(of: Pretrained) -> Pieces:
    return Unigram(of.vocabulary) if of.pieces == "unigram" else WordPiece(of.vocabulary)


def tuned(plan: Plan, of: Pretrained) -> dict[str, bytes]:
    """The parts of the encoder after all epochs: each text disturbed anew, all in another order."""  # 2
    tf.config.threading.set_inter_op_parallelism_threads(1)  # one step after the other; a product may use every core
    texts, pieces, chance = plan.texts, _pieces(of), np.random.default_rng(SEED)
    labels = np.array([wanted(text) for text in texts], np.float32)
    counts = np.array([HARD if text.hard else 1.0 for text in texts], np.float32)
    harmless = [bare(text.text) for text in texts if text.ordinary]
    shown = [*range(len(texts)), *(n for n, text in enumerate(texts) if plan.often(text))]
    encoder, steps = Tuned(of, labels.shape[1], chance), 0
    for epoch in range(plan.epochs):
        rows = [_cut(pieces, worded(plan.form(disturbed(text.text, harmless, chance)))) for text in texts]
        batches = packed(rows, chance.permutation(shown))
        steps = steps or plan.epochs * len(batches)
        losses = [encoder.step(batch, labels[batch.texts], counts[batch.texts], steps) for batch in batches]
        print(f"{len(texts)} texts, epoch {epoch + 1} of {plan.epochs}: loss {np.mean(losses):.3f}", flush=True)
    return exported(of, encoder.settle())


def _write(out: Path, plan: Plan, of: Pretrained, data: dict[str, bytes], found: Settled) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = json.dumps(_manifest(plan, of, data, found).model_dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    for name, content in {**data, "manifest.json": written}.items():
        (out / name).write_bytes(content)


def _cut(pieces: Pieces, text: str) -> list[int]:
    return [pieces.first, *pieces(text)[: LENGTH - 2], pieces.last]


def _manifest(plan: Plan, of: Pretrained, data: dict[str, bytes], found: Settled) -> Manifest:
    return Manifest(
        format=5,
        categories=list(CATEGORIES),
        files={name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
        threshold=found.threshold,
        together=found.together,
        shown=SHOWN,
        wide=WIDE,
        foreign=found.foreign,
        parts=list(parts(of.layers)),
        pieces=of.pieces,
        origin=f"{of.origin}; {', '.join(map(_of, plan.folders))}; last layers: {_of(SETTLING)}",
    )


def _of(folder: Path) -> str:
    """Which texts it was made of: as they grow, a detector may be older than they."""
    data = b"".join(file.read_bytes() for file in sorted(folder.glob("*.jsonl")))
    lines = data.count(b"\n")
    return f"detectors/{folder.name}, {lines} lines, sha256 of its files {hashlib.sha256(data).hexdigest()}"


if __name__ == "__main__":
    main()
