"""The models behind the gateway. An upstream takes a Permitted, a type that only Decision.permit makes.

Every call is sent once. What comes back is an answer, or one GatewayError:

    UPSTREAM_UNAVAILABLE   no connection: nothing was sent
    UPSTREAM_FAILED        something may have been sent, and what came back is no answer of the permitted model
    DEADLINE_EXCEEDED      the time was over
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Protocol

from gateway import config
from gateway.types import Chunk, Completion, Permitted
from gateway.upstream.breaker import Breaker, Service


class Upstream(Protocol):
    """One model service. deadline_s: seconds left of the caller's time."""

    name: str

    def check(self) -> None:
        """Raise GatewayError(UPSTREAM_UNAVAILABLE) where it is not asked at all for now. It only looks."""

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """The whole answer. Raises GatewayError."""

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The answer piece by piece, its End last. Close the generator when leaving early. Raises GatewayError."""

    async def close(self) -> None:
        """Give back connections and files."""


def open_upstream(settings: config.Upstream, answer_bytes: int) -> Upstream:
    """The upstream that `settings` describe. answer_bytes: the most that one answer may hold. Raises StartError."""
    # HTTP takes time to import: only what is configured is loaded.
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
    """What is opened, left alone while it can't be reached. opened: with what it calls whenever it was reached."""

    def reached() -> None:
        breaker.reached()

    breaker = Breaker(opened(reached), settings.failures, settings.pause_s)
    return breaker
