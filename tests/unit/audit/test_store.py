from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brightline_verify.database import File, Table, checkpoint_path, verify
from brightline_verify.merkle import Frontier
from brightline_verify.record import Kind
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError
from gateway.audit import disk, sqlite
from gateway.audit.keys import create_signing_key
from gateway.audit.marks import tail_path
from gateway.audit.record import Entry, entry
from gateway.audit.sqlite import Connect, Sqlite, SqliteError, connect
from gateway.audit.store import MAX_BATCH, Rejection, Store
from gateway.errors import StartError
from tests.support import logs
from tests.unit.audit.faults import CHECKPOINTS, ENTRIES, Fault, Faults


@contextmanager
def stored(folder: Path, connect: Connect = connect) -> Iterator[Store]:
    """The store of the log in `folder`, open."""
    store = Store(Sqlite(logs.settings(folder).path, connect), logs.signer(folder))
    try:
        yield store
    finally:
        store.close()


def keyed(number: int, key: str, tenant: str = "t") -> Entry:
    """An intent with an idempotency key."""
    return entry(logs.record(Kind.INTENT, number, tenant, idempotency_key=key))


def closing_of(number: int) -> Entry:
    """An outcome that is only written when it closes an intent."""
    return entry(logs.record(Kind.OUTCOME, number), closes=True)


def sound(folder: Path, size: int) -> None:
    """The closed log in `folder` has `size` entries, all under a checkpoint, and verifies."""
    report = verify(folder / "audit.db", logs.trust(folder))
    assert (report.problem, report.size, report.covered) == (None, size, size)


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    """Entries get consecutive indexes, and the tree goes on where it was."""
    with stored(tmp_path) as store:
        assert store.append(logs.entries(3)) == [0, 1, 2]
        tree = store.frontier
    with stored(tmp_path) as store:
        assert store.frontier == tree
        assert store.append(logs.entries(2, first=3)) == [3, 4]
        assert store.last_time_us() == logs.START_US + 4
    sound(tmp_path, 5)


@pytest.mark.parametrize("former", [False, True])
def test_starts_and_releases_are_found_without_reading_the_rest(tmp_path: Path, *, former: bool) -> None:
    """What a start looks for is found by an index, newest first; a log that a former version made gets one."""
    some = [entry(logs.record(kind, n)) for n, kind in enumerate((Kind.START, Kind.CHECK, Kind.RELEASE, Kind.CHECK))]
    with stored(tmp_path) as store:
        store.append(some)
    with closing(sqlite3.connect(tmp_path / "audit.db")) as db:
        if former:
            db.execute("DROP INDEX entries_of_releases")
    with stored(tmp_path) as store:
        assert list(store.releases()) == [some[2].leaf, some[0].leaf]
    with closing(sqlite3.connect(tmp_path / "audit.db")) as db:
        plans = [[step[3] for step in db.execute(f"EXPLAIN QUERY PLAN {q}")] for q in (sqlite._RELEASES, sqlite._OPEN)]
    assert "SEARCH i USING INTEGER PRIMARY KEY (rowid>?)" in plans[1]
    assert all(any(step.endswith("INDEX entries_of_releases") for step in plan) for plan in plans)


class Opened(RuleBasedStateMachine):
    """A log with intents, some of which get an outcome, while it is checkpointed, closed, and left by a crash."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.opened()
        self.open: dict[int, int] = {}
        self.number = 0

    def opened(self) -> Store:
        path = Path(self.folder.name)
        return Store(Sqlite(logs.settings(path).path), logs.signer(path))

    @rule(several=st.integers(1, 3))
    def intend(self, several: int) -> None:
        batch = [keyed(self.number + n, f"key-{self.number + n}") for n in range(several)]
        for index in self.store.append(batch):
            assert isinstance(index, int)
            self.open[self.number] = index
            self.number += 1

    @rule(data=st.data(), closes=st.booleans())
    @precondition(lambda self: self.open)
    def end(self, data: st.DataObject, *, closes: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.store.append([entry(logs.record(Kind.OUTCOME, number), closes=closes)])
        del self.open[number]

    @rule()
    def other(self) -> None:
        self.store.append(logs.entries(2, first=10_000 + self.store.frontier.size))

    @rule()
    def checkpoint(self) -> None:
        self.store.checkpoint()
        with closing(sqlite3.connect(Path(self.folder.name) / "audit.db")) as db:
            found = db.execute("SELECT open_from, size FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        if found is not None:
            assert found[0] <= min(self.open.values(), default=found[1])

    @rule(crashes=st.booleans())
    def start_again(self, *, crashes: bool) -> None:
        if crashes:
            self.store._kept.release()
        else:
            self.store.close()
        self.store = self.opened()

    @invariant()
    def what_is_open_is_known(self) -> None:
        assert self.store.orphans() == [(f"{number:032x}", "t") for number in self.open]

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


Opened.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


class TestWhatIsOpen(Opened.TestCase):  # type: ignore[misc,name-defined]  # hypothesis makes it
    """Whatever becomes of the process, the next start finds every intent without an outcome and no other one."""


def test_a_start_looks_no_further_back_than_the_last_checkpoint_says(tmp_path: Path) -> None:
    """What lies below the oldest open intent is not looked at; in a former version's log, what lies below its start."""
    with stored(tmp_path) as store:
        store.append([keyed(0, "a")])
        store.append([closing_of(0), keyed(1, "b"), entry(logs.record(Kind.START, 2)), keyed(3, "c")])
    for change, numbers in {
        "UPDATE checkpoints SET open_from = 2 WHERE open_from = 2": (1, 3),
        "UPDATE checkpoints SET open_from = 3": (3,),
        "ALTER TABLE checkpoints DROP COLUMN open_from": (3,),
    }.items():
        with closing(sqlite3.connect(tmp_path / "audit.db")) as db, db:
            db.execute(change)
        with stored(tmp_path) as store:
            assert store.orphans() == [(f"{n:032x}", "t") for n in numbers]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, MAX_BATCH), max_size=5))
def test_the_tree_does_not_depend_on_the_batches(sizes: list[int]) -> None:
    """However entries are cut into batches, the tree is that of appending them one by one."""
    with tempfile.TemporaryDirectory() as folder, stored(Path(folder)) as store:
        expected, done = Frontier(), 0
        for size in sizes:
            batch = logs.entries(size, first=done)
            assert store.append(batch) == list(range(done, done + size))
            for one in batch:
                expected.append(one.leaf)
            done += size
        assert store.frontier == expected


def test_the_log_is_private(tmp_path: Path) -> None:
    """Only the gateway's own user can read the log and what SQLite keeps beside it."""
    with stored(tmp_path) as store:
        store.append(logs.entries(1))
        modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.glob("audit.db*") if p.suffix != ".checkpoint"}
    assert modes == {0o600}


def test_two_writers_on_one_log_are_refused(tmp_path: Path) -> None:
    """The second writer is refused at start, and the first goes on."""
    with stored(tmp_path) as store:
        with pytest.raises(StartError, match="another process writes this log"), stored(tmp_path):
            pass
        assert store.append(logs.entries(1)) == [0]
    sound(tmp_path, 1)


def test_a_key_is_used_once_by_a_tenant(tmp_path: Path) -> None:
    """A second intent with the same idempotency key is rejected, in the same batch or later; other tenants are free."""
    with stored(tmp_path) as store:
        batch = [keyed(0, "k"), keyed(1, "k"), keyed(2, "k", "other"), keyed(3, "l")]
        assert store.append(batch) == [0, Rejection.DUPLICATE_KEY, 1, 2]
        assert store.append([keyed(4, "k")]) == [Rejection.DUPLICATE_KEY]
    with stored(tmp_path) as store:
        assert store.append([keyed(5, "k")]) == [Rejection.DUPLICATE_KEY]
    sound(tmp_path, 3)


def test_only_an_open_intent_can_be_closed(tmp_path: Path) -> None:
    """An outcome that closes is written once, and only after its intent."""
    with stored(tmp_path) as store:
        assert store.append([closing_of(0)]) == [Rejection.NOTHING_TO_CLOSE]
        store.append([keyed(0, "k")])
        assert store.orphans() == [(f"{0:032x}", "t")]
        assert store.append([closing_of(0)]) == [1]
        assert store.append([closing_of(0)]) == [Rejection.NOTHING_TO_CLOSE]
        assert store.orphans() == []
    sound(tmp_path, 2)


def test_what_is_written_beside_it_counts_for_what_closes(tmp_path: Path) -> None:
    """In one batch an intent can be closed after it and not before it, and what has its outcome is not closed again."""
    outcome = entry(logs.record(Kind.OUTCOME, 2))
    with stored(tmp_path) as store:
        assert store.append([closing_of(0), keyed(0, "k"), closing_of(0), closing_of(0)]) == [
            Rejection.NOTHING_TO_CLOSE,
            0,
            1,
            Rejection.NOTHING_TO_CLOSE,
        ]
        assert store.append([keyed(1, "k"), closing_of(1), keyed(2, "l"), outcome, closing_of(2)]) == [
            Rejection.DUPLICATE_KEY,
            Rejection.NOTHING_TO_CLOSE,
            2,
            3,
            Rejection.NOTHING_TO_CLOSE,
        ]
        assert store.orphans() == []
    sound(tmp_path, 4)


@pytest.mark.parametrize("batch", [1, 3, MAX_BATCH])
def test_a_lost_batch_leaves_nothing(tmp_path: Path, batch: int) -> None:
    """A batch that failed before it was done is not there after recovery, and the log goes on."""
    faults = Faults()
    with stored(tmp_path, faults.connect) as store:
        store.append(logs.entries(2))
        faults.plan[ENTRIES] = [Fault.LOST]
        with pytest.raises(SqliteError):
            store.append(logs.entries(batch, first=2))
        assert store.recover() is None
        assert store.append(logs.entries(1, first=2)) == [2]
    sound(tmp_path, 3)


def test_a_reader_that_stands_still_is_not_in_the_way_of_recovery(tmp_path: Path) -> None:
    """Whoever stops in the middle of a log keeps its writer neither from recovering nor from using its files again."""
    faults = Faults()
    with stored(tmp_path, faults.connect) as store, File(tmp_path / "audit.db").reading() as rows:
        for n in range(10):
            store.append(logs.entries(MAX_BATCH, first=n * MAX_BATCH))
        reading = rows.rows(0, 10 * MAX_BATCH)
        assert next(reading)[0] == 0
        faults.plan[ENTRIES] = [Fault.LOST]
        with pytest.raises(SqliteError):
            store.append(logs.entries(1, first=10 * MAX_BATCH))
        assert store.recover() is None
        assert (tmp_path / "audit.db-wal").stat().st_size == 0
        assert [index for index, *_ in reading] == [*range(1, 10 * MAX_BATCH)]


@settings(max_examples=50)
@given(st.sets(st.integers(0, 1 << 40) | st.integers(0, 5000)), st.integers(0, 5000), st.integers(0, 1 << 41))
def test_records_are_read_in_order_whichever_are_missing(indexes: set[int], first: int, end: int) -> None:
    """Rows are all between two indexes, in order, however far apart they are, and each as often as it is there."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE entries (idx, leaf, hashes, decision_id, kind, time_us, tenant, idempotency_key)")
        db.executemany("INSERT INTO entries (idx) VALUES (?)", [(index,) for index in (*indexes, *indexes)])
        expected = sorted(index for index in (*indexes, *indexes) if first <= index < end)
        assert [index for index, *_ in Table(db).rows(first, end)] == expected


@pytest.mark.parametrize("batch", [1, 3, MAX_BATCH])
def test_a_batch_whose_acknowledgement_is_lost_is_found(tmp_path: Path, batch: int) -> None:
    """A batch that was committed although it was reported failed is read back, with its results, and not repeated."""
    faults = Faults()
    with stored(tmp_path, faults.connect) as store:
        store.append(logs.entries(2))
        faults.plan[ENTRIES] = [Fault.LIED]
        with pytest.raises(SqliteError):
            store.append(logs.entries(batch, first=2))
        assert store.recover() == list(range(2, 2 + batch))
        assert store.append(logs.entries(1, first=2 + batch)) == [2 + batch]
    sound(tmp_path, 3 + batch)


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    """From its creation over faults and restarts to its end, a log is only added to."""
    asked: list[str] = []

    class Told(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            asked.append(sql.split(maxsplit=1)[0] + (" OR " + sql.split()[2] if sql.startswith("INSERT OR") else ""))
            return super().execute(sql, parameters)

    def told(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Told)

    for round_ in range(2):
        with stored(tmp_path, told) as store:
            store.append([keyed(3 * round_, f"key-{round_}"), keyed(3 * round_ + 1, "key")])
            store.checkpoint()
            store.checkpoint()
            assert store.recover() is None
            store.append([closing_of(3 * round_)])
    assert set(asked) <= {"PRAGMA", "SELECT", "CREATE", "BEGIN", "COMMIT", "INSERT", "INSERT OR IGNORE"}
    sound(tmp_path, 5)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LIED])
def test_a_checkpoint_that_fails_is_made_again(tmp_path: Path, fault: Fault) -> None:
    """A checkpoint that was lost, or stored and reported failed, is there once after recovery."""
    faults = Faults()
    with stored(tmp_path, faults.connect) as store:
        store.append(logs.entries(2))
        faults.plan[CHECKPOINTS] = [fault]
        with pytest.raises(SqliteError):
            store.checkpoint()
        assert store.recover() is None
        store.checkpoint()
    sound(tmp_path, 2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_checkpoint_file_that_cannot_be_synced_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """EIO on syncing the file or its folder fails the checkpoint; it is made again and the log verifies."""
    real, calls = os.fsync, iter(range(100))

    def fsync(descriptor: int) -> None:
        if next(calls) == which:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with stored(tmp_path) as store:
        store.append(logs.entries(2))
        monkeypatch.setattr(disk.os, "fsync", fsync)
        with pytest.raises(OSError, match="Input/output error"):
            store.checkpoint()
        assert store.unsigned == 2
        store.checkpoint()
    sound(tmp_path, 2)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LIED])
@pytest.mark.parametrize("statement", ["CREATE TABLE entries", "INSERT INTO log", "COMMIT", "PRAGMA journal_mode"])
def test_a_log_that_fails_to_be_created_is_created_by_the_next_start(
    tmp_path: Path, statement: str, fault: Fault
) -> None:
    """A failure anywhere in the creation refuses the start; the next one begins again, or goes on."""
    faults = Faults()
    faults.plan[statement] = [fault]
    with pytest.raises(StartError), stored(tmp_path, faults.connect):
        pass
    with stored(tmp_path) as store:
        assert store.append(logs.entries(1)) == [0]
    sound(tmp_path, 1)


def test_entries_that_changed_under_the_writer_stop_it(tmp_path: Path) -> None:
    """When reading back shows other entries than those written, recovery says corrupt."""
    faults = Faults()
    with stored(tmp_path, faults.connect) as store:
        store.append(logs.entries(4))
        for change in (
            "UPDATE entries SET hashes = zeroblob(length(hashes)) WHERE idx = 3",
            "DELETE FROM entries WHERE idx = 3",
        ):
            with logs.reading(tmp_path) as db:
                db.execute(change)
            with pytest.raises(CorruptError):
                store.recover()


def test_an_entry_that_nobody_wrote_stops_the_writer(tmp_path: Path) -> None:
    """When somebody else appends to the database, even correctly, recovery says corrupt."""
    with stored(tmp_path) as store:
        store.append(logs.entries(2))
        hashes, leaf = store.frontier.copy().append(b"{}"), b"{}"
        with logs.reading(tmp_path) as db:
            db.execute("INSERT INTO entries VALUES (2, ?, ?, 'd', 'refusal', 1, '', NULL, NULL, NULL)", (leaf, hashes))
        with pytest.raises(CorruptError, match="entry 2 is not what the columns beside it say"):
            store.recover()


def test_a_locked_database_fails_and_works_again_when_it_is_free(tmp_path: Path) -> None:
    """Somebody who holds a lock on the database makes writing and recovery fail, without a stall, until he is gone."""
    with stored(tmp_path, Faults().connect) as store:
        store.append(logs.entries(1))
        with logs.reading(tmp_path) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(OSError, match="locked"):
                store.append(logs.entries(1, first=1))
            with pytest.raises(SqliteError):
                store.recover()
        assert store.recover() is None
        assert store.append(logs.entries(1, first=1)) == [1]
    sound(tmp_path, 2)


def test_a_read_only_database_fails_and_works_again_when_it_is_writable(tmp_path: Path) -> None:
    """A store that turned read-only refuses every write, and goes on when it is writable again."""
    with stored(tmp_path) as store:
        store.append(logs.entries(1))
        store._kept._db.execute("PRAGMA query_only = ON")
        with pytest.raises(OSError, match="readonly"):
            store.append(logs.entries(1, first=1))
        assert store.recover() is None
        assert store.append(logs.entries(1, first=1)) == [1]
    sound(tmp_path, 2)


def test_a_full_disk_fails_and_works_again_when_there_is_space(tmp_path: Path) -> None:
    """SQLite's own SQLITE_FULL loses the whole batch; with space, the log goes on."""
    faults = Faults()
    faults.max_pages = 16
    with stored(tmp_path, faults.connect) as store:
        store.append(logs.entries(16))
        with pytest.raises(OSError, match="full"):
            store.append(logs.entries(MAX_BATCH, first=16))
        faults.max_pages = None
        assert store.recover() is None
        assert store.append(logs.entries(MAX_BATCH, first=16)) == list(range(16, 16 + MAX_BATCH))
    sound(tmp_path, 16 + MAX_BATCH)


# --- starts that are refused ------------------------------------------------------------------------------------------

TAMPERING: dict[str, Callable[[sqlite3.Connection], object]] = {
    "edited": lambda db: db.execute(
        "UPDATE entries SET leaf = CAST(replace(leaf, 'refusal', 'outcome') AS BLOB) WHERE idx = 8"
    ),
    "retyped": lambda db: db.execute("UPDATE entries SET leaf = CAST(leaf AS TEXT) WHERE idx = 8"),
    "retyped_hash": lambda db: db.execute("UPDATE entries SET hashes = CAST(hex(hashes) AS TEXT) WHERE idx = 6"),
    "edited_hash": lambda db: db.execute("UPDATE entries SET hashes = zeroblob(32) WHERE idx = 8"),
    "deleted": lambda db: db.execute("DELETE FROM entries WHERE idx = 8"),
    "swapped": lambda db: db.executescript(
        "UPDATE entries SET idx = 100 WHERE idx = 8; UPDATE entries SET idx = 8 WHERE idx = 9;"
        "UPDATE entries SET idx = 9 WHERE idx = 100;"
    ),
    "duplicated": lambda db: db.execute(
        "INSERT INTO entries SELECT 10, leaf, hashes, decision_id, kind, time_us, tenant, NULL, mark, blocks"
        " FROM entries WHERE idx = 9"
    ),
    "tail": lambda db: db.execute("DELETE FROM entries WHERE idx >= 6"),
    "last": lambda db: db.execute("DELETE FROM entries WHERE idx = 9"),
    "unmarked": lambda db: db.execute("UPDATE entries SET mark = NULL WHERE idx = 9"),
    "edited_column": lambda db: db.execute("UPDATE entries SET tenant = 'other' WHERE idx = 8"),
    "tail_and_checkpoint": lambda db: db.executescript(
        "DELETE FROM entries WHERE idx >= 6; DELETE FROM checkpoints WHERE size > 6"
    ),
    "forged_checkpoint": lambda db: db.execute("UPDATE checkpoints SET note = x'00' WHERE size = 7"),
    "other_format": lambda db: db.execute("UPDATE log SET format = 99"),
    "other_origin": lambda db: db.execute("UPDATE log SET origin = 'other'"),
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_a_log_with_a_changed_tail_is_refused(tmp_path: Path, tamper: Callable[[sqlite3.Connection], object]) -> None:
    """Whatever was done to what the last checkpoint does not cover yet, or to that checkpoint, the start is refused."""
    with stored(tmp_path) as store:
        store.append(logs.entries(7))
        store.checkpoint()
        store.append(logs.entries(3, first=7))
        shutil.copytree(tmp_path, tmp_path / "crashed")
    folder = tmp_path / "crashed"
    with logs.reading(folder) as db:
        tamper(db)
    with pytest.raises(StartError, match=r"audit\.path"), stored(folder):
        pass


def test_a_restored_backup_is_refused(tmp_path: Path) -> None:
    """A database older than the checkpoint file beside it refuses the start, naming both sizes."""
    logs.fill(tmp_path, 5)
    backup = (tmp_path / "audit.db").read_bytes()
    with stored(tmp_path) as store:
        store.append(logs.entries(3, first=5))
    (tmp_path / "audit.db").write_bytes(backup)
    with pytest.raises(StartError, match=r"has 5 entries, but .* was signed over 8"), stored(tmp_path):
        pass


def test_a_lost_database_is_refused(tmp_path: Path) -> None:
    """A log whose database is gone does not begin again as if there had been nothing."""
    logs.fill(tmp_path, 5)
    (tmp_path / "audit.db").unlink()
    with pytest.raises(StartError, match=r"has 0 entries, but .* was signed over 5"), stored(tmp_path):
        pass


def test_a_missing_checkpoint_file_is_refused(tmp_path: Path) -> None:
    """Without the file a log that lost its tail would look whole."""
    logs.fill(tmp_path, 5)
    checkpoint_path(tmp_path / "audit.db").unlink()
    with pytest.raises(StartError, match="is missing"), stored(tmp_path):
        pass


def test_a_checkpoint_file_of_another_history_is_refused(tmp_path: Path) -> None:
    """A file of the same size that was signed over other entries refuses the start."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    logs.fill(one, 5)
    shutil.copy(one / "log.key", other)
    shutil.copy(one / "log.key.pub", other)
    with stored(other) as store:
        store.append(logs.entries(5, first=50))
    shutil.copy(checkpoint_path(other / "audit.db"), checkpoint_path(one / "audit.db"))
    with pytest.raises(StartError, match="do not have the root"), stored(one):
        pass


def test_a_rotated_key_does_not_continue_a_log(tmp_path: Path) -> None:
    """A log is continued only by the key that signed its checkpoints."""
    logs.fill(tmp_path, 5)
    for path in tmp_path.glob("log.key*"):
        path.unlink()
    create_signing_key(tmp_path / "log.key", logs.ORIGIN)
    with pytest.raises(StartError, match="not signed"), stored(tmp_path):
        pass


@pytest.mark.parametrize("data", [b"garbage" * 1000, b"SQLite format 3\x00" + bytes(4080)])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file that is not a database is refused, not overwritten."""
    path = logs.settings(tmp_path).path
    path.write_bytes(data)
    with pytest.raises(StartError, match=r"audit\.path"), stored(tmp_path):
        pass
    assert path.read_bytes() == data


def test_another_database_is_refused(tmp_path: Path) -> None:
    """A database of something else is not taken for an empty log."""
    with closing(sqlite3.connect(logs.settings(tmp_path).path)) as db:
        db.execute("CREATE TABLE other (x)")
    with pytest.raises(StartError, match="no such table: log"), stored(tmp_path):
        pass


@pytest.mark.parametrize("page", range(1, 9))
def test_a_corrupt_page_is_found(tmp_path: Path, page: int) -> None:
    """A page full of noise, wherever it is, does not get past the verifier."""
    logs.fill(tmp_path, 30)
    with (tmp_path / "audit.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    try:
        found = verify(tmp_path / "audit.db", logs.trust(tmp_path)).problem is not None
    except UnreadableError:
        found = True
    assert found


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    """A path whose folder does not exist refuses the start with the system's words."""
    with pytest.raises(StartError, match="No such file"):
        Store(Sqlite(tmp_path / "missing" / "audit.db"), logs.signer(tmp_path))


@pytest.mark.parametrize("cut", [1, 32, 4096, 100_000])
def test_a_torn_write_ahead_log_is_cut_or_refused(tmp_path: Path, cut: int) -> None:
    """A torn end of the write-ahead log loses whole batches, and is refused when a checkpoint or mark was over them."""
    crashed = tmp_path / "crashed"
    with stored(tmp_path) as store:
        store.append(logs.entries(10))
        store.checkpoint()
        for n in range(10, 40):
            store.append(logs.entries(1, first=n))
        shutil.copytree(tmp_path, crashed)
    (crashed / "audit.db-shm").unlink()
    wal = crashed / "audit.db-wal"
    os.truncate(wal, wal.stat().st_size - cut)
    with pytest.raises(StartError, match=r"was signed over 10|is the mark of 40"), stored(crashed):
        pass
    tail_path(crashed / "audit.db").unlink()
    try:
        with stored(crashed) as store:
            size = store.frontier.size
    except StartError as error:
        assert "was signed over 10" in str(error)
        return
    assert 10 <= size < 40
    sound(crashed, size)


def test_the_lock_ends_with_the_process_however_it_ends(tmp_path: Path) -> None:
    """A writer that was killed does not keep the next one out."""
    logs.settings(tmp_path)
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.support import logs;"
        "from gateway.audit.sqlite import Sqlite; from gateway.audit.store import Store; f = Path(sys.argv[1]);"
        "s = Store(Sqlite(f / 'audit.db'), logs.signer(f)); s.append(logs.entries(3));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert killed.returncode == -9
    with stored(tmp_path) as store:
        assert store.frontier.size == 3
