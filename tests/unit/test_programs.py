from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from brightline_verify import workers
from gateway import loader_client, worker_slot
from gateway.audit import index_supervisor

PROGRAMS = {
    "apart": loader_client.PROGRAM,
    "indexing": index_supervisor.PROGRAM,
    "verify": workers.PROGRAM,
    "worker": (*worker_slot.WORKER, "-1"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_ours_takes_no_module_from_the_folder_it_is_started_in(name: str, tmp_path: Path) -> None:
    """Whoever writes a folder that somebody verifies or serves in does not thereby write what verifies or serves."""
    for module in ("pickle", "json", "base64", "brightline_verify", "gateway"):
        (tmp_path / f"{module}.py").write_text("open('taken', 'w').close()\nraise SystemExit\n")
    done = subprocess.run(PROGRAMS[name], cwd=tmp_path, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert not (tmp_path / "taken").exists()
    assert b"No module named" not in done.stderr
    assert PROGRAMS[name][0] == sys.executable
