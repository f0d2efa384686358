"""What is made of a log is made of the records that were verified."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brightline_verify.database import File
from brightline_verify.record import Kind
from brightline_verify.report import UnreadableError
from gateway.audit.recorded import Verified, verified
from gateway.cli import trail
from tests.support import logs
from tests.unit.audit.test_verify import append

SIZE = 24
VIEW = """
DROP INDEX entries_by_decision; DROP INDEX entries_by_key; DROP INDEX entries_of_releases;
ALTER TABLE entries RENAME TO others;
CREATE VIEW entries AS SELECT idx, CASE WHEN random() > 0 THEN leaf ELSE x'7b7d' END AS leaf, hashes, decision_id,
kind, time_us, tenant, idempotency_key, mark, blocks FROM others
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    logs.fill(folder, SIZE)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of a log, to be changed."""
    return Path(shutil.copytree(filled, tmp_path / "copy"))


def changed(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "audit.db", isolation_level=None)) as db:
        db.executescript(script)


def checked(folder: Path) -> Verified:
    return verified(File(folder / "audit.db"), logs.verifier(folder))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET leaf = CAST(replace(leaf, 'node-1', 'node-2') AS BLOB) WHERE idx = 9",
        "UPDATE entries SET leaf = 'text' WHERE idx = 9",
        "UPDATE entries SET leaf = x'7b7d' WHERE idx = 9",
        "UPDATE entries SET leaf = x'7b' WHERE idx = 9",
        "DELETE FROM entries WHERE idx = 9",
        "DELETE FROM entries WHERE idx >= 20",
        "UPDATE entries SET hashes = zeroblob(length(hashes)) WHERE idx = 1",
    ],
)
@pytest.mark.parametrize("first", [0, 2])
def test_a_log_that_changes_after_it_was_verified_is_not_used(folder: Path, change: str, first: int) -> None:
    """Whatever the database says the second time: other records than those that were verified are an error."""
    log = checked(folder)
    whole = list(log.records(first=first))
    assert [index for index, _, _ in whole] == list(range(first, SIZE))
    changed(folder, change)
    if "hashes" in change and not first:
        assert list(log.records()) == whole  # read anew from the records alone
        return
    with pytest.raises(UnreadableError, match="changed after it was verified"):
        list(log.records(first=first, end=4))


def test_only_what_a_checkpoint_covers_is_used(folder: Path) -> None:
    """Records that nothing proves yet are in no report, and columns beside a record don't choose it."""
    append(folder, logs.record(Kind.REFUSAL, 1000), sign=False)
    log = checked(folder)
    changed(folder, "UPDATE entries SET time_us = 5 WHERE idx = 9")
    bounds = {"since_us": logs.START_US + 9, "before_us": logs.START_US + 11}
    assert [index for index, _, _ in log.records(**bounds)] == [9, 10]
    assert len(list(log.records())) == SIZE


@pytest.mark.parametrize(
    "script", [VIEW, "ALTER TABLE checkpoints RENAME TO c; CREATE VIEW checkpoints AS SELECT * FROM c"]
)
def test_a_view_is_no_log(folder: Path, script: str) -> None:
    """A database that can say something else each time is not read, and nothing is left of what was begun."""
    changed(folder, script)
    where = ("--log", str(folder / "audit.db"), "--key", str(folder / "log.key.pub"))
    for command in (["verify"], ["export", str(folder / "events"), "--format", "ocsf"], ["report"]):
        told = CliRunner().invoke(trail, [*command, *where])
        assert (told.exit_code, "no table" in told.stderr) == (2, True), told.output
    assert not (folder / "events").exists()
