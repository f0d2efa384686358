from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from brightline_verify.database import checkpoint_path, verify
from brightline_verify.note import open_checkpoint
from gateway.audit.record import Entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import MAX_BATCH, Rejection, Result, Store
from gateway.audit.writer import Writer
from gateway.audit.writing import finished
from gateway.config import Audit
from gateway.errors import GatewayError, Reason
from tests.support import logs
from tests.support.waiting import until
from tests.unit.audit.faults import CHECKPOINTS, ENTRIES, OPEN, Fault, Faults

SHORT_MS = 1000
"""A deadline that a test waits for: long enough for the writer to begin in, on a busy machine too."""


@asynccontextmanager
async def written(folder: Path, faults: Faults, deadline_ms: int = 120_000, **how: int) -> AsyncIterator[Writer]:
    """A writer on the log in `folder`."""
    store = Store(Sqlite(logs.settings(folder).path, faults.connect), logs.signer(folder))
    writer = Writer(store, deadline_ms, **how)
    try:
        yield writer
    finally:
        faults.go_on.set()
        await writer.close()


async def reason(result: asyncio.Future[Result]) -> Reason:
    """Why an append failed."""
    with pytest.raises(GatewayError) as caught:
        await result
    return caught.value.reason


def taken_up(place: Path) -> None:
    """A folder in the place of a file, so that nothing can be put there. The writer may put one there meanwhile."""
    while not place.is_dir():
        place.unlink(missing_ok=True)
        with suppress(FileExistsError):
            place.mkdir()


def stored(folder: Path) -> list[str]:
    """The decision ids in the log, in order."""
    return [r["decision_id"] for r in logs.records(folder)]


def ids(entries: list[Entry]) -> list[str]:
    """The decision ids of entries."""
    return [e.decision_id for e in entries]


async def test_what_waits_together_is_committed_together_and_in_order(tmp_path: Path) -> None:
    """Many entries at once get consecutive indexes in the order in which they were appended."""
    made = logs.entries(3 * MAX_BATCH + 5)
    async with written(tmp_path, Faults()) as writer:
        results = [writer.append(e) for e in made]
        assert await asyncio.gather(*results) == list(range(len(made)))
    assert stored(tmp_path) == ids(made)
    assert verify(tmp_path / "audit.db", logs.trust(tmp_path)).covered == len(made)


async def test_a_rejected_entry_does_not_disturb_its_batch(tmp_path: Path) -> None:
    """An entry with nothing to close is told so, and its neighbours are written."""
    one, other = logs.entries(2)
    lone = Entry(one.leaf, one.decision_id, "outcome", one.time_us, "t", None, closes=True)
    async with written(tmp_path, Faults()) as writer:
        results = [writer.append(e) for e in (one, lone, other)]
        assert await asyncio.gather(*results) == [0, Rejection.NOTHING_TO_CLOSE, 1]


def alerts(told: list[MutableMapping[str, Any]]) -> list[tuple[str, str]]:
    """What the operator's log says of the audit log, and how urgent."""
    return [(line["event"], line["log_level"]) for line in told if line["event"].startswith("audit log")]


def test_a_second_is_what_a_write_has() -> None:
    """Unless the operator says otherwise."""
    assert Audit.model_fields["deadline_ms"].default == 1000


async def test_a_lost_write_is_refused_and_the_log_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry whose write failed is refused with AUDIT_UNAVAILABLE, is not in the log, and the next one is written.

    The operator is alerted, and told when it works again.
    """
    monkeypatch.setattr("gateway.audit.writer.PROBE_S", 3600.0)
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        faults.plan[ENTRIES] = [Fault.LOST]
        with capture_logs() as told:
            assert await reason(writer.append(one)) is Reason.AUDIT_UNAVAILABLE
        assert (writer.ready, writer.healthy) == (True, False)  # what was last to be written is not durable
        assert await writer.append(other) == 0
        assert writer.healthy
    assert stored(tmp_path) == [other.decision_id]
    assert alerts(told) == [("audit log failed", "critical"), ("audit log recovered", "warning")]


async def test_a_lost_acknowledgement_is_no_lost_record(tmp_path: Path) -> None:
    """An entry that was committed although SQLite reported an error is read back and acknowledged, once."""
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        faults.plan[ENTRIES] = [Fault.LIED]
        assert await writer.append(one) == 0
        assert await writer.append(other) == 1
    assert stored(tmp_path) == ids([one, other])


async def test_an_error_that_nobody_foresaw_ends_no_recovery(tmp_path: Path) -> None:
    """Whatever goes wrong while the store is read back, it is refused meanwhile and tried again."""
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        faults.plan = {ENTRIES: [Fault.LOST], OPEN: [Fault.UNFORESEEN] * 2}
        doubtful = writer.append(one)
        await until(lambda: not writer.ready)
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        await until(lambda: writer.ready)
        assert await reason(doubtful) is Reason.AUDIT_UNAVAILABLE
        assert await writer.append(other) == 0


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LIED])
async def test_while_the_store_cannot_be_read_back_everything_is_refused(tmp_path: Path, fault: Fault) -> None:
    """Until the store opens again nothing is written or acknowledged; then the truth about the last batch is told."""
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        faults.plan = {ENTRIES: [fault], OPEN: [Fault.LOST] * 3}
        doubtful = writer.append(one)
        await until(lambda: not writer.ready)
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        assert not doubtful.done()
        await until(lambda: writer.ready)
        if fault is Fault.LIED:
            assert await doubtful == 0
        else:
            assert await reason(doubtful) is Reason.AUDIT_UNAVAILABLE
        assert await writer.append(other) == (1 if fault is Fault.LIED else 0)


async def test_a_log_that_changed_is_never_written_again(tmp_path: Path) -> None:
    """When recovery finds other entries than those written, everything is refused until a person looks at it."""
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        await writer.append(one)
        await until(lambda: not writer.lag.unsigned)
        with logs.reading(tmp_path) as db:
            db.execute("UPDATE entries SET hashes = zeroblob(32)")
        faults.plan[ENTRIES] = [Fault.LOST]
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        for _ in range(3):
            assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        assert not writer.ready
    assert stored(tmp_path) == [one.decision_id]


def rounds(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows by one each time that the thread has tried to recover."""
    real, tried = writer._recover, list[None]()

    def recover() -> None:
        real()
        tried.append(None)

    monkeypatch.setattr(writer, "_recover", recover)
    return tried


async def test_a_log_that_was_changed_and_put_right_is_not_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can change a log can put it back: only a start, which checks it, opens it again."""
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults) as writer:
        await writer.append(one)
        await until(lambda: not writer.lag.unsigned)
        with logs.reading(tmp_path) as db:
            ((hashes,),) = db.execute("SELECT hashes FROM entries").fetchall()
            db.execute("UPDATE entries SET hashes = zeroblob(32)")
        faults.plan[ENTRIES] = [Fault.LOST]
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        with logs.reading(tmp_path) as db:
            db.execute("UPDATE entries SET hashes = ?", (hashes,))
        tried = rounds(writer, monkeypatch)
        await until(lambda: len(tried) > 1)
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
    assert stored(tmp_path) == [one.decision_id]


async def test_a_log_that_can_not_publish_its_checkpoint_is_not_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error, what can be read back is not enough: until a checkpoint is in its place everything is refused."""
    faults = Faults()
    one, lost, other = logs.entries(3)
    async with written(tmp_path, faults, checkpoint_ms=3_600_000) as writer:
        await writer.append(one)
        await until(lambda: not writer.lag.unsigned)
        place = checkpoint_path(tmp_path / "audit.db")
        taken_up(place)
        faults.plan[ENTRIES] = [Fault.LOST]
        assert await reason(writer.append(lost)) is Reason.AUDIT_UNAVAILABLE
        tried = rounds(writer, monkeypatch)
        await until(lambda: len(tried) > 1)
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        place.rmdir()
        await until(lambda: writer.ready)
        assert await writer.append(other) == 1
    assert stored(tmp_path) == ids([one, other])


async def test_a_batch_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait, no commit has more than MAX_BATCH of them."""
    faults = Faults()
    before, *waiting = logs.entries(2 * MAX_BATCH + 6)
    async with written(tmp_path, faults) as writer:
        faults.stall = ENTRIES
        first = writer.append(before)
        await until(faults.stalled.is_set)
        real, sizes = writer._store.append, list[int]()

        def append(batch: list[Entry]) -> list[Result]:
            sizes.append(len(batch))
            return real(batch)

        monkeypatch.setattr(writer._store, "append", append)
        results = [writer.append(e) for e in waiting]
        faults.go_on.set()
        await asyncio.gather(first, *results)
    assert sizes == [MAX_BATCH, MAX_BATCH, 5]


async def test_an_entry_that_is_late_keeps_no_other_of_its_batch_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that are written together, the one whose deadline passed is refused, and the other one is answered."""
    faults = Faults()
    before, late, live = logs.entries(3)
    async with written(tmp_path, faults) as writer:
        faults.stall = ENTRIES
        first = writer.append(before)
        await until(faults.stalled.is_set)
        real, go_on = writer._store.append, threading.Event()

        def append(batch: list[Entry]) -> list[Result]:
            assert go_on.wait(240)
            return real(batch)

        monkeypatch.setattr(writer._store, "append", append)
        refused, answered = writer.append(late), writer.append(live)
        faults.go_on.set()
        assert await first == 0
        await until(lambda: len(writer._in_doubt) == 2)
        writer._expire(writer._in_doubt[0])
        assert await reason(refused) is Reason.AUDIT_UNAVAILABLE
        go_on.set()
        await until(lambda: writer.ready)
        assert answered.result() == 2
    assert stored(tmp_path) == ids([before, late, live])


async def test_a_stalled_store_refuses_within_the_deadline(tmp_path: Path) -> None:
    """While a commit hangs, its entry is refused at the deadline, those behind it are withdrawn, new ones refused."""
    faults = Faults()
    faults.stall = ENTRIES
    stuck, behind, new, after = logs.entries(4)
    async with written(tmp_path, faults, deadline_ms=SHORT_MS) as writer:
        first = writer.append(stuck)
        await until(faults.stalled.is_set)
        second = writer.append(behind)
        with capture_logs() as told:
            assert await reason(first) is Reason.AUDIT_UNAVAILABLE
            assert await reason(second) is Reason.AUDIT_UNAVAILABLE
        assert alerts(told) == [("audit log late", "critical")]  # once, however many are late
        assert not writer.ready
        assert await reason(writer.append(new)) is Reason.AUDIT_UNAVAILABLE
        faults.stall = ""
        faults.go_on.set()
        await until(lambda: writer.ready)
        writer._deadline_s = 60.0  # what comes now has time
        assert await writer.append(after) == 1
    assert stored(tmp_path) == ids([stuck, after])


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_stood_still_forgets_no_answer(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What was durable in time is so, also where nobody could hear of it in time."""

    async def stand_still() -> list[Result]:
        async with written(tmp_path, Faults(), deadline_ms=200) as writer:
            results = [writer.append(e) for e in logs.entries(3)]
            begun = time.monotonic()
            while len(stored(tmp_path)) < 3 or time.monotonic() < begun + 0.3:
                time.sleep(0.01)  # noqa: ASYNC251 - what stands still is the loop
            return list(await asyncio.gather(*results))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(stand_still()) == [0, 1, 2]


async def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    """A real SQLITE_FULL refuses with AUDIT_UNAVAILABLE; when there is space again, nobody has to do anything."""
    faults = Faults()
    faults.max_pages = 16
    async with written(tmp_path, faults) as writer:
        acknowledged = [e for e in logs.entries(100) if await succeeds(writer.append(e))]
        assert 0 < len(acknowledged) < 100
        faults.max_pages = None
        await succeeds(writer.append(logs.entries(1, first=100)[0]))  # may still meet the connection that is full
        await until(lambda: writer.ready)
        last = logs.entries(1, first=101)[0]
        assert await succeeds(writer.append(last))
    assert set(ids([*acknowledged, last])) <= set(stored(tmp_path))
    assert verify(tmp_path / "audit.db", logs.trust(tmp_path)).problem is None


async def succeeds(result: asyncio.Future[Result]) -> bool:
    """Whether an append is acknowledged; a refusal is AUDIT_UNAVAILABLE."""
    try:
        await result
    except GatewayError as error:
        assert error.reason is Reason.AUDIT_UNAVAILABLE
        return False
    return True


async def test_a_locked_database_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    """Somebody else's lock on the database refuses calls; when he is gone the log goes on."""
    async with written(tmp_path, Faults()) as writer:
        with logs.reading(tmp_path) as db:
            db.execute("BEGIN IMMEDIATE")
            first, second = logs.entries(2)
            result = writer.append(first)
            await until(lambda: not writer.ready)
        assert await reason(result) is Reason.AUDIT_UNAVAILABLE
        await until(lambda: writer.ready)
        assert await writer.append(second) == 0


@pytest.mark.parametrize("often", [{"checkpoint_ms": 10}, {"checkpoint_ms": 3_600_000, "checkpoint_records": 5}])
async def test_checkpoints_are_signed_while_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, often: dict[str, int]
) -> None:
    """After so much time or so many records a checkpoint covers what was written, in the database and in the file."""
    monkeypatch.setattr("gateway.audit.writer.PROBE_S", 3600.0)  # nor because nobody wrote
    async with written(tmp_path, Faults(), **often) as writer:
        await writer.append(logs.entries(1)[0])
        await asyncio.gather(*(writer.append(e) for e in logs.entries(5, first=1)))
        file = checkpoint_path(tmp_path / "audit.db")
        await until(lambda: open_checkpoint(file.read_bytes(), logs.verifier(tmp_path)).size == 6)
        assert verify(tmp_path / "audit.db", logs.trust(tmp_path)).covered == 6


async def test_the_first_checkpoint_of_a_log_is_signed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log verifies from its first record on, however rarely checkpoints are signed."""
    monkeypatch.setattr("gateway.audit.writer.PROBE_S", 3600.0)
    async with written(tmp_path, Faults(), checkpoint_ms=3_600_000) as writer:
        await writer.append(logs.entries(1)[0])
        file = checkpoint_path(tmp_path / "audit.db")
        await until(lambda: open_checkpoint(file.read_bytes(), logs.verifier(tmp_path)).size == 1)
        await writer.append(logs.entries(1, first=1)[0])
        report = verify(tmp_path / "audit.db", logs.trust(tmp_path))
        assert (report.problem, report.covered, report.unproved) == (None, 1, 1)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LIED])
async def test_a_checkpoint_that_cannot_be_signed_is_signed_later(tmp_path: Path, fault: Fault) -> None:
    """A checkpoint that fails, either way, loses no record and is made again."""
    faults = Faults()
    faults.plan[CHECKPOINTS] = [fault] * 2
    async with written(tmp_path, faults, checkpoint_ms=10) as writer:
        await writer.append(logs.entries(1)[0])
        await until(lambda: not faults.plan[CHECKPOINTS] and writer.ready)
        await writer.append(logs.entries(1, first=1)[0])
    report = verify(tmp_path / "audit.db", logs.trust(tmp_path))
    assert (report.problem, report.covered) == (None, 2)


async def test_closing_writes_what_waits_and_refuses_what_comes(tmp_path: Path) -> None:
    """Entries appended before the close are durable after it; later ones are refused."""
    made = logs.entries(50)
    async with written(tmp_path, Faults()) as writer:
        results = [writer.append(e) for e in made[:-1]]
        assert await writer.close()
        assert [r.result() for r in results] == list(range(49))
        assert not writer.ready  # or what comes would wait in vain until its deadline
        assert await reason(writer.append(made[-1])) is Reason.AUDIT_UNAVAILABLE
    assert stored(tmp_path) == ids(made[:-1])


async def test_closing_a_stalled_store_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A close that can't be done within the deadline says so."""
    faults = Faults()
    async with written(tmp_path, faults, deadline_ms=SHORT_MS) as writer:
        faults.stall = ENTRIES
        result = writer.append(logs.entries(1)[0])
        await until(faults.stalled.is_set)
        assert not await writer.close()
        assert await reason(result) is Reason.AUDIT_UNAVAILABLE
        faults.go_on.set()
        await until(writer._closed.done)


async def test_a_cancelled_waiter_waits_until_the_write_is_done(tmp_path: Path) -> None:
    """However often a task is cancelled, it learns of it only after the record is durable."""
    faults = Faults()
    faults.stall = ENTRIES
    async with written(tmp_path, faults) as writer:
        result = writer.append(logs.entries(1)[0])
        waiting = asyncio.create_task(finished(result))
        await until(faults.stalled.is_set)
        for _ in range(3):
            waiting.cancel()
            await asyncio.sleep(0)
        assert not waiting.done()
        faults.go_on.set()
        assert await waiting
        assert result.result() == 0


async def test_an_error_that_is_not_sqlites_is_in_doubt_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any exception in the middle of a write is read back before anybody is answered."""
    async with written(tmp_path, Faults()) as writer:
        real = writer._store._kept.insert

        def insert(values: list[object]) -> None:
            real(values)
            monkeypatch.undo()
            raise MemoryError

        monkeypatch.setattr(writer._store._kept, "insert", insert)
        assert await writer.append(logs.entries(1)[0]) == 0


async def test_the_reader_is_never_in_the_way(tmp_path: Path) -> None:
    """A reader in the middle of a transaction does not hold up appending."""
    async with written(tmp_path, Faults()) as writer:
        await writer.append(logs.entries(1)[0])
        with logs.reading(tmp_path) as db:
            db.execute("BEGIN")
            assert db.execute("SELECT count(*) FROM entries").fetchone() == (1,)
            assert await writer.append(logs.entries(1, first=1)[0]) == 1
            assert db.execute("SELECT count(*) FROM entries").fetchone() == (1,)
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")


async def test_an_idle_log_notices_by_itself_what_it_can_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any call, a log that can't be written is not healthy, and is again once it can be."""
    monkeypatch.setattr("gateway.audit.writer.PROBE_S", 0.05)
    async with written(tmp_path, Faults()) as writer:
        assert await writer.append(logs.entries(1)[0]) == 0
        place = checkpoint_path(tmp_path / "audit.db")
        await until(place.is_file)
        taken_up(place)
        await until(lambda: not writer.healthy)
        place.rmdir()
        await until(lambda: writer.healthy)


async def test_a_log_that_was_late_is_healthy_once_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health does not wait for a call that comes only where health is good."""
    monkeypatch.setattr("gateway.audit.writer.PROBE_S", 0.05)
    faults = Faults()
    one, other = logs.entries(2)
    async with written(tmp_path, faults, SHORT_MS) as writer:
        assert await writer.append(one) == 0
        faults.stall = ENTRIES
        assert await reason(writer.append(other)) is Reason.AUDIT_UNAVAILABLE
        assert not writer.healthy
        faults.go_on.set()
        await until(lambda: writer.healthy)
