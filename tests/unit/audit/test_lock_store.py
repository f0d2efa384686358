from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brightline_verify.database import File, verify
from brightline_verify.merkle import leaf_hash
from brightline_verify.note import open_checkpoint
from brightline_verify.report import UnreadableError
from brightline_verify.stored import CorruptError
from gateway.audit import disk
from gateway.audit.lock_store import Folder
from gateway.audit.show import compare
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.cli import trail
from gateway.errors import StartError
from tests.support import logs
from tests.unit.audit.test_audit_command import CONFIG

CHILD = [sys.executable, "-m", "tests.unit.audit.locked_child"]
ROOT = Path(__file__).parents[3]


def elsewhere(folder: Path) -> Folder:
    """The lock store of the log in `folder`."""
    return Folder(folder / "elsewhere", logs.ORIGIN)


def opened(folder: Path) -> Store:
    """The log in `folder` with its lock store."""
    return Store(Sqlite(logs.settings(folder).path), logs.signer(folder), lock_store=elsewhere(folder))


def grow(folder: Path, count: int) -> None:
    """Append that many records to the log in `folder`, and close it."""
    store = opened(folder)
    store.append(logs.entries(count, first=store.frontier.size))
    store.close()


def kept(folder: Path) -> int:
    """How many records the lock store knows of."""
    note = elsewhere(folder).read()
    return open_checkpoint(note, logs.verifier(folder)).size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a log, and one for its lock store."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def copied(folder: Path) -> dict[str, bytes]:
    """All files of the log, as a backup has them."""
    return {path.name: path.read_bytes() for path in folder.glob("audit.db*")}


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    """The log as the backup has it, and nothing later."""
    for path in folder.glob("audit.db*"):
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_the_latest_checkpoint_is_in_the_lock_store(folder: Path) -> None:
    """From an empty log on, what is signed goes to the lock store too."""
    opened(folder).close()
    assert kept(folder) == 0
    grow(folder, 5)
    assert kept(folder) == 5
    grow(folder, 3)
    assert kept(folder) == 8
    assert verify(folder / "audit.db", logs.trust(folder)).problem is None


def test_a_log_put_back_with_its_checkpoint_file_is_refused(folder: Path) -> None:
    """What looks whole by itself does not start when the lock store knows more; both sizes are named."""
    grow(folder, 5)
    backup = copied(folder)
    grow(folder, 3)
    put_back(folder, backup)
    assert verify(folder / "audit.db", logs.trust(folder)).problem is None
    with pytest.raises(StartError, match=r"the log has 5 entries, but .*elsewhere.* was signed over 8"):
        opened(folder)


def test_a_log_that_went_another_way_is_refused(folder: Path) -> None:
    """A log as long as the lock store's, or longer, with other records, does not start."""
    grow(folder, 5)
    backup = copied(folder)
    grow(folder, 3)
    put_back(folder, backup)
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    store.append(logs.entries(9, first=5, tenant="other"))
    store.close()
    with pytest.raises(StartError, match=r"do not have the root of .*elsewhere"):
        opened(folder)


def test_a_lost_log_does_not_begin_again(folder: Path) -> None:
    """When all files of the log are gone, the lock store still knows of it."""
    grow(folder, 5)
    put_back(folder, {})
    with pytest.raises(StartError, match=r"the log has 0 entries, but .*elsewhere.* was signed over 5"):
        opened(folder)


def test_doctor_compares_as_a_start_does(folder: Path) -> None:
    """Without starting: a log that is behind, went another way, or is not known to the lock store, is told."""
    path, verifier = folder / "audit.db", logs.verifier(folder)
    compare(File(path), verifier, None)
    grow(folder, 5)
    older, note = copied(folder), elsewhere(folder).read()
    compare(File(path), verifier, note)
    with pytest.raises(UnreadableError, match="has 5 entries; run: brightline audit lock"):
        compare(File(path), verifier, None)
    grow(folder, 3)
    compare(File(path), verifier, note)
    newer = elsewhere(folder).read()
    put_back(folder, older)
    with pytest.raises(UnreadableError, match="signed over 8 entries, but the log has 5"):
        compare(File(path), verifier, newer)
    store = Store(Sqlite(path), logs.signer(folder))
    store.append(logs.entries(9, first=5, tenant="other"))
    store.close()
    with pytest.raises(UnreadableError, match="went another way"):
        compare(File(path), verifier, newer)


@pytest.mark.parametrize(
    ("lose", "what"),
    [
        (lambda folder: shutil.rmtree(folder / "elsewhere"), "No such file or directory"),
        (lambda folder: [p.unlink() for p in (folder / "elsewhere").iterdir()], "is missing.*brightline audit lock"),
        (lambda folder: [p.write_bytes(b"x") for p in (folder / "elsewhere").iterdir()], "has no signatures"),
    ],
    ids=["not mounted", "empty", "damaged"],
)
def test_a_lock_store_that_knows_nothing_is_refused(folder: Path, lose: Callable[[Path], object], what: str) -> None:
    """A volume that is not mounted, or that lost its note, is not taken for a log that begins."""
    grow(folder, 5)
    lose(folder)
    with pytest.raises(StartError, match=what):
        opened(folder)


def test_the_checkpoint_of_another_log_is_left_alone(folder: Path) -> None:
    """Several logs share a lock store; each has a file of its own, whatever is in its origin."""
    grow(folder, 5)
    other = Folder(folder / "elsewhere", "log.example/other/../x")
    assert other.read() is None
    other.write(b"note")
    assert other.read() == b"note"
    assert {p.name for p in (folder / "elsewhere").iterdir()} == {
        "log.example%2Ftest.checkpoint",
        "log.example%2Fother%2F..%2Fx.checkpoint",
    }
    grow(folder, 1)


@pytest.mark.parametrize("moment", ["lost", "lied"])
def test_a_lock_store_that_fails_fails_the_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A write that is lost, or stored and reported failed, is an error, and is made good when it works."""
    real = disk.replace

    def replace(path: Path, data: bytes) -> None:
        if path.parent.name != "elsewhere":
            real(path, data)
            return
        if moment == "lied":
            real(path, data)
        raise OSError("the volume does not answer")

    store = opened(folder)
    store.append(logs.entries(4))
    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", replace)
        with pytest.raises(OSError, match="does not answer"):
            store.checkpoint()
    assert store.unsigned == 4
    assert store.recover() is None
    store.checkpoint()
    assert (store.unsigned, kept(folder)) == (0, 4)
    store.close()


def test_a_lock_store_that_is_unmounted_fails_the_checkpoint(folder: Path) -> None:
    """While the note is gone nothing is signed into an empty folder; when it is back, it goes on."""
    store = opened(folder)
    store.append(logs.entries(4))
    (folder / "elsewhere").rename(folder / "away")
    (folder / "elsewhere").mkdir()
    with pytest.raises(OSError, match="lost its checkpoint"):
        store.checkpoint()
    (folder / "elsewhere").rmdir()
    (folder / "away").rename(folder / "elsewhere")
    store.checkpoint()
    assert kept(folder) == 4
    store.close()


def test_two_logs_of_one_origin_can_not_use_one_lock_store(folder: Path) -> None:
    """When a copy of the log runs elsewhere with the same keys, the second to sign is stopped for good."""
    grow(folder, 2)
    clone = Path(shutil.copytree(folder, folder / "clone", ignore=shutil.ignore_patterns("elsewhere")))
    first = opened(folder)
    second = Store(Sqlite(clone / "audit.db"), logs.signer(clone), lock_store=elsewhere(folder))
    first.append(logs.entries(3, first=2))
    first.checkpoint()
    second.append(logs.entries(1, first=2, tenant="other"))
    with pytest.raises(CorruptError, match=r"the log has 3 entries, but .* was signed over 5"):
        second.checkpoint()
    with pytest.raises(CorruptError):
        second.close()
    first.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", [1, 2, 3, 4, 5, 6])
def test_a_crash_at_each_write_never_leaves_a_lock_store_that_refuses_its_log(
    folder: Path, write: int, after: bool
) -> None:
    """Killed before or after any file is replaced, of log or lock store, the log starts again and goes on."""
    opened(folder).close() if write > 2 else logs.settings(folder)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.unit.audit.locked_child", folder, str(write), str(int(after))],
        check=False,
        cwd=ROOT,
    )
    assert killed.returncode == -9
    grow(folder, 2)
    report = verify(folder / "audit.db", logs.trust(folder))
    assert (report.problem, report.covered, kept(folder)) == (None, report.size, report.size)


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def configured(folder: Path) -> Path:
    """A configuration with a lock store, for the log in the folder."""
    path = folder / "gateway.toml"
    path.write_text(CONFIG.format(origin=logs.ORIGIN).replace("[audit]\n", '[audit]\nlock_store = "elsewhere"\n'))
    return path


def test_a_log_that_began_without_gets_its_lock_store(folder: Path, configured: Path) -> None:
    """The command checks the log and puts its checkpoint there, once."""
    logs.fill(folder, 5)
    with pytest.raises(StartError, match="run: brightline audit lock"):
        opened(folder)
    ran = CliRunner().invoke(trail, ["lock", "--config", str(configured)])
    assert (ran.exit_code, kept(folder)) == (0, 5)
    grow(folder, 1)
    ran = CliRunner().invoke(trail, ["lock", "--config", str(configured)])
    assert (ran.exit_code, "is never set back" in ran.output) == (2, True)


def test_what_is_wrong_with_a_log_is_not_obeyed(folder: Path, configured: Path) -> None:
    """Whoever can write the database names a field as he likes, and the operator's terminal sees it as ASCII."""
    logs.fill(folder, 5)
    with logs.reading(folder) as db:
        ((leaf,),) = db.execute("SELECT leaf FROM entries WHERE idx = 4")
        made = leaf.replace(b"{", b'{"\\u001b[2J":1,', 1)
        db.execute("UPDATE entries SET leaf = ?, hashes = ? WHERE idx = 4", (made, leaf_hash(made)))
    ran = CliRunner().invoke(trail, ["lock", "--config", str(configured)])
    assert (ran.exit_code, "\\u001b[2J is not a field" in ran.output) == (1, True), ran.output


def test_a_log_that_does_not_hold_gets_no_lock_store(folder: Path, configured: Path) -> None:
    """A log with a changed record is not locked; nor is one that is not configured so, or not there."""
    logs.fill(folder, 5)
    with logs.reading(folder) as db:
        db.execute("UPDATE entries SET leaf = CAST(replace(leaf, 'node-1', 'node-2') AS BLOB) WHERE idx = 3")
    ran = CliRunner().invoke(trail, ["lock", "--config", str(configured)])
    assert (ran.exit_code, elsewhere(folder).read()) == (1, None)
    (folder / "audit.db").unlink()
    assert CliRunner().invoke(trail, ["lock", "--config", str(configured)]).exit_code == 2
    configured.write_text(CONFIG.format(origin=logs.ORIGIN))
    assert CliRunner().invoke(trail, ["lock", "--config", str(configured)]).exit_code == 2
