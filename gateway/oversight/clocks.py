"""Deadlines for reporting an incident under several laws. All run from when the incident became known.

Counsel decides which of them apply: the gateway does not know who was harmed or who the developer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_HOUR_US: Final = 3_600_000_000
_DAY: Final = 24


@dataclass(frozen=True, slots=True)
class Clock:
    """A duty to report. from_us: when it came into force; 0 if before any gateway."""

    name: str
    hours: int
    from_us: int = 0


_RAISE_US: Final = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

CLOCKS: Final = (
    Clock("SB 53, 24 h", 24),
    Clock("EU 9.3, 2 d", 2 * _DAY),
    Clock("RAISE, 72 h", 72, _RAISE_US),
    Clock("EU 9.3, 5 d", 5 * _DAY),
    Clock("EU 9.3, 10 d", 10 * _DAY),
    Clock("SB 53, 15 d", 15 * _DAY),
    Clock("EU 9.3, 15 d", 15 * _DAY),
)
"""California SB 53: 24 hours for imminent danger, otherwise 15 days. New York RAISE: in force from 2027. EU: measure
9.3 of the code of practice for general-purpose AI, by the kind of harm."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident that a policy requires to be reported. hours: by the policy's own clock."""

    decision_id: str
    tenant: str
    text: str
    aware_at_us: int
    hours: int

    def due(self) -> list[tuple[str, int]]:
        """Every clock that applies and its deadline: the policy's own first, then by time."""
        running = [clock for clock in CLOCKS if self.aware_at_us >= clock.from_us]
        own = ("policy", self.aware_at_us + self.hours * _HOUR_US)
        return [own, *((clock.name, self.aware_at_us + clock.hours * _HOUR_US) for clock in running)]
