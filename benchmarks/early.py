"""How far the learned detector reads passages that it has not learned from, and what it misses by not going on."""

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
"""Characters, of a text that is hardly more than a sentence."""
SEED = 1


def measure() -> list[Figure]:
    """The share of passages that the last part of the encoder reads, and what is refused when it reads all of them."""
    texts = read(Path("detectors/independent"))
    restricted, ordinary = [text for text in texts if text.labels], [text for text in texts if text.ordinary]
    stops, whole = load(), load()
    whole.parts[:-1] = map(_going_on, whole.parts[:-1])
    return [
        _missed("restricted texts", whole, stops, restricted),
        _missed("restricted sentences between ordinary texts", whole, stops, _between(restricted, ordinary)),
        *_read_on(stops, {"ordinary texts": ordinary, "texts near the line": [text for text in texts if text.hard]}),
    ]


def _between(restricted: Sequence[Text], ordinary: Sequence[Text]) -> list[Text]:
    """The shorter ones of the restricted texts, each with an ordinary one before it and one after it."""
    chance = random.Random(SEED)  # noqa: S311 - which texts stand together is no secret

    def among(text: str) -> str:
        return f"{chance.choice(ordinary).text} {text} {chance.choice(ordinary).text}"

    return [text.model_copy(update={"text": among(text.text)}) for text in restricted if len(text.text) < SHORT]


def _missed(of: str, whole: Learned, stops: Learned, texts: Sequence[Text]) -> Figure:
    """How many are refused when all is read, and not by the detector as it is."""
    wholly = _refused(whole, texts)
    missed = len(wholly - _refused(stops, texts))
    return Figure(f"missed by not reading on, of {len(wholly)} {of}", "", missed, None, "", None)


def _refused(detector: Learned, texts: Sequence[Text]) -> set[str]:
    """The texts that it refuses, for what they want or as another language."""
    found = set()
    for text in texts:
        scores, known = detector.score(text.text)
        if not known or max(scores.values()) >= REFUSED:
            found.add(text.id)
    return found


def _read_on(detector: Learned, kinds: Mapping[str, Sequence[Text]]) -> list[Figure]:
    """Of the passages of each kind of texts, those that the last part reads."""
    asked: Counter[int] = Counter()

    def counted(number: int, part: Any) -> Any:
        return SimpleNamespace(run=lambda *given: asked.update([number]) or part.run(*given))

    detector.parts = [*starmap(counted, enumerate(detector.parts))]
    figures = []
    for kind, texts in kinds.items():
        asked.clear()
        _refused(detector, texts)
        share = 100 * asked[len(detector.parts) - 1] / asked[0]
        figures.append(Figure(f"passages read to the end, of {kind}", "%", share, None, "", None))
    return figures


def _going_on(part: Any) -> Any:
    """A part of the encoder that never says that a passage is nothing."""

    def run(*given: Any) -> tuple[Any, Any]:
        seen, margins = part.run(*given)
        return seen, 0 * margins

    return SimpleNamespace(run=run)
