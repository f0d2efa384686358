"""The state that all trails share: the writer, the clock, the keys, and what could not be written yet.

Two things wait in memory and are written within a second. One is counts of refusals without a record of their own:
floods of unauthenticated callers, and calls refused because the log was down. The other is outcomes of intents that may
have become durable after their call was refused. A crash loses the counts; the next start gives those intents the
outcome outcome_unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from brightline_verify.record import Kind, Outcome
from gateway.audit import record
from gateway.audit.keys import Commitments
from gateway.audit.record import Entry, Place, Record
from gateway.audit.sealed.sealer import Sealer
from gateway.audit.store import Rejection, Result
from gateway.audit.writing import Writing, finished
from gateway.clock import TOLERANCE_US, Clock
from gateway.errors import Reason
from gateway.telemetry import Telemetry
from gateway.types import Call, new_decision_id


@dataclass(slots=True)
class _Count:
    number: int
    first_us: int
    last_us: int


class Ledger:
    """The writing side of a log, for trails. unauthenticated_per_s: records per second for unauthenticated callers.

    sealer: seals content if the policy requires it; None if not configured. telemetry: observes calls.
    """

    def __init__(
        self,
        writer: Writing,
        clock: Clock,
        place: Place,
        commitments: Commitments,
        unauthenticated_per_s: int,
        *,
        sealer: Sealer | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.commitments = commitments
        self.sealer = sealer
        self.telemetry = telemetry or Telemetry()
        self._writer = writer
        self._clock = clock
        self._place = place
        self._per_s = unauthenticated_per_s
        self._window = self._used = 0
        self._counts: dict[Reason, _Count] = {}
        self._late: list[tuple[Callable[[], Entry], bool]] = []

    @property
    def ready(self) -> bool:
        """Whether the log is being written."""
        return self._writer.ready

    def now_us(self) -> int:
        """Microseconds since 1970 UTC."""
        return self._clock()

    def head(self, kind: Kind, decision_id: str) -> Record:
        """The fields of every record."""
        now_us, source = self._now()
        return record.head(kind, decision_id, now_us, source, self._place)

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """The entry's result once it is durable. The future fails with GatewayError(AUDIT_UNAVAILABLE)."""
        return self._writer.append(entry)

    def later(self, outcome: Callable[[], Entry], *, refused: bool) -> None:
        """Close an intent that may or may not be durable, once the log works.

        outcome: makes the record when it is written, so that it is not older than the records before it.
        refused: whether the call was refused because of this. If there is nothing to close, the refusal is counted.
        """
        self._late.append((outcome, refused))

    def admits_unproved(self) -> bool:
        """Whether an unauthenticated caller gets a record of its own; otherwise it is counted. Uses up one record."""
        self._used = 1 + self._used_now()
        return self._used <= self._per_s

    def counted(self, call: Call, reason: Reason) -> bool:
        """Count a refused call if unauthenticated callers get no more records this second; whether it was counted."""
        if not self.ready or self._used_now() < self._per_s:
            return False
        self.count(reason)
        self.telemetry.refused(call, reason, (self.now_us() - call.received_us) * 1000)
        return True

    def _used_now(self) -> int:
        """How many records of this second for unauthenticated callers are used up."""
        window = self._now()[0] // 1_000_000
        if window != self._window:
            self._window, self._used = window, 0
        return self._used

    def count(self, reason: Reason) -> None:
        """Count a refused call that gets no record of its own."""
        now_us, _ = self._now()
        count = self._counts.setdefault(reason, _Count(0, now_us, now_us))
        count.number += 1
        count.last_us = now_us

    async def flush(self) -> None:
        """Write what waits, as far as the log can be written."""
        late, self._late = self._late, []
        for outcome, refused in late:
            result = self.append(outcome())
            await finished(result)
            if result.exception():
                self._late.append((outcome, refused))
            elif refused and result.result() is Rejection.NOTHING_TO_CLOSE:
                self.count(Reason.AUDIT_UNAVAILABLE)
        counts, self._counts = self._counts, {}
        if counts and not await self._aggregate(counts):
            for reason, newer in self._counts.items():
                older = counts.setdefault(reason, _Count(0, newer.first_us, newer.last_us))
                older.number, older.last_us = older.number + newer.number, newer.last_us
            self._counts = counts

    def _now(self) -> tuple[int, str]:
        """The time and its source. If the wall clock was set, the time continues from before by the monotonic clock."""
        now_us, drift = self._clock(), self._clock.drift_us()
        return (now_us - drift, "monotonic") if abs(drift) > TOLERANCE_US else (now_us, "system")

    async def _aggregate(self, counts: dict[Reason, _Count]) -> bool:
        made = self.head(Kind.AGGREGATE, new_decision_id(self._clock()))
        made["outcome"] = str(Outcome.REFUSED)
        made["counts"] = {
            str(reason): {"number": c.number, "first_us": c.first_us, "last_us": c.last_us}
            for reason, c in counts.items()
        }
        result = self.append(record.entry(made))
        await finished(result)
        return result.exception() is None
