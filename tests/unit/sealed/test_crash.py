"""kill -9 around every durable write of sealing."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from brightline_verify.database import verify
from tests.support import logs, sealing
from tests.unit.sealed.child import POINTS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What gateways left that were killed, each in a folder of its own with the same keys."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "keys").mkdir()
    logs.settings(folder / "keys", sealed=sealing.settings(folder / "keys"))
    for name, when, well in POINTS:
        shutil.copytree(folder / "keys", folder / f"{name}-{when}-{well}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.sealed.child", folder], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return folder


def envelopes(folder: Path) -> list[str]:
    """The digests of what the sealed store has."""
    with closing(sqlite3.connect(folder / "sealed.db")) as db:
        return [hashlib.sha256(sealed).hexdigest() for (sealed,) in db.execute("SELECT sealed FROM content")]


@pytest.mark.parametrize(("name", "when", "well"), POINTS)
async def test_a_crash_while_sealing_leaves_no_record_of_content_that_is_not_there(
    killed: Path, name: str, when: str, well: int
) -> None:
    """Every record that names an envelope has it, one envelope at most is named by none, and the gateway goes on."""
    folder = killed / f"{name}-{when}-{well}"
    named = [r["commitments"]["sealed"] for r in logs.records(folder) if "sealed" in r.get("commitments", {})]
    there = envelopes(folder)
    assert set(named) <= set(there)
    assert len(there) - len(named) == (name == "put" and when == "after")
    async with logs.opened(folder, sealed=sealing.settings(folder)) as log:
        for tenant in ("a", "b", "c"):
            again = await sealing.ask(log, "asked again", tenant=tenant)
            assert [record["commitments"]["sealed"] in envelopes(folder) for record in sealing.told(folder, again)]
    report = verify(folder / "audit.db", logs.trust(folder))
    assert (report.problem, report.open_intents) == (None, ())
