"""What makes entries durable, as those who have some see it: `writer` in the log's own process, `joint` in a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.audit.record import Entry
from gateway.audit.store import Result
from gateway.errors import GatewayError, Reason


class Writing(Protocol):
    """What makes entries durable: the Writer, or what hands them to the process that has it."""

    @property
    def ready(self) -> bool:
        """Whether an entry would be written now, as far as is known."""

    @property
    def healthy(self) -> bool:
        """Whether it is ready, and the last entry that was tried is durable: what can be read may still be full."""

    @property
    def size(self) -> int:
        """How many entries are durable, as far as is known."""

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """The entry's result once it is durable. The future fails with GatewayError(AUDIT_UNAVAILABLE)."""

    async def close(self) -> bool:
        """Write what is waiting and let go. Returns whether that was in time."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a log is behind. waiting: records that are not durable yet; unsigned: that no checkpoint covers.

    durable_s, checkpoint_s: since records last became durable, and since it was last seen that a checkpoint is not due.
    commits: how long batches took, as `gateway.telemetry.meters` has it. used_percent: of its place; None if unknown.
    """

    waiting: int
    durable_s: float
    unsigned: int
    checkpoint_s: float
    commits: list[int]
    used_percent: int | None = None


def unavailable(detail: str, *, sent: bool = False) -> GatewayError:
    """The refusal of a call whose record can't be written in time. sent: it was forwarded, or may have been."""
    return GatewayError(
        Reason.AUDIT_UNAVAILABLE, "the decision could not be recorded in time", detail=detail, sent=sent
    )


async def finished(result: asyncio.Future[Any]) -> bool:
    """Wait for the result whatever happens. Returns whether the caller was cancelled meanwhile, which it then owes."""
    cancelled = False
    while not result.done():
        try:
            await asyncio.shield(result)
        except asyncio.CancelledError:
            cancelled = True
        except GatewayError:
            break
    return cancelled
