from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from brightline_verify import database, stored
from brightline_verify.database import File, checkpoint_path, verify
from brightline_verify.merkle import Frontier, ProofError
from brightline_verify.note import Checkpoint
from brightline_verify.record import Kind
from brightline_verify.report import Problem, Report, UnreadableError, in_words
from gateway.audit.reader import opened
from gateway.audit.record import Entry, columns
from gateway.audit.show import show
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.tiles import publish
from gateway.canonical import canonical
from tests.support import logs
from tests.support.waiting import until

SIZE = 24


def check(folder: Path) -> Report:
    """The report on the log in `folder`."""
    return verify(folder / "audit.db", logs.trust(folder))


def told(folder: Path) -> tuple[Problem | None, int, int, int, int, tuple[str, ...]]:
    """The report on the log in `folder`, without times."""
    report = check(folder)
    assert report.origin == logs.ORIGIN
    return report.problem, report.first, report.size, report.covered, report.checkpoints, report.open_intents


def found(folder: Path) -> Problem:
    """The problem that the verifier finds in the log in `folder`."""
    problem = check(folder).problem
    assert problem is not None
    return problem


@contextmanager
def tampering(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of the log in `folder`, for somebody who may do anything to it."""
    with logs.reading(folder) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        yield db


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of SIZE entries with a checkpoint after every seven."""
    folder = tmp_path_factory.mktemp("filled")
    logs.fill(folder, SIZE)
    return folder


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    """A copy of that log, to be tampered with."""
    return Path(shutil.copytree(filled, tmp_path / "copy"))


def append(folder: Path, *records: dict[str, Any], sign: bool = True) -> None:
    """Append records as a gateway that has the keys, and a fault, would."""
    store = Store(Sqlite(folder / "audit.db"), logs.signer(folder))
    for record in records:
        leaf = canonical(record)
        store.append([Entry(leaf, *columns(record))])
    if sign:
        store.close()
    else:
        store._kept.release()


def made(kind: Kind, number: int, after_us: int = 0, **fields: Any) -> dict[str, Any]:
    """A record of that kind with the decision id `number`."""
    return {**logs.record(kind, number, after_us=1000 - number + after_us, **fields)}


def test_a_sound_log_verifies(filled: Path) -> None:
    """Every record, every root and every signature of an untouched log hold."""
    assert told(filled) == (None, 0, SIZE, SIZE, 4, ())


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    """A log without entries is sound."""
    logs.fill(tmp_path, 0)
    assert told(tmp_path) == (None, 0, 0, 0, 0, ())


def test_open_intents_are_reported_and_no_problem(copy: Path) -> None:
    """An intent without an outcome is named."""
    append(copy, made(Kind.INTENT, 1000), made(Kind.INTENT, 1001), made(Kind.OUTCOME, 1000))
    report = check(copy)
    assert (report.problem, report.open_intents) == (None, (f"{1001:032x}",))


def test_progress_is_told(filled: Path) -> None:
    """The caller hears how many of how many records are checked."""
    heard: list[tuple[int, int]] = []
    verify(filled / "audit.db", logs.trust(filled), progress=lambda done, size: heard.append((done, size)))
    assert heard == [(SIZE, SIZE)]


def test_pages_are_joined_without_a_gap(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read in pages, and checked in parts; where they are cut makes no difference."""
    for page, part in product((1, 2, 5, SIZE, SIZE + 1), repeat=2):
        monkeypatch.setattr(database, "_AT_ONCE", page)
        monkeypatch.setattr(File, "at_once", part)
        assert told(filled) == (None, 0, SIZE, SIZE, 4, ())


COPY = """
INSERT INTO entries SELECT {}, leaf, hashes, decision_id, kind, time_us, tenant, NULL, mark, NULL
FROM entries WHERE idx = 8
"""
SWAP = """
UPDATE entries SET idx = 100 WHERE idx = 9;
UPDATE entries SET idx = 9 WHERE idx = 10;
UPDATE entries SET idx = 10 WHERE idx = 100
"""
TAMPERING: dict[str, tuple[str, int | None, str]] = {
    "a byte of a record": (
        "UPDATE entries SET leaf = CAST(replace(leaf, 'refusal', 'refusaL') AS BLOB) WHERE idx = 9",
        9,
        "not the one that was hashed",
    ),
    "a stored hash": ("UPDATE entries SET hashes = zeroblob(length(hashes)) WHERE idx = 9", 9, "not the one"),
    "the type of a record": ("UPDATE entries SET leaf = CAST(leaf AS TEXT) WHERE idx = 9", 9, "not the one"),
    "a record that is nothing": ("UPDATE entries SET leaf = x'' WHERE idx = 9", 9, "not the one"),
    "a record that is too large": ("UPDATE entries SET leaf = zeroblob(70000) WHERE idx = 9", 9, "not the one"),
    "a decision id beside a record": (
        "UPDATE entries SET decision_id = 'x' WHERE idx = 9",
        9,
        "columns beside the record",
    ),
    "a kind beside a record": ("UPDATE entries SET kind = 'intent' WHERE idx = 9", 9, "columns beside the record"),
    "a time beside a record": ("UPDATE entries SET time_us = 1 WHERE idx = 9", 9, "columns beside the record"),
    "a tenant beside a record": ("UPDATE entries SET tenant = 'x' WHERE idx = 9", 9, "columns beside the record"),
    "a key beside a record": ("UPDATE entries SET idempotency_key = 'x' WHERE idx = 9", 9, "columns beside the record"),
    "a record taken out": ("DELETE FROM entries WHERE idx = 9", 9, "missing"),
    "the first record taken out": ("DELETE FROM entries WHERE idx = 0", 0, "missing"),
    "two records swapped": (
        SWAP,
        9,
        "not the one",
    ),
    "a record twice": (
        COPY.format(24),
        24,
        "records that don't belong together",
    ),
    "a record before the first": (
        COPY.format(-1),
        -1,
        "the log begins with 0",
    ),
    "the tail": ("DELETE FROM entries WHERE idx >= 22", None, "the tail is missing"),
    "the tail and its checkpoint": (
        "DELETE FROM entries WHERE idx >= 21; DELETE FROM checkpoints WHERE size > 21",
        None,
        "a kept checkpoint covers 24 records, and these are 0 to 20",
    ),
    "everything": ("DELETE FROM entries; DELETE FROM checkpoints", None, "a kept checkpoint covers 24 records"),
    "a checkpoint's text": (
        "UPDATE checkpoints SET note = CAST(replace(note, '14', '13') AS BLOB) WHERE size = 14",
        13,
        "does not hold",
    ),
    "a checkpoint's place": (
        "UPDATE checkpoints SET size = 13 WHERE size = 14",
        12,
        "a checkpoint stands where it does not belong",
    ),
    "a checkpoint's type": ("UPDATE checkpoints SET note = CAST(note AS TEXT) WHERE size = 14", 13, "not bytes"),
    "the origin": ("UPDATE log SET origin = 'x'", None, "not a log of"),
    "the format": ("UPDATE log SET format = 2", None, "not a log of"),
    "a checkpoint of less than nothing": ("UPDATE checkpoints SET size = -1 WHERE size = 7", None, "checkpoint"),
}


@pytest.fixture(params=[1, 5, 1024])
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many records are checked together."""
    monkeypatch.setattr(File, "at_once", request.param)


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize(("change", "index", "what"), TAMPERING.values(), ids=TAMPERING)
def test_whatever_is_changed_is_found_and_named(copy: Path, change: str, index: int | None, what: str) -> None:
    """The first record that is wrong is named, by index and decision id, wherever the log is cut to be checked."""
    with tampering(copy) as db:
        db.executescript(change)
    problem = found(copy)
    assert problem.index == index
    assert what in problem.what
    if index is not None and what != "missing" and "decision id" not in change:
        assert problem.decision_id in {f"{index:032x}", "x"} | {f"{n:032x}" for n in range(8, 11)}


def test_records_that_no_checkpoint_covers_are_told_as_proved_by_nothing(copy: Path) -> None:
    """A live log verifies, and its report says how far it is proved and how many records after that nothing proves."""
    append(copy, made(Kind.REFUSAL, 1000), made(Kind.REFUSAL, 1001), sign=False)
    report = check(copy)
    assert (report.problem, report.covered, report.uncovered, report.unproved) == (None, SIZE, 2, 2)
    told = "  26 records, 2 of them after the last checkpoint: proved up to record 23, by nothing from record 24 on"
    assert in_words(report)[1] == told
    assert report.as_json() | {"ok": True, "covered": SIZE, "unproved": 2, "marks": False} == report.as_json()


def test_a_log_of_which_no_checkpoint_covers_anything_does_not_verify(tmp_path: Path) -> None:
    """Records without any checkpoint do not verify, whatever they say; who looks at marks may take them."""
    logs.fill(tmp_path, 0)
    append(tmp_path, *(made(Kind.REFUSAL, n) for n in range(3)), sign=False)
    assert "no checkpoint covers any of the records" in found(tmp_path).what
    assert verify(tmp_path / "audit.db", logs.trust(tmp_path)).covered == 0
    report = stored.verify(File(tmp_path / "audit.db"), logs.trust(tmp_path), unsigned=True)
    assert (report.problem, report.unproved) == (None, 3)


def test_several_processes_find_what_one_does(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is checked by two processes at once has the same report, sound or not."""
    monkeypatch.setattr(File, "at_once", 5)
    monkeypatch.setattr(stored, "_ALONE", 0)
    for statement in ("", TAMPERING["a stored hash"][0]):
        with tampering(copy) as db:
            db.executescript(statement)
        one, two = (verify(copy / "audit.db", logs.trust(copy), processes=n) for n in (1, 2))
        assert one == two
        assert (one.problem is None) == (not statement)


def test_an_edit_with_all_hashes_made_again_is_found(copy: Path) -> None:
    """Who edits a record and computes every hash of the tree again still lacks the signature on the root."""
    with tampering(copy) as db:
        tree = Frontier()
        for index, leaf in db.execute("SELECT idx, leaf FROM entries ORDER BY idx").fetchall():
            changed = leaf.replace(b"node-1", b"node-2") if index == 9 else leaf
            db.execute("UPDATE entries SET leaf = ?, hashes = ? WHERE idx = ?", (changed, tree.append(changed), index))
    problem = found(copy)
    assert problem.index == 13
    assert "records 7 to 13 do not have the root that was signed" in problem.what


def test_a_splice_of_two_logs_is_found(copy: Path, tmp_path: Path) -> None:
    """Records of one log in the place of another's, hashes and all, are found."""
    other = tmp_path / "other"
    other.mkdir()
    for path in copy.glob("*.key*"):
        shutil.copy(path, other)
    store = Store(Sqlite(other / "audit.db"), logs.signer(other))
    store.append(logs.entries(SIZE, tenant="u"))
    store.close()
    with tampering(copy) as db:
        db.execute("ATTACH ? AS other", (str(other / "audit.db"),))
        db.execute("DELETE FROM entries WHERE idx >= 14")
        db.execute("INSERT INTO entries SELECT * FROM other.entries WHERE idx >= 14")
    assert found(copy).index == 15


def test_a_restored_backup_is_found(copy: Path) -> None:
    """An older database beside the newer checkpoint file is found."""
    backup = (copy / "audit.db").read_bytes()
    append(copy, made(Kind.REFUSAL, 1000))
    (copy / "audit.db").write_bytes(backup)
    assert "a kept checkpoint covers 25 records, and these are 0 to 23" in found(copy).what


def test_a_missing_or_foreign_checkpoint_file_is_found(copy: Path) -> None:
    """Without its checkpoint file, or with one that its key did not sign, a log is not sound."""
    path = checkpoint_path(copy / "audit.db")
    note = path.read_bytes()
    path.write_bytes(note.replace(b"24", b"23", 1))
    assert "does not hold" in found(copy).what
    path.unlink()
    assert "is missing" in found(copy).what


def test_a_checkpoint_file_over_other_entries_is_found(copy: Path) -> None:
    """A file that this key signed over entries that are not these is found."""
    note = logs.signer(copy).sign(Checkpoint(logs.ORIGIN, 3, b"r" * 32).text())
    checkpoint_path(copy / "audit.db").write_bytes(note)
    assert "do not have the root that was kept" in found(copy).what


def test_another_key_verifies_nothing(copy: Path, tmp_path: Path) -> None:
    """With the public key of another log the signatures don't hold."""
    (tmp_path / "other").mkdir()
    assert verify(copy / "audit.db", logs.trust(tmp_path / "other")).problem is not None


def test_an_index_that_hides_a_record_is_found(copy: Path) -> None:
    """An index that no longer lists a record, so that looking it up finds nothing, is damage."""
    with tampering(copy) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = sql || ' WHERE idx <> 9' WHERE name = 'entries_by_decision'")
    with tampering(copy) as db:
        db.execute("REINDEX entries_by_decision")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, ' WHERE idx <> 9', '') WHERE type = 'index'")
    assert "the database is damaged" in found(copy).what


# --- records that a faulty or hostile gateway could have signed -------------------------------------------------------


CONTRADICTIONS: list[tuple[list[dict[str, Any]], str]] = [
    ([made(Kind.OUTCOME, 1000)], "without an open intent"),
    ([made(Kind.OUTCOME, 1000), made(Kind.INTENT, 1000)], "without an open intent"),
    ([made(Kind.INTENT, 1000), made(Kind.INTENT, 1000)], "a second intent"),
    ([made(Kind.INTENT, 1), made(Kind.OUTCOME, 1)], "don't belong together"),
    ([made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000), made(Kind.OUTCOME, 1000)], "without an open intent"),
    ([made(Kind.INTENT, 1000), made(Kind.REFUSAL, 1000)], "don't belong together"),
    (
        [made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000), made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000)],
        "don't belong together",
    ),
    ([made(Kind.REFUSAL, 1000, after_us=-11_000_000)], "older than the ones before"),
    ([{**made(Kind.REFUSAL, 1000), "v": 2}], "version or kind"),
    ([{**made(Kind.REFUSAL, 1000), "kind": "other"}], "version or kind"),
]


@pytest.mark.parametrize(("records", "what"), CONTRADICTIONS)
def test_records_that_contradict_each_other_are_found(copy: Path, records: list[dict[str, Any]], what: str) -> None:
    """Even correctly signed, records that break the rules of the trail are named."""
    append(copy, *records)
    assert what in found(copy).what


@pytest.mark.parametrize(("records", "what"), CONTRADICTIONS)
def test_records_that_contradict_each_other_are_found_across_pages(
    copy: Path, monkeypatch: pytest.MonkeyPatch, records: list[dict[str, Any]], what: str
) -> None:
    """Also where each record is checked by itself; that a decision has two intents is then seen at the end."""
    append(copy, *records)
    monkeypatch.setattr(File, "at_once", 1)
    assert ("don't belong together" if what == "a second intent" else what) in found(copy).what


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"v":1.0}',
        b"\xff",
        b'{"a":1,"a":1}',
        b"[" * 60_000,
        canonical(made(Kind.REFUSAL, 1000)).replace(b'"v"', b' "v"'),
        canonical(made(Kind.REFUSAL, 1000)).replace(b'"v":1', b'"v":1e0'),
    ],
)
def test_a_record_that_is_not_canonical_json_is_found(copy: Path, leaf: bytes) -> None:
    """Bytes in the tree that are no canonical record are named, whatever they are."""
    append_bytes(copy, leaf)
    problem = found(copy)
    assert problem.index == SIZE
    assert "canonical" in problem.what or "malformed" in problem.what


def append_bytes(folder: Path, leaf: bytes) -> None:
    """Append bytes as if they were a record."""
    store = Store(Sqlite(folder / "audit.db"), logs.signer(folder))
    store.append([Entry(leaf, f"{1000:032x}", "refusal", logs.START_US + 1000, "t", None)])
    store.close()


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("entries", "UPDATE entries SET idx = 9223372036854775807 WHERE idx = (SELECT max(idx) FROM entries)"),
        ("entries", "UPDATE entries SET idx = idx + 0.5 WHERE idx = (SELECT max(idx) FROM entries)"),
        ("entries", "UPDATE entries SET idx = 'last' WHERE idx = (SELECT max(idx) FROM entries)"),
        ("checkpoints", "UPDATE checkpoints SET size = 'last' WHERE size = (SELECT max(size) FROM checkpoints)"),
        ("checkpoints", "UPDATE checkpoints SET size = size + 0.5 WHERE size = (SELECT min(size) FROM checkpoints)"),
    ],
)
def test_what_is_no_number_where_one_belongs_is_found(copy: Path, table: str, change: str) -> None:
    """A table that was made again with anything for an index or a size is a problem of the log, and no crash."""
    with tampering(copy) as db:
        again(db, table)
        db.execute(change)
    assert found(copy).what


def again(db: sqlite3.Connection, table: str) -> None:
    """Make a table again, without what its columns ask of a value."""
    db.execute(f"CREATE TABLE other AS SELECT * FROM {table}")  # noqa: S608 - a name of ours
    db.execute(f"DROP TABLE {table}")
    db.execute(f"ALTER TABLE other RENAME TO {table}")


@pytest.mark.parametrize("leaf", ["'text'", "NULL", "zeroblob(70000)"])
def test_what_is_no_record_is_not_published(copy: Path, leaf: str) -> None:
    """A log with anything else than records is told as one that can't be published."""
    with tampering(copy) as db:
        again(db, "entries")
        db.execute(f"UPDATE entries SET leaf = {leaf} WHERE idx = 3")  # noqa: S608 - of the list above
    with pytest.raises(UnreadableError):
        publish(File(copy / "audit.db"), logs.verifier(copy), copy / "tiles")


def test_what_stands_at_no_index_is_not_shown(copy: Path) -> None:
    """A record with anything else than an index is not proved, nor looked for in a log without a name."""
    with tampering(copy) as db:
        again(db, "entries")
        db.execute("UPDATE entries SET idx = 'last' WHERE idx = 3")
    with pytest.raises(ProofError):
        show(File(copy / "audit.db"), logs.verifier(copy), f"{3:032x}")
    with tampering(copy) as db:
        db.execute("DELETE FROM log")
    with pytest.raises(UnreadableError), opened(copy / "audit.db"):
        pass


def test_what_is_no_log_is_unreadable(tmp_path: Path) -> None:
    """No file, a folder, garbage and another database are told apart from a bad log."""
    key, trust = logs.verifier(tmp_path), logs.trust(tmp_path)
    garbage, other = tmp_path / "garbage", tmp_path / "other"
    garbage.write_bytes(b"garbage" * 1000)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    for path in (tmp_path / "missing", tmp_path, garbage, other):
        with pytest.raises(UnreadableError):
            verify(path, trust)
        with pytest.raises(UnreadableError):
            show(File(path), key, "d")


async def test_a_log_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    """The verifier checks what was there when it began, beside the writer, and never sees half a batch."""
    async with logs.opened(tmp_path) as log:
        await until(lambda: check(tmp_path).covered > 0)

        async def write() -> None:
            for _ in range(40):
                await asyncio.gather(*(logs.complete(log) for _ in range(5)))

        writing = asyncio.create_task(write())
        while not writing.done():
            report = await asyncio.to_thread(check, tmp_path)
            assert report.problem is None
        await writing
    assert check(tmp_path).size == 402


# --- show -------------------------------------------------------------------------------------------------------------


def test_a_decision_is_shown_with_a_proof_that_anybody_can_check(copy: Path) -> None:
    """What show returns proves the record with the public key alone."""
    append(copy, made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000))
    shown = show(File(copy / "audit.db"), logs.verifier(copy), f"{1000:032x}")
    assert [s.record["kind"] for s in shown] == ["intent", "outcome"]
    for one in shown:
        assert one.proof is not None
        assert one.leaf == canonical(one.record)
        assert one.proof.verify(one.leaf, logs.verifier(copy)).size == SIZE + 2


def test_a_record_too_young_for_a_checkpoint_is_shown_without_a_proof(copy: Path) -> None:
    """A record that no checkpoint covers yet is shown, and says so."""
    append(copy, made(Kind.REFUSAL, 1000), sign=False)
    (shown,) = show(File(copy / "audit.db"), logs.verifier(copy), f"{1000:032x}")
    assert shown.proof is None


def test_an_unknown_decision_shows_nothing(filled: Path) -> None:
    """There is nothing to show of a decision that is not in the log."""
    assert show(File(filled / "audit.db"), logs.verifier(filled), "x") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET leaf = CAST(replace(leaf, 'node-1', 'node-2') AS BLOB) WHERE idx = 9",
        "UPDATE entries SET leaf = x'6e756c6c' WHERE idx = 9",
        "UPDATE entries SET leaf = 'text' WHERE idx = 9",
        "UPDATE entries SET leaf = 5 WHERE idx = 9",
        "UPDATE entries SET decision_id = '00000000000000000000000000000009' WHERE idx = 8",
        "UPDATE checkpoints SET note = CAST(note AS TEXT) WHERE size = 24",
        "UPDATE entries SET idx = -5 WHERE idx = 9",
        "UPDATE entries SET hashes = zeroblob(length(hashes)) WHERE idx = 7",
        "DELETE FROM entries WHERE idx = 8",
        "UPDATE checkpoints SET note = x'00' WHERE size = 24",
    ],
)
def test_a_record_that_cannot_be_proved_is_not_shown(copy: Path, change: str) -> None:
    """A record, a neighbour or a checkpoint that was changed breaks the proof, and nothing is shown."""
    with tampering(copy) as db:
        db.execute(change)
    with pytest.raises(ProofError):
        show(File(copy / "audit.db"), logs.verifier(copy), f"{9:032x}")
