"""The models behind the gateway. An upstream takes a Permitted, which only Decision.permit can make.

Every call is sent once. The result is an answer or one GatewayError:

    UPSTREAM_UNAVAILABLE   no connection: nothing was sent
    UPSTREAM_FAILED        something may have been sent, and the result is no valid answer of the permitted model
    DEADLINE_EXCEEDED      the deadline passed
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Protocol

from gateway import config
from gateway.types import Chunk, Completion, Permitted
from gateway.upstream.breaker import Breaker, Service


class Upstream(Protocol):
    """One model service. deadline_s: what is left of the caller's time, in seconds."""

    name: str

    def check(self) -> None:
        """Raise GatewayError(UPSTREAM_UNAVAILABLE) if the service is not asked for now. Changes nothing."""

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """The whole answer. Raises GatewayError."""

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The answer piece by piece, its End last. Close the generator when leaving early. Raises GatewayError."""

    async def close(self) -> None:
        """Release connections and files."""


def open_upstream(settings: config.Upstream, answer_bytes: int) -> Upstream:
    """The upstream that `settings` describe. answer_bytes: the limit for one answer. Raises StartError."""
    # HTTP takes time to import, so only the configured kind is imported.
    match settings.kind:
        case "loopback":
            from gateway.upstream.loopback import Loopback  # noqa: PLC0415 - see above

            return Loopback(settings, answer_bytes)
        case "anthropic":
            from gateway.upstream.anthropic import Anthropic  # noqa: PLC0415 - see above

            return _left_alone(partial(Anthropic, settings, answer_bytes), settings)
        case "openai":
            from gateway.upstream.openai import OpenAI  # noqa: PLC0415 - see above

            return _left_alone(partial(OpenAI, settings, answer_bytes), settings)


def _left_alone(opened: Callable[[Callable[[], None]], Service], settings: config.Upstream) -> Breaker:
    """The service behind a circuit breaker. opened: makes the service, given a callback for each connection."""

    def reached() -> None:
        breaker.reached()

    breaker = Breaker(opened(reached), settings.failures, settings.pause_s)
    return breaker
