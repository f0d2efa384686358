"""How far the learned detector reads passages that it was not trained on, and what it misses by stopping early."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.figures import Figure
from benchmarks.foreign import REFUSED
from gateway.measuring.corpus import Text, read
from gateway.signals.learned import Learned, load

SHORT = 160
"""In characters: the length of a text of about a sentence."""
SEED = 1


def measure() -> list[Figure]:
    """The share of passages that the encoder's last part reads, and what only a full reading refuses."""
    texts = read(Path("detectors/independent"))
    restricted, ordinary = [text for text in texts if text.labels], [text for text in texts if text.ordinary]
    stops, whole = load(languages=None), load(languages=None)
    whole.english.parts[:-1] = map(_going_on, whole.english.parts[:-1])
    return [
        _missed("restricted texts", whole, stops, restricted),
        _missed("restricted sentences between ordinary texts", whole, stops, _between(restricted, ordinary)),
        *_read_on(stops, {"ordinary texts": ordinary, "texts near the line": [text for text in texts if text.hard]}),
    ]


def _between(restricted: Sequence[Text], ordinary: Sequence[Text]) -> list[Text]:
    """The shorter restricted texts, each between two ordinary texts."""
    chance = random.Random(SEED)  # noqa: S311 - which texts stand together is no secret

    def among(text: str) -> str:
        return f"{chance.choice(ordinary).text} {text} {chance.choice(ordinary).text}"

    return [text.model_copy(update={"text": among(text.text)}) for text in restricted if len(text.text) < SHORT]


def _missed(of: str, whole: Learned, stops: Learned, texts: Sequence[Text]) -> Figure:
    """How many texts are refused by a full reading, but not by the detector as it is."""
    wholly = _refused(whole, texts)
    missed = len(wholly - _refused(stops, texts))
    return Figure(f"missed by not reading on, of {len(wholly)} {of}", "", missed, None, "", None)


def _refused(detector: Learned, texts: Sequence[Text]) -> set[str]:
    """The texts that the detector refuses, for a category or as another language."""
    found = set()
    for text in texts:
        scores, known = detector.score(text.text)
        if not known or max(scores.values()) >= REFUSED:
            found.add(text.id)
    return found


def _read_on(detector: Learned, kinds: Mapping[str, Sequence[Text]]) -> list[Figure]:
    """The share of passages of each kind of text that the last part reads."""
    asked: Counter[int] = Counter()

    def counted(number: int, part: Any) -> Any:
        return SimpleNamespace(run=lambda *given: asked.update([number]) or part.run(*given))

    parts = detector.english.parts
    detector.english.parts = [*starmap(counted, enumerate(parts))]
    figures = []
    for kind, texts in kinds.items():
        asked.clear()
        _refused(detector, texts)
        share = 100 * asked[len(parts) - 1] / asked[0]
        figures.append(Figure(f"passages read to the end, of {kind}", "%", share, None, "", None))
    return figures


def _going_on(part: Any) -> Any:
    """A part of the encoder that never stops early."""

    def run(*given: Any) -> tuple[Any, Any]:
        seen, margins = part.run(*given)
        return seen, 0 * margins

    return SimpleNamespace(run=run)
