"""The log in a worker. The keeper opens it, records starts, stops and releases, and watches its disk."""

from __future__ import annotations

from brightline_verify.note import Verifier
from gateway.audit import keys
from gateway.audit.joint.member import Member
from gateway.audit.ledger import Ledger
from gateway.audit.log import Log, opened_archive
from gateway.audit.record import Place
from gateway.audit.rollback_guard import FORGOTTEN
from gateway.audit.sealed.sealer import Sealer
from gateway.clock import Clock
from gateway.config import Audit
from gateway.errors import StartError
from gateway.telemetry import Telemetry
from gateway.types import Release


class Joined(Log):
    """See Log. A worker never has the key that signs the log."""

    _member: Member

    @classmethod
    async def join(
        cls, settings: Audit, release: Release, member: Member, *, clock: Clock, listener: str, telemetry: Telemetry
    ) -> Log:
        """Raises StartError if the release is not the one that the keeper recorded, or if content can't be sealed."""
        digest, since_us = member.in_force
        if release.digest != digest:
            raise StartError(f"release: there is {release.digest} now, and {digest} is in force")
        key = Verifier.parse(member.said["log_key"])
        commitments = keys.load_commitments(settings.commitment_key)
        member.limit(settings.deadline_ms)
        place = Place(settings.enclave, settings.node, f"gateway/{member.said['worker']}", listener)
        sealer = Sealer.open(settings.sealed) if settings.sealed else None
        ledger = Ledger(
            member, clock, place, commitments, settings.unauthenticated_per_s, sealer=sealer, telemetry=telemetry
        )
        archive = opened_archive(settings, key, commitments)
        log = cls(member, ledger, clock, archive, known=FORGOTTEN, since_us=since_us)
        log._member = member
        return log

    async def activated(self, fresh: Release, engine: str, engine_version: str, before: Release) -> None:  # noqa: ARG002 - as Log has it
        """Raises StartError unless the keeper has recorded that this release is in force."""
        digest, since_us = self._member.in_force
        if fresh.digest != digest:
            raise StartError(f"release: there is {fresh.digest} now, and {digest} is in force")
        self.since_us = since_us

    async def _stopped(self) -> None:
        """Nothing: the keeper records the stop, after every worker's."""
