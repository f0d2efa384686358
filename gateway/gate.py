"""The gateway's components as its calls use them. Made by `gateway.app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.audit.log import Log
from gateway.bulkhead import Bulkhead
from gateway.clock import Clock
from gateway.fair_queue import FairQueue
from gateway.identity import Identity
from gateway.inforce import InForce
from gateway.quotas import Quotas
from gateway.signals import Detectors
from gateway.telemetry import Counted, Telemetry
from gateway.types import Standing
from gateway.upstream import Upstream


@dataclass(slots=True)
class Gate:
    """The wired components.

    in_force: replaced as a whole. draining: new calls are refused. proves: whether revocation lists and the ledger
    could be used when they were last tried.
    """

    clock: Clock
    identity: Identity
    detectors: Detectors
    upstreams: Mapping[str, Upstream]
    log: Log
    in_force: InForce
    answer_bytes: int
    bulkhead: Bulkhead
    queue: FairQueue
    quotas: Quotas
    telemetry: Telemetry
    proves: bool = True
    draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether the gateway itself could permit a call now."""
        decides = self.in_force.answers and not self.in_force.expired(self.clock())
        works = self.clock.trusted and self.log.healthy and self.detectors.liveness.live and self.proves
        return works and decides and not self.draining

    @property
    def counted(self) -> Counted:
        """The counters and the state of this process."""
        standings = self.detectors.liveness.standings()
        live = {name: standing is Standing.LIVE for name, standing in standings}
        return Counted(self.telemetry.meters, self.telemetry.flying, self.queue.waiting, live, self.ready)
