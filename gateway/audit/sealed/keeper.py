"""Opens, holds and purges sealed content. Each action is recorded in a separate log, the log of openings.

The commands write that log with its own key; the gateway does not, because one process writes one log. It is verified
like any other log. An opening takes these steps:
1 find the envelopes of the decision whose digests are in the gateway's log
2 check that there are two different reviewers who both were reviewers when the keys were made
3 record the opening, durably and under a checkpoint: nothing is opened before this line
4 open
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from brightline_verify.record import Kind, Outcome
from gateway.audit import keys, record
from gateway.audit.record import Entry, Place, Record
from gateway.audit.sealed import envelope, places
from gateway.audit.sealed.envelope import OUTPUT, PROMPT, Label, Period, SealError
from gateway.audit.sealed.sealer import bound_to
from gateway.audit.sealed.store import Keys, SealedStore, opened
from gateway.audit.sealed.vault import Vault
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.canonical import Json
from gateway.clock import Clock
from gateway.config import Sealed
from gateway.errors import StartError
from gateway.types import new_decision_id


@dataclass(frozen=True, slots=True)
class Due:
    """A period, and what a purge does with it. why: why the period stays; empty if it goes."""

    period: Period
    envelopes: int
    why: str


class Keeper:
    """Works on the sealed store for people, while it holds the log of openings."""

    def __init__(self, store: SealedStore, vault: Vault, log: Store, settings: Sealed, place: Place) -> None:
        self._store, self._vault, self._log, self._place = store, vault, log, place
        self._months = settings.retention_months
        self._clock = Clock()

    def open(
        self,
        decision_id: str,
        records: Iterable[Mapping[str, Json]],
        reviewers: Sequence[tuple[str, X25519PrivateKey]],
        why: str,
    ) -> list[tuple[Label, bytes]]:
        """The sealed prompt and output of a decision. Raises SealError, OSError, CorruptError.

        records: those of the decision in the gateway's log.
        """
        told = _told(records)
        found = self._store.of_decision(decision_id)
        if not found:
            raise SealError(
                f"nothing is sealed of decision {decision_id}: the policy did not oblige to, or it was purged"
            )
        for label, sealed in found:  # 1
            if told.get(label.what) != hashlib.sha256(sealed).hexdigest():
                raise SealError(f"the {label.what} that is kept is not the one that the log names")
        kept = {label.period: self._keys(label.period) for label, _ in found}
        names = sorted(name for name, _ in reviewers)
        if len(set(names)) != 2:  # 2
            raise SealError("two different reviewers open together")
        for period, of in kept.items():
            if names[1] not in of.escrow.get(names[0], {}):
                raise SealError(f"{' and '.join(names)} were not both reviewers when the keys of {period} were made")
        period = found[0][0].period
        self._write(self._made("opened", period, names, why, about=decision_id, digests=sorted(told.values())))  # 3
        private = {p: envelope.recover(of.escrow, reviewers, p) for p, of in kept.items()}  # 4
        return [
            (label, envelope.unseal(sealed, label, private[label.period], partial(self._vault.unwrap, label.period)))
            for label, sealed in reversed(found)
        ]

    def hold(self, period: Period, name: str, why: str) -> int:
        """Exempt a period from purging; returns how many periods match. An empty class or month matches all.

        Raises OSError, CorruptError, and, before anything is held, NotCanonicalError.
        """
        made = self._made("held", period, [name], why)
        # Crash after this line: the hold is in force but not recorded. Holding again records it.
        self._store.hold(period, name)
        self._write(made)
        return sum(_covers(period, kept) for kept, *_ in self._store.periods())

    def free(self, period: Period, name: str, why: str) -> bool:
        """Remove a hold of exactly this period; whether there was one. Raises OSError, CorruptError."""
        if not self._store.holds(period, name) and (period, name) not in self._recorded():
            return False
        # Crash after this line: the removal is recorded but the hold is still in force. Freeing again removes it.
        self._write(self._made("freed", period, [name], why))
        self._store.free(period, name)
        return True

    def classes(self) -> set[str]:
        """The retention classes: those that are configured, and those of which content is kept.

        Raises OSError.
        """
        return {*self._months, *(period.retention for period, *_ in self._store.periods())}

    def due(self) -> list[Due]:
        """Every period, and whether a purge would take it. Raises OSError, CorruptError."""
        recorded = self._recorded()
        return [
            Due(period, count, self._stays(period, {*holds, *(n for of, n in recorded if _covers(of, period))}))
            for period, count, holds in self._store.periods()
        ]

    def purge(self, by: str, why: str) -> Iterator[Due]:
        """Destroy the wrapping key of every period whose time is over, and the content under that key.

        Yields every period; one that goes is yielded once it is gone. Raises OSError, CorruptError.
        """
        for due in self.due():
            if not due.why:
                # Crash after this: recorded, but not or only partly purged. The next purge does and records it again.
                self._write(self._made("purged", due.period, [by], why))
                self._vault.destroy(due.period)
                self._store.forget(due.period)
            yield due

    def _recorded(self) -> set[tuple[Period, str]]:
        """The holds that were recorded and not freed. A store restored from a backup may lack some of them.

        Raises OSError, CorruptError.
        """
        found: set[tuple[Period, str]] = set()
        for made in map(orjson.loads, self._log.leaves()):
            if made["kind"] == Kind.SEALED and made["action"] in {"held", "freed"}:
                hold = Period(made["principal"]["tenant"], made["retention"], made["month"]), made["by"][0]
                (found.add if made["action"] == "held" else found.discard)(hold)
        return found

    def _stays(self, period: Period, holds: set[str]) -> str:
        if holds:
            return f"held: {', '.join(sorted(holds))}"
        months = self._months.get(period.retention)
        if months is None:
            return f"audit.sealed.retention_months: has no {period.retention}"
        over = _after(period.month, months)
        return f"kept until {over:%Y-%m-%d}" if datetime.fromtimestamp(self._clock() / 1e6, UTC) < over else ""

    def _keys(self, period: Period) -> Keys:
        kept = self._store.keys(period)
        if kept is None:
            raise SealError(f"the keys of {period} are gone")
        self._vault.unwrap(period, kept.bound, bound_to(period, kept))
        return kept

    def _made(
        self, action: str, period: Period, by: Sequence[str], why: str, *, about: str = "", digests: Sequence[str] = ()
    ) -> Entry:
        """The record of an action. Raises NotCanonicalError."""
        now_us = self._clock()
        made: Record = record.head(Kind.SEALED, new_decision_id(now_us), now_us, "system", self._place)
        made |= {
            "outcome": str(Outcome.COMPLETED),
            "action": action,
            "principal": {"tenant": period.tenant},
            "retention": period.retention,
            "month": period.month,
            "about": about,
            "digests": list(digests),
            "by": list(by),
            "why": why,
        }
        return record.entry(made)

    def _write(self, made: Entry) -> None:
        """Write the record, durably and under a checkpoint. Raises OSError, CorruptError."""
        self._log.append([made])
        self._log.checkpoint()


@contextmanager
def keeping(settings: Sealed, place: Place) -> Iterator[Keeper]:
    """The keeper, holding the log of openings within the context. Raises StartError, OSError."""
    signer = keys.load_signer(settings.log_key, settings.log_origin)
    vault = places.vault(settings)
    with closing(vault), opened(settings.path) as store:
        log = Store(Sqlite(settings.log), signer)
        try:
            _compare_clock(log, settings)
            yield Keeper(store, vault, log, settings, place)
        finally:
            log.close()


def _compare_clock(log: Store, settings: Sealed) -> None:
    try:
        log.compare_clock(Clock()())
    except StartError as error:
        raise StartError(f"audit.sealed.log: {settings.log}: {error}") from error


def _told(records: Iterable[Mapping[str, Json]]) -> dict[str, str]:
    """The digests of what was sealed, by prompt or output, from the records of a decision."""
    told: dict[str, str] = {}
    for one in records:
        commitments = one.get("commitments")
        digest = commitments.get("sealed") if isinstance(commitments, Mapping) else None
        if isinstance(digest, str):
            told[OUTPUT if one["kind"] == Kind.OUTCOME else PROMPT] = digest
    return told


def _covers(held: Period, kept: Period) -> bool:
    """Whether a hold applies to a period. An empty class or month applies to all."""
    return (kept.tenant, kept.retention, kept.month) == (
        held.tenant,
        held.retention or kept.retention,
        held.month or kept.month,
    )


def _after(month: str, months: int) -> datetime:
    """The moment at which a retention of that many months, counted from the end of the month, is over."""
    year, number = map(int, month.split("-"))
    total = year * 12 + number + months
    return datetime(total // 12, total % 12 + 1, 1, tzinfo=UTC)
