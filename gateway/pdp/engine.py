"""The interface of a policy engine."""

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
"""The decision must fit into a record. A larger answer is refused before it is parsed."""


class Engine(Protocol):
    """Decides with one release. Every record has its name and version."""

    name: str
    version: str

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - policies call it input
        """The decision for the facts. Raises GatewayError (POLICY_UNAVAILABLE) if there is no reliable decision."""

    async def close(self) -> None:
        """Release the engine's resources. It decides nothing afterwards."""


def encode(value: Mapping[str, Json]) -> bytes:
    """Canonical JSON of an input. Raises GatewayError (POLICY_UNAVAILABLE) if it has none, or is too large."""
    try:
        text = canonical(value)
    except NotCanonicalError as error:
        raise unavailable(f"input: {error}") from error
    if len(text) > MAX_INPUT_BYTES:
        raise unavailable(f"input: more than {MAX_INPUT_BYTES} bytes")
    return text
