"""How often harmless text from other sources is refused: source code, and descriptions of packages.

The texts are excerpts from the interpreter's standard library and from descriptions of the installed packages. They
differ between machines, so figures are comparable only on one machine.
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
    """The share that is refused by both detectors, compared with the lexical one alone."""
    return [
        Figure(f"{kind}, refused of {CUTS}", "%", await _refused(both, some), await _refused(plain, some), "", None)
        for kind, some in cuts(LENGTH).items()
    ]


def cuts(length: int) -> dict[str, list[str]]:
    """Excerpts of that many characters, by their source."""
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
    """Percentage of texts that are refused. Unreadable texts count as refused."""
    refused = 0
    for text in texts:
        readings = await detectors.read([text])
        judged = (reading.score for reading in readings if reading.name not in FORMS)
        refused += any(score is None or score >= REFUSED for score in judged)
    return 100 * refused / len(texts)
