"""The thread that makes entries durable: it takes all waiting entries, commits them as one batch, and reports once.

`append` runs on the event loop and never waits or blocks. An entry has a deadline. An entry that still waits then is
withdrawn and never written. One that is being written may turn out durable: its caller is refused, and the trail takes
care of the record. After an error, nothing is answered until the store was read back.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from brightline_verify.stored import CorruptError
from gateway.audit.record import Entry
from gateway.audit.store import MAX_BATCH, Result, Store
from gateway.audit.writing import Lag, unavailable
from gateway.telemetry import meters

TICK_S = 0.2
PROBE_S = 5.0
"""Seconds without a write after which the writer tests whether it could write."""
GATHER_S = 0.001
"""Seconds that a batch waits for more entries if the last batch had several. A commit costs the same for one entry and
for fifty, and each wakes the event loop. A single caller never waits."""

log = structlog.get_logger()


class _Item:
    """An entry to be written. The first to take `claim` decides: the writer writes it, or the deadline withdraws it."""

    __slots__ = ("claim", "entry", "result", "timer")

    timer: asyncio.TimerHandle

    def __init__(self, entry: Entry, result: asyncio.Future[Result]) -> None:
        self.entry = entry
        self.result = result
        self.claim = threading.Lock()


class Writer:
    """Owns a store and its thread. Made and used on the event loop's thread. deadline_ms bounds every append.

    checkpoint_ms, checkpoint_records: a checkpoint is signed when either is exceeded and there is something to sign.
    A log's first checkpoint is signed at once, because nothing proves a log without one.
    """

    def __init__(
        self, store: Store, deadline_ms: int, *, checkpoint_ms: int = 1000, checkpoint_records: int = 10_000
    ) -> None:
        self._store = store
        self._deadline_s = deadline_ms / 1000
        self._checkpoint_s, self._checkpoint_records = checkpoint_ms / 1000, checkpoint_records
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._late = self._closing = self._lost = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        # Only the thread uses these, except that `ready` reads _failing.
        self._failing = self._corrupt = self._crowded = False
        self._in_doubt: list[_Item] = []
        self._signed_at = self._worked_at = self._durable_at = time.monotonic()
        self._commits = meters.histogram()
        threading.Thread(target=self._run, name="audit", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether an entry would be written now, as far as is known."""
        return not (self._failing or self._late or self._closing)

    @property
    def size(self) -> int:
        """How many entries are durable, as far as is known."""
        return self._store.frontier.size

    @property
    def healthy(self) -> bool:
        """Whether it is ready and the last write succeeded. A full disk can still be read, so reading is no test."""
        return self.ready and not self._lost

    @property
    def lag(self) -> Lag:
        """How far the log is behind now."""
        now = time.monotonic()
        durable_s, checkpoint_s = now - self._durable_at, now - self._signed_at
        waiting = self._queue.qsize() + len(self._in_doubt)
        return Lag(waiting, durable_s, self._store.unsigned, checkpoint_s, [*self._commits])

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """Queue an entry. The future gives its result once durable, or fails with GatewayError(AUDIT_UNAVAILABLE)."""
        result: asyncio.Future[Result] = self._loop.create_future()
        if not self.ready:
            result.set_exception(unavailable("the log is not being written"))
            return result
        item = _Item(entry, result)
        # Two steps: if the loop stood still for a while, answers that are already waiting come before deadlines.
        item.timer = self._loop.call_later(self._deadline_s, self._loop.call_soon, self._expire, item)
        self._queue.put(item)
        return result

    async def close(self) -> bool:
        """Write what is waiting, sign a last checkpoint and release the store. Returns whether that was in time."""
        self._closing = True
        self._queue.put(None)
        done, _ = await asyncio.wait({self._closed}, timeout=self._deadline_s)
        return bool(done)

    def _expire(self, item: _Item) -> None:
        if item.result.done():
            return
        if not item.claim.acquire(blocking=False):
            self._late = True  # until its batch is answered
        if not self._lost:
            log.critical("audit log late", deadline_ms=round(self._deadline_s * 1000))
        self._lost = True
        item.result.set_exception(unavailable("the record was not durable before its deadline"))

    def _answer(self, items: Sequence[_Item], results: Sequence[Result] | None) -> None:
        """Tell the callers of a batch. results: None if none of it is durable."""
        self._late = False
        if items:
            if self._lost and results is not None:
                log.warning("audit log in time again")
            self._lost = results is None
        for number, item in enumerate(items):
            item.timer.cancel()
            if item.result.done():
                continue
            if results is None:
                item.result.set_exception(unavailable("the record could not be written"))
            else:
                item.result.set_result(results[number])

    def _works(self) -> None:
        """Note that the log can be written, although no call needed it."""
        if self._lost:
            log.warning("audit log in time again")
        self._lost = False

    # --- the thread's side ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        more = True
        while more:
            items, more = self._take()
            if self._failing:
                self._recover()
            if self._failing:
                self._tell(self._answer, items, None)
            else:
                self._write(items)
        with contextlib.suppress(OSError, CorruptError):  # the next start checks what can't be signed now
            self._store.close()
        self._tell(self._closed.set_result, None)

    def _take(self) -> tuple[list[_Item], bool]:
        """The next entries, empty if a tick passed without any; and whether to continue after them."""
        items: list[_Item] = []
        with contextlib.suppress(queue.Empty):
            item = self._queue.get(timeout=TICK_S)
            if self._crowded:
                time.sleep(GATHER_S)
            while item is not None:
                if item.claim.acquire(blocking=False):
                    items.append(item)
                if len(items) == MAX_BATCH:
                    return items, True
                item = self._queue.get_nowait()
            return items, False
        return items, True

    def _write(self, items: list[_Item]) -> None:
        try:
            if items:
                self._crowded = len(items) > 1
                self._in_doubt, begin = items, time.monotonic_ns()
                results = self._store.append([item.entry for item in items])
                self._in_doubt = []
                self._worked_at = self._durable_at = time.monotonic()
                meters.took(self._commits, time.monotonic_ns() - begin)
                self._tell(self._answer, items, results)
            self._sign_when_due()
        except Exception as error:  # noqa: BLE001 - after any failure, only reading back shows what is durable
            log.critical("audit log failed", error=type(error).__name__, detail=str(error))
            self._failing = True
            self._recover()

    def _sign_when_due(self) -> None:
        now = time.monotonic()
        idle = now - self._worked_at >= PROBE_S
        first = self._store.unsigned == self.size
        many = self._store.unsigned >= self._checkpoint_records
        if idle or first or many or now - self._signed_at >= self._checkpoint_s:
            self._store.checkpoint(again=idle)
            self._signed_at = now
        if idle:
            self._worked_at = now
            self._tell(self._works)

    def _recover(self) -> None:
        """Read back, answer what was in doubt, and sign. Keep failing until all of it works.

        A log whose checkpoint can't be published is not written any further. A log that was changed is never written
        again.
        """
        results = None
        if not self._corrupt:
            try:
                results = self._store.recover()
                with contextlib.suppress(OSError):
                    self._store.checkpoint(again=True)
                    self._failing = False
                    log.warning("audit log recovered")
            except CorruptError as error:
                self._corrupt = True
                log.critical("audit log is corrupt", detail=str(error))
            except OSError:
                return
            except Exception as error:  # noqa: BLE001 - if it ended the thread, the log would never recover
                log.critical("audit log not read back", error=type(error).__name__, detail=str(error))
                return
        self._tell(self._answer, self._in_doubt, results)
        self._in_doubt = []

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, with everybody who could be told
            self._loop.call_soon_threadsafe(function, *arguments)
