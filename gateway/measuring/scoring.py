"""What the detectors say of texts, and what the policy that travels with the package would decide about each.

The use around a text is the plainest of the policy's self-test: a civil office's own work, everything stated, nothing
against it. So what is refused is refused for the text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, Final

from gateway.canonical import Json
from gateway.errors import StartError
from gateway.signals import FORMS, Detectors
from gateway.types import Effect, Reading
from gateway.workshop.deciding import embedded
from gateway.workshop.policies import opened

__all__ = ["Scored", "score"]

_ASSETS: Final = files("gateway") / "assets"
_BASE: Final = "desk"
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's readings, and the decision they lead to."""

    id: str
    readings: tuple[Reading, ...]
    effect: Effect
    rules: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the text was not simply let through."""
        return self.effect is not Effect.ALLOW

    @property
    def unread(self) -> bool:
        """Whether the detectors could not read it."""
        return any(reading.score is None for reading in self.readings)

    @property
    def highest(self) -> int:
        """The highest score of what a text can be restricted for; above every score where there is none."""
        said = (reading.score for reading in self.readings if reading.name not in FORMS)
        return max(1001 if score is None else score for score in said)


def score(texts: Sequence[tuple[str, str]], detectors: Detectors) -> Iterator[Scored]:
    """The texts, each with its name, in their order. Raises StartError."""
    base = json.loads((_ASSETS / "vectors.json").read_bytes())["bases"][_BASE]
    with as_file(_ASSETS / "starter") as folder, opened(folder) as policy, embedded(policy.release) as decide:
        for start in range(0, len(texts), _AT_ONCE):
            some = texts[start : start + _AT_ONCE]
            readings = asyncio.run(_read(detectors, [text for _, text in some]))
            for (name, _), said, made in zip(some, readings, decide([_facts(base, r) for r in readings]), strict=True):
                if isinstance(made, str):
                    raise StartError(f"{name}: no decision: {made}; reinstall the package")
                yield Scored(name, said, made.effect, tuple(rule.id for rule in made.rules))


async def _read(detectors: Detectors, texts: Sequence[str]) -> list[tuple[Reading, ...]]:
    return [await detectors.read([text]) for text in texts]


def _facts(base: dict[str, Any], readings: tuple[Reading, ...]) -> dict[str, Json]:
    return {**base, "signals": {reading.name: reading.score for reading in readings}}
