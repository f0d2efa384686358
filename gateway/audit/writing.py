"""The interface that makes entries durable: `writer` implements it in the log's process, `joint.member` in a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.audit.record import Entry
from gateway.audit.store import Result
from gateway.errors import GatewayError, Reason


class Writing(Protocol):
    """Makes entries durable: the Writer, or what hands entries to the Writer's process."""

    @property
    def ready(self) -> bool:
        """Whether an entry would be written now, as far as is known."""

    @property
    def healthy(self) -> bool:
        """Whether it is ready and the last write succeeded. A full disk can still be read, so reading is no test."""

    @property
    def size(self) -> int:
        """How many entries are durable, as far as is known."""

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """Queue an entry. The future gives its result once durable, or fails with GatewayError(AUDIT_UNAVAILABLE)."""

    async def close(self) -> bool:
        """Write what is waiting and close. Returns whether that was in time."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a log is behind. waiting: records that are not durable yet. unsigned: records that no checkpoint covers.

    durable_s: seconds since records last became durable. checkpoint_s: seconds since a checkpoint was last not due.
    commits: durations of batches, as in `gateway.telemetry.meters`. used_percent: of its storage; None if unknown.
    """

    waiting: int
    durable_s: float
    unsigned: int
    checkpoint_s: float
    commits: list[int]
    used_percent: int | None = None


def unavailable(detail: str, *, sent: bool = False) -> GatewayError:
    """The refusal of a call whose record can't be written in time. sent: it was, or may have been, forwarded."""
    return GatewayError(
        Reason.AUDIT_UNAVAILABLE, "the decision could not be recorded in time", detail=detail, sent=sent
    )


async def finished(result: asyncio.Future[Any]) -> bool:
    """Wait for the result, even if cancelled. Returns whether the caller was cancelled meanwhile, and so owes that."""
    cancelled = False
    while not result.done():
        try:
            await asyncio.shield(result)
        except asyncio.CancelledError:
            cancelled = True
        except GatewayError:
            break
    return cancelled
