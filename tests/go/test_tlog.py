"""Another implementation reads what we publish: golang.org/x/mod/sumdb, which Go checks its modules with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brightline_verify.cosignature import Cosigner
from brightline_verify.database import File
from gateway.audit.show import show
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.tiles import publish
from tests.support import logs

PROGRAM = Path(__file__).with_name("tlog")
WITNESS = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
OLD, SIZE, INDEX = 300, 70_000, 12_345
"""Full and partial tiles on three levels."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built with the pinned module."""
    if shutil.which("go") is None:
        pytest.skip("Go is not here")
    path = tmp_path_factory.mktemp("go") / "tlog"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    fetched = subprocess.run(
        ["go", "mod", "download"], cwd=PROGRAM, env=environment, check=False, capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"Go's modules can't be had here: {fetched.stderr}")
    subprocess.run(["go", "build", "-o", path, "."], cwd=PROGRAM, env=environment, check=True)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that was published twice, and a record with its proof."""
    folder = tmp_path_factory.mktemp("published")
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    for start, end in ((0, OLD), (OLD, SIZE)):
        for first in range(start, end, 250):
            store.append(logs.entries(min(250, end - first), first=first))
        store.checkpoint()
        assert publish(File(folder / "audit.db"), logs.verifier(folder), folder / "tiles") == end
    store.close()
    cosigned = WITNESS.cosign((folder / "tiles" / "checkpoint").read_bytes(), 1_800_000_100)
    (one,) = show(File(folder / "audit.db"), logs.verifier(folder), f"{INDEX:032x}", cosigned)
    assert one.proof is not None
    (folder / "witness.pub").write_text(f"{WITNESS.witness}\n")
    (folder / "record.json").write_bytes(one.leaf)
    (folder / "record.tlog-proof").write_bytes(one.proof.text())
    return folder


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program on everything in the folder."""
    files = [folder / name for name in ("tiles", "log.key.pub", "witness.pub", "record.json", "record.tlog-proof")]
    return subprocess.run([program, *files, str(OLD)], check=False, capture_output=True, text=True)


def test_go_reads_checkpoint_proof_and_tiles(program: Path, published: Path) -> None:
    """Signatures of log and witness, the proof, the tiles, every record, and consistency hold there too."""
    done = run(program, published)
    assert (done.stdout, done.stderr) == (f"ok {SIZE}\n", "")


@pytest.mark.parametrize(
    "file", ["tiles/checkpoint", "tiles/tile/0/048", "tiles/tile/entries/273.p/112", "record.json", "record.tlog-proof"]
)
def test_go_finds_what_was_changed(program: Path, published: Path, tmp_path: Path, file: str) -> None:
    """One changed byte in any of the files, and the program refuses them: it really looks."""
    folder = Path(shutil.copytree(published, tmp_path / "changed"))
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    assert run(program, folder).returncode != 0
