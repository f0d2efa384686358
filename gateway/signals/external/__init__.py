"""Detectors of others, asked over HTTP. What they don't answer, in time and in shape, has no score: never a zero.

1 a detector whose circuit is open is not asked     2 a text is given in pieces of at most `characters`, which overlap
3 each piece is sent once, and all have to be answered before the deadline     4 the highest score of all pieces counts
5 whatever goes wrong is logged as one word of our own, and there is no score
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Final, Protocol

import structlog

from gateway import config, sdk_transport
from gateway.errors import GatewayError, StartError
from gateway.signals.external.circuit import Circuit

__all__ = ["External", "open_external"]

log = structlog.get_logger()

_ANSWER_BYTES: Final = 16 << 10
_SHARED: Final = 8
"""Neighbouring pieces share an eighth."""


class Asking(Protocol):
    """How a kind of detector is asked."""

    async def ask(self, text: str) -> dict[str, int]:
        """Thousandths by its categories, all that are configured. Raises whatever it likes."""

    async def close(self) -> None:
        """Give back connections."""


class External:
    """One detector of others. names: the signals that it scores. version: what was configured, by digest."""

    def __init__(self, settings: config.External, asking: Asking, version: str) -> None:
        self.name, self.version = settings.name, version
        self.names = frozenset(settings.categories.values())
        self._categories = settings.categories
        self._asking = asking
        self._characters = settings.characters
        self._deadline_s = settings.deadline_ms / 1000
        self._circuit = Circuit(settings.failures, settings.pause_s)

    async def score(self, text: str, left_s: float) -> dict[str, int] | None:
        """Thousandths by signal; None where there are none. left_s: what is left of the time for reading."""
        if not (call := self._circuit.enter()):  # 1
            log.warning("detector_unavailable", detector=self.name, why="circuit open")
            return None
        answered: bool | None = None
        try:
            async with asyncio.timeout(min(self._deadline_s, left_s)):  # 3
                found = await self._asked(text)
            answered = True
        except Exception as error:  # noqa: BLE001 - whatever an SDK makes of garbage is no score
            log.warning("detector_unavailable", detector=self.name, why=_why(error))  # 5
            answered = False
            return None
        finally:
            self._circuit.leave(call, answered)
        return found

    async def _asked(self, text: str) -> dict[str, int]:
        highest = dict.fromkeys(self.names, 0)
        for piece in _pieces(text, self._characters):  # 2
            for category, score in (await self._asking.ask(piece)).items():
                name = self._categories[category]
                highest[name] = max(highest[name], score)  # 4
        return highest

    async def close(self) -> None:
        """Give back connections."""
        await self._asking.close()


def open_external(settings: config.External) -> External:
    """The detector that `settings` describe. Raises StartError."""
    section = f"signals.external.{settings.name}"
    rubric = ""
    if settings.rubric is not None:
        try:
            rubric = config.read_public(settings.rubric, f"{section}.rubric").decode()
        except UnicodeDecodeError:
            raise StartError(f"{section}.rubric: {settings.rubric} must be text in UTF-8") from None
    transport = sdk_transport.open_channel(settings, section, _ANSWER_BYTES)
    made = [settings.kind, settings.model, settings.base_url, settings.categories, settings.characters, rubric]
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return External(settings, _asking(settings, transport, rubric), f"{settings.name}-{digest[:12]}")


def _asking(settings: config.External, transport: sdk_transport.SdkTransport, rubric: str) -> Asking:
    # The SDKs are large: only what is configured is loaded.
    match settings.kind:
        case "http":
            from gateway.signals.external.plain import Plain  # noqa: PLC0415 - see above

            return Plain(settings, transport)
        case "moderation":
            from gateway.signals.external.openai import Moderation  # noqa: PLC0415 - see above

            return Moderation(settings, transport)
        case "guard":
            from gateway.signals.external.openai import Guard  # noqa: PLC0415 - see above

            return Guard(settings, transport)
        case "anthropic":
            from gateway.signals.external.anthropic import Judge  # noqa: PLC0415 - see above

            return Judge(settings, transport, rubric)


def _pieces(text: str, size: int) -> Iterator[str]:
    shared = size // _SHARED
    for start in range(0, max(1, len(text) - shared), size - shared):
        yield text[start : start + size]


def _why(error: BaseException) -> str:
    """Our own words for it, or the name of its type: its text may quote content."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GatewayError):
            return cause.detail
        cause = cause.__cause__
    return type(error).__name__
