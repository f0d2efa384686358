from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from brightline_verify import stored
from brightline_verify.database import File, verify
from tests.support import logs
from tests.unit.audit.faults import CHECKPOINTS, ENTRIES

CHILD = [sys.executable, "-m", "tests.unit.audit.child"]
ROOT = Path(__file__).parents[3]


async def stays_true(folder: Path, acknowledged: list[str]) -> None:
    """After a crash: what was acknowledged is there, the log starts again, closes what was open, and verifies."""
    there = {f"{r['kind']} {r['decision_id']}" for r in logs.records(folder)}
    assert set(acknowledged) <= there
    report = stored.verify(File(folder / "audit.db"), logs.trust(folder), unsigned=True)
    assert report.problem is None
    async with logs.opened(folder) as log:
        await logs.complete(log)
    report = verify(folder / "audit.db", logs.trust(folder))
    assert (report.problem, report.open_intents) == (None, ())


@pytest.mark.parametrize(
    ("statement", "fault", "well"),
    [
        ("CREATE TABLE entries", "KILL_BEFORE", 0),
        ("INSERT INTO log", "KILL_AFTER", 0),
        ("COMMIT", "KILL_BEFORE", 0),
        ("COMMIT", "KILL_AFTER", 0),
        (ENTRIES, "KILL_BEFORE", 0),
        (ENTRIES, "KILL_AFTER", 0),
        (ENTRIES, "KILL_BEFORE", 7),
        (ENTRIES, "KILL_AFTER", 7),
        (CHECKPOINTS, "KILL_BEFORE", 0),
        (CHECKPOINTS, "KILL_AFTER", 0),
    ],
)
async def test_a_crash_at_a_durable_write_loses_nothing_that_was_acknowledged(
    tmp_path: Path, statement: str, fault: str, well: int
) -> None:
    """A kill -9 before or after any durable write leaves every acknowledged record, and a log that goes on."""
    logs.settings(tmp_path)
    killed = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        [*CHILD, tmp_path, statement, fault, str(well)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert killed.returncode == -9, killed.stderr
    if not (tmp_path / "audit.db.checkpoint").exists():
        assert killed.stdout == ""
        async with logs.opened(tmp_path):
            pass
    await stays_true(tmp_path, killed.stdout.splitlines())


@pytest.mark.parametrize("seed", range(5))
async def test_a_crash_at_any_time_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """A kill -9 from outside, at an arbitrary moment, likewise; also when the checkpoint file's writing is torn."""
    logs.settings(tmp_path)
    with subprocess.Popen([*CHILD, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:  # noqa: ASYNC220 - nothing else runs
        assert child.stdout is not None
        stop_after = random.Random(seed).randrange(1, 400)  # noqa: S311 - dice of a test
        lines = [child.stdout.readline() for _ in range(stop_after)]
        child.kill()
        lines += child.stdout.readlines()
    acknowledged = [line.strip() for line in lines if line.endswith("\n")]
    assert len(acknowledged) >= stop_after
    (tmp_path / "audit.db.checkpoint.tmp").write_bytes(b"torn")
    await stays_true(tmp_path, acknowledged)


async def test_a_copy_of_a_log_that_is_being_written_has_whole_batches(tmp_path: Path) -> None:
    """Files copied in the middle of writing hold every batch that was acknowledged, and the log goes on there."""
    logs.settings(tmp_path)
    with subprocess.Popen([*CHILD, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:  # noqa: ASYNC220 - nothing else runs
        assert child.stdout is not None
        for _ in range(50):
            child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        crashed = Path(shutil.copytree(tmp_path, tmp_path.parent / "copy", dirs_exist_ok=True))
        child.kill()
    (crashed / "audit.db-shm").unlink()
    assert len(logs.records(crashed)) > 50
    await stays_true(crashed, [])
