"""The log, as the rest of the gateway uses it: opened at start, with a trail for every call, closed at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from brightline_verify.note import Verifier
from brightline_verify.record import Kind, Outcome
from brightline_verify.stored import CorruptError
from gateway.audit import keys, places, record
from gateway.audit.archive import Archive
from gateway.audit.capacity import EVERY_S, Gauge
from gateway.audit.keys import Commitments
from gateway.audit.ledger import Ledger
from gateway.audit.page_tokens import PageTokens
from gateway.audit.record import Entry, Place, Record
from gateway.audit.rollback_guard import RollbackGuard, remembered, since
from gateway.audit.sealed.sealer import Sealer
from gateway.audit.store import Result, Store
from gateway.audit.trail import Trail
from gateway.audit.writer import Writer
from gateway.audit.writing import Lag, Writing, finished, unavailable
from gateway.canonical import Json
from gateway.clock import Clock
from gateway.config import Audit
from gateway.errors import Reason, StartError
from gateway.telemetry import Telemetry
from gateway.types import Call, Release, new_decision_id

FLUSH_S = 1.0
_WHY = 500
"""The most characters of the reason why a release was refused."""


class Log:
    """An open log. `trail` gives each call its trail. archive: what reviewers read.

    since_us: when the release in force came in force.
    """

    def __init__(
        self,
        writer: Writing,
        ledger: Ledger,
        clock: Clock,
        archive: Archive,
        *,
        known: RollbackGuard,
        since_us: int | None,
    ) -> None:
        self.archive = archive
        self.since_us = since_us or 0
        self._writer = writer
        self._ledger = ledger
        self._clock = clock
        self._known = known
        self._closing = asyncio.Event()
        self._flushing = asyncio.create_task(self._flush_until_closed())
        self._gauge: Gauge | None = None
        self._gauging: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        settings: Audit,
        release: Release,
        engine: str,
        engine_version: str,
        *,
        clock: Clock,
        listener: str,
        telemetry: Telemetry | None = None,
    ) -> Log:
        """Open the log and record the start. Raises StartError.

        1 load the keys  2 check that the log is whole (Store)  3 check that the clock is not behind the log
        4 check that the release is not older than one that was in force  5 mark intents that a crash left open as
        outcome_unknown, then record the start
        """
        signer = keys.load_signer(settings.signing_key, settings.origin)  # 1
        commitments = keys.load_commitments(settings.commitment_key)
        with contextlib.ExitStack() as failed:
            store = Store(places.kept(settings), signer, lock_store=places.lock_store(settings))  # 2
            failed.callback(_give_up, store)
            known, since_us, orphans = _look_back(store, release, clock(), places.name(settings))  # 3, 4
            sealer = Sealer.open(settings.sealed) if settings.sealed else None
            failed.pop_all()
        place = Place(settings.enclave, settings.node, "gateway", listener)
        cadence = {"checkpoint_ms": settings.checkpoint_ms, "checkpoint_records": settings.checkpoint_records}
        writer = Writer(store, settings.deadline_ms, **cadence)
        ledger = Ledger(
            writer, clock, place, commitments, settings.unauthenticated_per_s, sealer=sealer, telemetry=telemetry
        )
        archive = opened_archive(settings, signer.verifier, commitments)
        log = cls(writer, ledger, clock, archive, known=known, since_us=since_us)
        log._gauge = Gauge(settings)
        log._gauging = asyncio.create_task(_look(log._gauge))
        start: dict[str, Json] = {
            "origin": settings.origin,
            "version": version("brightline-gateway"),
            "release": record.release(release),
            "engine": {"name": engine, "version": engine_version},
        }
        async with contextlib.AsyncExitStack() as unrecorded:
            unrecorded.push_async_callback(log.close)
            if not await log._begin(orphans, start):  # 5
                raise StartError(f"{places.name(settings)}: the start could not be recorded; see the gateway's log")
            unrecorded.pop_all()
        return log

    @property
    def commitments(self) -> Commitments:
        """Makes commitments to content, and identifiers of approvals."""
        return self._ledger.commitments

    @property
    def ready(self) -> bool:
        """Whether calls can be recorded now, as far as is known. If not, every call is refused."""
        return self._ledger.ready

    @property
    def healthy(self) -> bool:
        """Whether calls can be recorded now, and the last record that was tried became durable."""
        return self._writer.healthy

    @property
    def size(self) -> int:
        """The number of records, as far as is known."""
        return self._writer.size

    @property
    def lag(self) -> Lag:
        """How far the log is behind what was handed to it, if this process writes it."""
        if not isinstance(self._writer, Writer):
            raise TypeError("another process writes the log")
        return replace(self._writer.lag, used_percent=self._gauge.used_percent if self._gauge else None)

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """Write an entry that another process of this gateway made. See Writer."""
        return self._ledger.append(entry)

    async def abandon(self, intents: Mapping[str, str]) -> None:
        """Mark these intents outcome_unknown, if they are durable and open. intents: tenants by decision id."""
        for decision_id, tenant in intents.items():
            self._ledger.later(partial(self._unknown, decision_id, tenant, closes=True), refused=False)
        await self._ledger.flush()

    def trail(self, call: Call) -> Trail:
        """The trail of one call, to be entered with `async with`."""
        return Trail(self._ledger, call)

    def counted(self, call: Call, reason: Reason) -> bool:
        """Count an unauthenticated call if such calls get no more records this second; whether it was counted.

        A trail would do the same. At 1,500 such calls a second it keeps the loop's thread busy for 58 %, this for 54 %.
        """
        return self._ledger.counted(call, reason)

    async def activated(self, fresh: Release, engine: str, engine_version: str, before: Release) -> None:
        """Record that another release comes in force. Raises GatewayError (AUDIT_UNAVAILABLE) unless it is durable.

        Raises StartError for a signed release older than one that was in force, even if its signatures are valid.
        """
        self._known.check(fresh)
        made = self._release(Outcome.COMPLETED, engine, engine_version, before)
        if not await self._write(made | {"release": record.release(fresh)}):
            raise unavailable("the activation was not durable")
        self.since_us = _time(made)
        self._known = self._known.after(fresh)

    async def not_activated(self, stays: Release, engine: str, engine_version: str, why: str) -> None:
        """Record that another release was refused, and why, as far as the log can be written."""
        made = self._release(Outcome.REFUSED, engine, engine_version, stays)
        await self._write(made | {"release": None, "why": why[:_WHY]})

    def _release(self, outcome: Outcome, engine: str, engine_version: str, before: Release) -> Record:
        return self._ledger.head(Kind.RELEASE, new_decision_id(self._clock())) | {
            "outcome": str(outcome),
            "engine": {"name": engine, "version": engine_version},
            "previous": before.digest,
            "why": "",
        }

    async def close(self) -> None:
        """Record the stop, sign a last checkpoint and close the log."""
        self._closing.set()
        if self._gauging is not None:
            self._gauging.cancel()
        await self._flushing
        await self._stopped()
        await self._writer.close()
        if self._ledger.sealer is not None:
            self._ledger.sealer.close()

    async def _stopped(self) -> None:
        await self._write(self._ledger.head(Kind.STOP, new_decision_id(self._clock())))

    async def _begin(self, orphans: list[tuple[str, str]], start: Record) -> bool:
        for decision_id, tenant in orphans:
            # Crash here: orphans that were not marked yet have no outcome, and the next start finds them.
            if not await self._written(self._unknown(decision_id, tenant)):
                return False
        head = self._ledger.head(Kind.START, new_decision_id(self._clock()))
        self.since_us = self.since_us or _time(head)
        return await self._write(head | start)

    def _unknown(self, decision_id: str, tenant: str, *, closes: bool = False) -> Entry:
        marked = self._ledger.head(Kind.OUTCOME, decision_id) | {
            "outcome": str(Outcome.UNKNOWN),
            "reason": "",
            "principal": {"tenant": tenant},
        }
        return record.entry(marked, closes=closes)

    async def _write(self, made: Record) -> bool:
        return await self._written(record.entry(made))

    async def _written(self, entry: Entry) -> bool:
        result = self._ledger.append(entry)
        cancelled = await finished(result)
        if cancelled:
            raise asyncio.CancelledError
        return result.exception() is None

    async def _flush_until_closed(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._closing.wait()
            await self._ledger.flush()


def opened_archive(settings: Audit, key: Verifier, commitments: Commitments) -> Archive:
    """The archive of the log and the logs beside it. key: the own log's. Raises StartError."""
    verifiers = {settings.origin: key, **places.keys(settings)}
    pages = PageTokens(commitments.derived(keys.PAGES))
    return Archive(partial(places.together, settings), places.held(settings), verifiers, pages)


_Before = tuple[RollbackGuard, int | None, list[tuple[str, str]]]


def _look_back(store: Store, release: Release, now_us: int, name: str) -> _Before:
    """Steps 3 and 4 of `Log.open`: what was in force, this release included, since when it is, and the open intents."""
    try:
        store.compare_clock(now_us)
        known = remembered(store.releases())
        known.check(release)
        return known.after(release), since(store.releases(), release.digest), store.orphans()
    except (OSError, StartError) as error:
        raise StartError(f"{name}: {error}") from error


def _give_up(store: Store) -> None:
    with contextlib.suppress(OSError, CorruptError):
        store.close()


def _time(made: Record) -> int:
    when = made["time_us"]
    return when if isinstance(when, int) else 0


async def _look(gauge: Gauge) -> None:
    while True:
        with contextlib.suppress(RuntimeError):  # no thread is available now
            await asyncio.to_thread(gauge.look)
        await asyncio.sleep(EVERY_S)
