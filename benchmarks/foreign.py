"""How often harmless text is refused that nobody wrote for measuring: code, and what packages say of themselves.

Cuts of the interpreter's own library and of the descriptions of the packages that are installed: other ones on another
machine, so figures compare within one.
"""

from __future__ import annotations

import random
import sysconfig
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from gateway.signals import FORMS, Detectors

LENGTH: Final = 600
CUTS: Final = 200
SEED: Final = 1
REFUSED: Final = 500


async def measure(plain: Detectors, both: Detectors) -> list[Figure]:
    """The share that is refused, by both detectors beside the lexical one alone."""
    return [
        Figure(f"{kind}, refused of {CUTS}", "%", await _refused(both, some), await _refused(plain, some), "", None)
        for kind, some in cuts(LENGTH).items()
    ]


def cuts(length: int) -> dict[str, list[str]]:
    """Pieces of that many characters, by what they are of."""
    chance = random.Random(SEED)  # noqa: S311 - which texts are read is no secret
    library = [file.read_text("utf-8", "replace") for file in sorted(_library().glob("*.py"))]
    described = sorted(text for found in distributions() if (text := found.metadata.get_payload()))
    kinds = {"code of the Python library": library, "descriptions of packages": described}
    return {kind: [_cut(chance.choice(texts), length, chance) for _ in range(CUTS)] for kind, texts in kinds.items()}


def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _cut(text: str, length: int, chance: random.Random) -> str:
    start = chance.randrange(max(1, len(text) - length))
    return text[start : start + length]


async def _refused(detectors: Detectors, texts: list[str]) -> float:
    """Per cent of them. What can't be read is refused, too."""
    refused = 0
    for text in texts:
        readings = await detectors.read([text])
        judged = (reading.score for reading in readings if reading.name not in FORMS)
        refused += any(score is None or score >= REFUSED for score in judged)
    return 100 * refused / len(texts)
