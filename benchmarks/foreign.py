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
from gateway.signals import Detectors

LENGTH: Final = 600
CUTS: Final = 200
SEED: Final = 1
REFUSED: Final = 500


async def measure(plain: Detectors, both: Detectors) -> list[Figure]:
    """The share that is refused, by both detectors beside the lexical one alone."""
    chance = random.Random(SEED)  # noqa: S311 - which texts are read is no secret
    library = [file.read_text("utf-8", "replace") for file in sorted(_library().glob("*.py"))]
    described = sorted(text for found in distributions() if (text := found.metadata.get_payload()))
    kinds = {"code of the Python library": library, "descriptions of packages": described}
    return [
        Figure(f"{kind}, refused of {CUTS}", "%", await _refused(both, cuts), await _refused(plain, cuts), "", None)
        for kind, cuts in (
            (kind, [_cut(chance.choice(texts), chance) for _ in range(CUTS)]) for kind, texts in kinds.items()
        )
    ]


def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _cut(text: str, chance: random.Random) -> str:
    start = chance.randrange(max(1, len(text) - LENGTH))
    return text[start : start + LENGTH]


async def _refused(detectors: Detectors, cuts: list[str]) -> float:
    """Per cent of them. What can't be read is refused, too."""
    refused = 0
    for cut in cuts:
        readings = await detectors.read([cut])
        refused += any(reading.score is None or reading.score >= REFUSED for reading in readings)
    return 100 * refused / len(cuts)
