"""What the path needs of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from gateway.canonical import Json, NotCanonicalError, canonical
from gateway.pdp.decision import unavailable
from gateway.types import Decision

PACKAGE: Final = "brightline"
RULE: Final = "decision"

MAX_INPUT_BYTES: Final = 1 << 20
MAX_DECISION_BYTES: Final = 1 << 16
"""A decision is written to a record; a larger one is refused before it is parsed."""


class Engine(Protocol):
    """Decides with one release. name and version go on every record."""

    name: str
    version: str

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        """The decision for the facts. Raises GatewayError (POLICY_UNAVAILABLE) when there is none to rely on."""

    async def close(self) -> None:
        """Release what the engine holds. It decides nothing afterwards."""


def encode(value: Mapping[str, Json]) -> bytes:
    """Canonical JSON of an input. Raises GatewayError (POLICY_UNAVAILABLE) where there is none, or too much of it."""
    try:
        text = canonical(value)
    except NotCanonicalError as error:
        raise unavailable(f"input: {error}") from error
    if len(text) > MAX_INPUT_BYTES:
        raise unavailable(f"input: more than {MAX_INPUT_BYTES} bytes")
    return text
