"""How far the learned detector reads passages that it has not learned from, and what it misses by not going on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.figures import Figure
from gateway.measuring.corpus import Text, read
from gateway.signals.learned import Learned, load

REFUSED = 500
SHORT = 160
"""Characters, of a text that is hardly more than a sentence."""
SEED = 1


def measure() -> list[Figure]:
    """The share of passages that the last part of the encoder reads, and what is refused when it reads all of them."""
    texts = read(Path("detectors/independent"))
    restricted = [text for text in texts if text.labels]
    ordinary = [text for text in texts if not text.labels and not text.hard]
    return [
        _share("ordinary texts", ordinary),
        _share("texts near the line", [text for text in texts if text.hard]),
        _missed("restricted texts", restricted),
        _missed("restricted sentences between ordinary texts", _between(restricted, ordinary)),
    ]


def _between(restricted: Sequence[Text], ordinary: Sequence[Text]) -> list[Text]:
    """The shorter ones of the restricted texts, each with an ordinary one before it and one after it."""
    chance = random.Random(SEED)  # noqa: S311 - which texts stand together is no secret

    def among(text: str) -> str:
        return f"{chance.choice(ordinary).text} {text} {chance.choice(ordinary).text}"

    return [text.model_copy(update={"text": among(text.text)}) for text in restricted if len(text.text) < SHORT]


def _missed(of: str, texts: Sequence[Text]) -> Figure:
    """How many are refused when all is read, and not as it reads."""
    whole = load()
    whole.parts[:-1] = [_going_on(part) for part in whole.parts[:-1]]
    wholly = _refused(whole, texts)
    missed = len(wholly - _refused(load(), texts))
    return Figure(f"missed by not reading on, of {len(wholly)} {of}", "", missed, None, "", None)


def _refused(detector: Learned, texts: Sequence[Text]) -> set[str]:
    """The texts that it refuses, for what they want or as another language."""
    found = set()
    for text in texts:
        scores, known = detector.score(text.text)
        if not known or max(scores.values()) >= REFUSED:
            found.add(text.id)
    return found


def _share(of: str, texts: Sequence[Text]) -> Figure:
    """Of the passages of these texts, those that the last part reads."""
    detector, asked = load(), [0, 0]
    for place, part in ((0, 0), (1, -1)):
        detector.parts[part] = _counted(detector.parts[part], asked, place)
    _refused(detector, texts)
    return Figure(f"passages read to the end, of {of}", "%", 100 * asked[1] / asked[0], None, "", None)


def _counted(part: Any, asked: list[int], place: int) -> Any:
    def run(*given: Any) -> Any:
        asked[place] += 1
        return part.run(*given)

    return SimpleNamespace(run=run)


def _going_on(part: Any) -> Any:
    """A part of the encoder that never says that a passage is nothing."""

    def run(*given: Any) -> tuple[Any, Any]:
        seen, margins = part.run(*given)
        return seen, 0 * margins

    return SimpleNamespace(run=run)
