from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightline_verify.database import File
from brightline_verify.merkle import Frontier
from brightline_verify.record import Kind
from gateway.audit import marks
from gateway.audit.marks import Marks, Tail, tail_path
from gateway.audit.record import entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.errors import StartError
from tests.support import logs

SIGNED, COMMITS = 5, (3, 1, 2, 1)
SIZE = SIGNED + sum(COMMITS)
Tampered: TypeAlias = list[list[Any]]
"""The records above the checkpoint: leaf, columns, mark."""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose gateway was killed: a checkpoint, and several commits above it."""
    folder = tmp_path_factory.mktemp("log")
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    store.append(logs.entries(SIGNED))
    store.checkpoint()
    for count in COMMITS:
        store.append(logs.entries(count, first=store.frontier.size))
    store._kept.release()
    return folder


def restarted(folder: Path) -> int:
    """How many records a start finds. Raises StartError."""
    store = Store(Sqlite(folder / "audit.db"), logs.signer(folder))
    store._kept.release()
    return store.frontier.size


def changed(folder: Path, change: Callable[[Tampered], object]) -> bool:
    """Change what is above the checkpoint, as somebody who knows everything but the key: hashes fit afterwards.

    Returns whether a record is another than before.
    """
    with closing(sqlite3.connect(folder / "audit.db", isolation_level=None)) as db:
        columns = "leaf, decision_id, kind, time_us, tenant, idempotency_key, mark"
        rows = [list(row) for row in db.execute(f"SELECT {columns} FROM entries ORDER BY idx")]  # noqa: S608 - constants
        tree = Frontier()
        for leaf, *_ in rows[:SIGNED]:
            tree.append(leaf)
        above = [list(row) for row in rows[SIGNED:]]
        change(above)
        db.execute("BEGIN")
        db.execute("DELETE FROM entries WHERE idx >= ?", (SIGNED,))
        for leaf, *rest in above:
            row = (tree.size, leaf, tree.append(leaf), *rest)
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
        db.execute("COMMIT")
        return [row[:6] for row in above] != [row[:6] for row in rows[SIGNED:]]


def made(number: int, mark: object) -> list[Any]:
    """A sound record."""
    one = entry(logs.record(Kind.REFUSAL, number))
    return [one.leaf, one.decision_id, one.kind, one.time_us, one.tenant, one.idempotency_key, mark]


def _added(rows: Tampered, at: int, other: int) -> None:
    rows.insert(at, made(SIZE + other, (None, rows[other][6], b"m" * 32)[other % 3]))


def _edited(rows: Tampered, at: int, other: int) -> None:
    rows[at][:6] = made(SIZE + other, None)[:6]


def _edited_column(rows: Tampered, at: int, other: int) -> None:
    rows[at][1 + other % 5] = (f"{other:032x}", "check", other, "another", f"key-{other}")[other % 5]


def _removed(rows: Tampered, at: int, _other: int) -> None:
    del rows[at]


def _cut(rows: Tampered, at: int, _other: int) -> None:
    del rows[at:]


def _moved(rows: Tampered, at: int, other: int) -> None:
    rows.insert(other, rows.pop(at))


def _marked(rows: Tampered, at: int, other: int) -> None:
    rows[at][6] = (None, rows[other][6], b"m" * 32, "text")[other % 4]


CHANGES = st.tuples(
    st.sampled_from([_added, _edited, _edited_column, _removed, _cut, _moved, _marked]),
    st.integers(0, sum(COMMITS) - 1),
    st.integers(0, sum(COMMITS) - 1),
)


@settings(max_examples=50, deadline=None)
@given(CHANGES)
def test_no_record_above_the_checkpoint_is_added_edited_or_removed_unnoticed(
    crashed: Path, change: tuple[Callable[[Tampered, int, int], object], int, int]
) -> None:
    """Whatever is done to what no checkpoint covers: a start refuses it, or finds the records that were written."""
    what, at, other = change
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(crashed, Path(folder) / "log"))
        if changed(copy, lambda rows: what(rows, at, other)):
            with pytest.raises(StartError, match=r"entry \d+|entries \d+|is the mark of \d+"):
                restarted(copy)
        else:  # a mark alone: the next one stands for the same records
            with suppress(StartError):
                assert restarted(copy) == SIZE


def test_what_is_wrong_is_named(crashed: Path, tmp_path: Path) -> None:
    """A record that was added is named by its place, and so is a commit in which one was edited."""
    copy = Path(shutil.copytree(crashed, tmp_path / "added"))
    changed(copy, lambda rows: rows.append(made(SIZE, None)))
    with pytest.raises(StartError, match=f"entry {SIZE} has no mark of the log's key"):
        restarted(copy)
    copy = Path(shutil.copytree(crashed, tmp_path / "edited"))
    changed(copy, lambda rows: _edited(rows, 1, 1))
    with pytest.raises(StartError, match=f"entries {SIGNED} to {SIGNED + 2} are not what was written"):
        restarted(copy)


def test_who_has_the_key_sees_it_before_a_start(crashed: Path, tmp_path: Path) -> None:
    """Without a start, the holder of the key finds what was added, and what was cut off."""
    signer = logs.signer(crashed)
    tail = Tail(tail_path(crashed / "audit.db"))
    assert marks.look(File(crashed / "audit.db"), signer, tail, SIGNED) is None
    copy = Path(shutil.copytree(crashed, tmp_path / "added"))
    changed(copy, lambda rows: rows.append(made(SIZE, rows[-1][6])))
    problem = marks.look(File(copy / "audit.db"), signer, tail, SIGNED)
    assert problem is not None
    assert problem.index == SIZE
    changed(copy, lambda rows: _cut(rows, COMMITS[0], 0))
    problem = marks.look(File(copy / "audit.db"), signer, tail, SIGNED)
    assert problem is not None
    assert f"is the mark of {SIZE}" in problem.what


def test_a_cut_between_commits_is_for_the_file_to_tell(crashed: Path, tmp_path: Path) -> None:
    """Whole commits that are gone look as if they had never been, to who has no later mark and no later checkpoint."""
    copy = Path(shutil.copytree(crashed, tmp_path / "cut"))
    changed(copy, lambda rows: _cut(rows, COMMITS[0], 0))
    tail_path(copy / "audit.db").unlink()
    assert restarted(copy) == SIGNED + COMMITS[0]


def test_an_older_mark_is_no_sign_of_a_rollback(crashed: Path, tmp_path: Path) -> None:
    """A loss of power may leave the mark of an earlier commit, or an empty file; another history's mark is refused."""
    copy = Path(shutil.copytree(crashed, tmp_path / "log"))
    tail, signer = tail_path(copy / "audit.db"), logs.signer(copy)
    tree = Frontier()
    for one in logs.entries(SIGNED + COMMITS[0]):
        tree.append(one.leaf)
    older = Tail(tail)
    older.write(tree.size, Marks(signer).of(tree))
    older.close()
    assert restarted(copy) == SIZE
    assert tail.read_text().startswith(f"{SIZE:020d} ")
    tail.write_bytes(b"")
    assert restarted(copy) == SIZE
    line = tail.read_text()
    tail.write_text(line[:-2] + ("0" if line[-2] != "0" else "1") + "\n")
    with pytest.raises(StartError, match=r"do not have the mark of .*\.tail"):
        restarted(copy)
    tail.write_text("nothing\n" * 20)
    with pytest.raises(StartError, match="holds no mark"):
        restarted(copy)


def test_a_mark_that_broke_off_as_its_file_was_made_refuses_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes a part of the first mark refuses that start and not those that follow; nor do zeros."""
    settings, real = logs.settings(tmp_path), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, line, at: real(file, line[:40], at))
    with pytest.raises(StartError, match="can't be written whole"):
        Store(Sqlite(settings.path), logs.signer(tmp_path))
    monkeypatch.undo()
    assert restarted(tmp_path) == 0
    tail_path(settings.path).write_bytes(bytes(86))
    assert restarted(tmp_path) == 0


def test_a_log_without_marks_gets_them(crashed: Path, tmp_path: Path) -> None:
    """A log from before there were marks goes on when a checkpoint covers all of it, and not otherwise."""
    copy = Path(shutil.copytree(crashed, tmp_path / "log"))
    with closing(sqlite3.connect(copy / "audit.db", isolation_level=None)) as db:
        db.execute("ALTER TABLE entries DROP COLUMN mark")
    tail_path(copy / "audit.db").unlink()
    with pytest.raises(StartError, match=f"entry {SIGNED} has no mark"):
        restarted(copy)
    changed(copy, lambda rows: _cut(rows, 0, 0))
    assert restarted(copy) == SIGNED
