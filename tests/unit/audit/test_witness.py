from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.database import File
from brightline_verify.note import MAX_BYTES, MAX_SIGNATURES, line, open_checkpoint
from gateway.audit import disk
from gateway.audit.keys import create_witness_key, load_cosigner, public_path
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.tiles import publish
from gateway.audit.witness import RefusedError, witness
from gateway.cli import trail
from gateway.errors import StartError
from tests.support import logs

NAME = "witness.example/w"
NOW_S = 1_800_000_100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published log of 300 records, and a witness's key."""
    create_witness_key(tmp_path / "witness.key", NAME)
    grow(tmp_path, 300)
    return tmp_path


def grow(folder: Path, count: int, tenant: str = "t") -> None:
    """Append records to the log in `folder`, and publish it."""
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    for _ in range(0, count, 100):
        store.append(logs.entries(100, first=store.frontier.size, tenant=tenant))
    store.close()
    publish(File(folder / "audit.db"), logs.verifier(folder), folder / "tiles")


def signed(folder: Path, now_s: int = NOW_S, *, begin: bool = False) -> bytes:
    """What the witness signs of the published log."""
    cosigner = load_cosigner(folder / "witness.key")
    state, to = folder / "state", folder / "cosigned"
    return witness(folder / "tiles", logs.verifier(folder), cosigner, state, to, now_s, begin=begin)


def test_a_log_that_goes_on_is_signed_each_time(folder: Path) -> None:
    """From the first checkpoint on, whatever goes on from the last one is signed, also when nothing was added."""
    cosigner = load_cosigner(folder / "witness.key")
    for n, size in enumerate((300, 300, 1300, 66_300)):
        note = signed(folder, NOW_S + n, begin=n == 0)
        assert open_checkpoint(note, logs.verifier(folder)).size == size
        assert cosigner.witness.signed_at(note) == NOW_S + n
        assert (folder / "state").read_bytes() == note
        if n:
            grow(folder, 1000 if n == 1 else 65_000)


def test_a_checkpoint_without_room_for_its_line_is_refused_and_the_witness_goes_on(folder: Path) -> None:
    """Nobody who publishes a log can have a witness sign what it can't read any more, and so never sign again."""
    first = signed(folder, begin=True)
    checkpoint = folder / "tiles" / "checkpoint"
    plain = checkpoint.read_bytes()
    for lines in (MAX_SIGNATURES - 1, 1):
        long = b"" if lines > 1 else b"l" * (MAX_BYTES - len(plain) - 40)
        others = b"".join(line(f"other.example/{n}{long.decode()}", bytes(5)) for n in range(lines))
        checkpoint.write_bytes(plain + others)
        assert open_checkpoint(plain + others, logs.verifier(folder)).size == 300
        with pytest.raises(RefusedError, match="too"):
            signed(folder, NOW_S + 1)
        assert (folder / "state").read_bytes() == first
    checkpoint.write_bytes(plain)
    assert open_checkpoint(signed(folder, NOW_S + 1), logs.verifier(folder)).size == 300


def copied(folder: Path) -> Path:
    """The log as it is now, elsewhere."""
    shutil.copytree(folder, folder / "copy", ignore=shutil.ignore_patterns("tiles", "copy"))
    return folder / "copy"


def test_a_log_that_was_cut_back_is_not_signed(folder: Path) -> None:
    """A published log that is shorter than what was signed is refused, with both sizes."""
    older = copied(folder)
    grow(folder, 100)
    signed(folder, begin=True)
    publish(File(older / "audit.db"), logs.verifier(folder), older / "tiles")
    shutil.rmtree(folder / "tiles")
    (older / "tiles").rename(folder / "tiles")
    state = (folder / "state").read_bytes()
    with pytest.raises(RefusedError, match="cut back: 400 records were signed, and now it has 300"):
        signed(folder)
    assert (folder / "state").read_bytes() == state


@pytest.mark.parametrize("more", [100, 200])
def test_a_log_that_went_another_way_is_not_signed(folder: Path, more: int) -> None:
    """A log with other records after some point is refused, of the same size or longer."""
    other = copied(folder)
    grow(folder, 100)
    signed(folder, begin=True)
    grow(other, more, tenant="other")
    shutil.rmtree(folder / "tiles")
    (other / "tiles").rename(folder / "tiles")
    with pytest.raises(RefusedError, match="went another way"):
        signed(folder)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a checkpoint that is none": lambda f: (f / "tiles/checkpoint").write_bytes(b"x"),
    "a tile that is missing": lambda f: (f / "tiles/tile/0/001.p/144").unlink(),
    "a tile that is short": lambda f: (f / "tiles/tile/1/000.p/1").write_bytes(b"x" * 31),
    "a tile with other hashes": lambda f: (f / "tiles/tile/0/001.p/144").write_bytes(b"x" * 32 * 144),
    "a state that is none": lambda f: (f / "state").write_bytes(b"x"),
    "a state that nobody signed": lambda f: shutil.copy(f / "tiles/checkpoint", f / "state"),
    "no state": lambda f: (f / "state").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_can_not_be_checked_is_not_signed(folder: Path, change: Callable[[Path], object]) -> None:
    """A checkpoint, tile or state that is missing or changed is refused, and the state is as it was."""
    signed(folder, begin=True)
    grow(folder, 100)
    change(folder)
    before = (folder / "state").read_bytes() if (folder / "state").exists() else None
    with pytest.raises(RefusedError):
        signed(folder)
    assert ((folder / "state").read_bytes() if (folder / "state").exists() else None) == before


@pytest.mark.parametrize("lost", [False, True])
def test_an_older_state_that_was_put_back_is_not_gone_on_from(folder: Path, *, lost: bool) -> None:
    """What left last is newer than it, or than none: the log could be another since then, and two would be signed."""
    signed(folder, begin=True)
    older = (folder / "state").read_bytes()
    shutil.copytree(folder, folder / "fork")
    grow(folder, 100)
    signed(folder)
    grow(folder / "fork", 200, tenant="another")
    shutil.rmtree(folder / "tiles")
    shutil.copytree(folder / "fork/tiles", folder / "tiles")
    (folder / "state").unlink() if lost else (folder / "state").write_bytes(older)
    with pytest.raises(RefusedError, match=f"signed over 400 records, and the state knows of {0 if lost else 300}"):
        signed(folder, begin=lost)
    assert open_checkpoint((folder / "cosigned").read_bytes(), logs.verifier(folder)).size == 400


def test_what_another_wrote_is_no_newer_state(folder: Path) -> None:
    """A file that holds nothing of this witness and log is replaced."""
    (folder / "cosigned").write_bytes(b"x")
    signed(folder, begin=True)
    (folder / "cosigned").write_bytes((folder / "tiles/checkpoint").read_bytes())
    assert signed(folder) == (folder / "cosigned").read_bytes()


def test_a_witness_begins_once(folder: Path) -> None:
    """It begins only where it is told to, and never where it has signed before, also if its signature did not leave."""
    with pytest.raises(RefusedError, match="is missing"):
        signed(folder)
    signed(folder, begin=True)
    (folder / "cosigned").unlink()
    with pytest.raises(RefusedError, match="began before; leave out --begin"):
        signed(folder, begin=True)
    assert signed(folder) == (folder / "cosigned").read_bytes()


def test_a_clock_that_went_back_is_refused(folder: Path) -> None:
    """A witness does not sign with a time before its last one, and says what helps if that was wrong."""
    signed(folder, begin=True)
    with pytest.raises(RefusedError, match=r"10 s before the last signature; .* begin with a new key"):
        signed(folder, NOW_S - 10)


def test_the_state_of_another_witness_is_refused(folder: Path) -> None:
    """Two witnesses don't share a state, nor do two processes at the same time."""
    signed(folder, begin=True)
    (folder / "witness.key").unlink()
    (folder / "witness.key.pub").unlink()
    create_witness_key(folder / "witness.key", NAME)
    with pytest.raises(RefusedError, match="was not signed by"):
        signed(folder)
    held = disk.hold(folder / "state.lock")
    with pytest.raises(BlockingIOError):
        signed(folder)
    os.close(held)


@pytest.mark.parametrize("point", ["before_rename", "after_rename"])
def test_a_crash_never_makes_it_sign_two_histories(folder: Path, point: str) -> None:
    """Killed before or after its state is durable, it has given no signature, and signs the same log again."""
    signed(folder, begin=True)
    grow(folder, 100)
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.unit.audit.test_witness import signed\n"
        "real = os.replace\n"
        "def replace(*a):\n"
        "    if sys.argv[2] == 'after_rename': real(*a)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.replace = replace\n"
        "print(signed(Path(sys.argv[1])))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, folder, point], capture_output=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"")
    assert open_checkpoint(signed(folder), logs.verifier(folder)).size == 400


def test_keys_of_a_witness_are_kept_apart(folder: Path) -> None:
    """A key without its public half, with that of another, or with a log's, is refused, and none is overwritten."""
    with pytest.raises(StartError, match="exists"):
        create_witness_key(folder / "witness.key", NAME)
    with pytest.raises(StartError, match="white space"):
        create_witness_key(folder / "other.key", "two words")
    create_witness_key(folder / "other.key", NAME)
    shutil.copy(public_path(folder / "other.key"), public_path(folder / "witness.key"))
    with pytest.raises(StartError, match="is not the public half"):
        load_cosigner(folder / "witness.key")
    with pytest.raises(StartError, match="witness key"):
        load_cosigner(folder / "log.key")
    public_path(folder / "witness.key").unlink()
    with pytest.raises(StartError, match="cannot be read"):
        load_cosigner(folder / "witness.key")


# --- the command ------------------------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str, **other: str) -> Result:
    """`brightline audit witness` in the folder."""
    options = {"--log-key": "log.key.pub", "--key": "witness.key", "--state": "state", "--to": "cosigned"} | other
    given = [part for name, value in options.items() for part in (name, f"{folder}/{value}")]
    return CliRunner().invoke(trail, ["witness", f"{folder}/tiles", *given, *arguments])


def test_the_command_signs_or_says_why_not(folder: Path) -> None:
    """It exits with 0 and the signed checkpoint in its file, 1 when it refuses, 2 when it can't read or write."""
    assert run(folder).exit_code == 1
    ran = run(folder, "--begin")
    assert (ran.exit_code, ran.output) == (0, f"signed 300 records of {logs.ORIGIN}\n")
    assert load_cosigner(folder / "witness.key").witness.signed_at((folder / "cosigned").read_bytes()) is not None
    (folder / "tiles/checkpoint").write_bytes(b"x")
    ran = run(folder)
    assert (ran.exit_code, ran.output.startswith("REFUSED: ")) == (1, True)
    shutil.rmtree(folder / "tiles")
    assert run(folder).exit_code == 2
    assert run(folder, **{"--log-key": "witness.key.pub"}).exit_code == 2


def test_the_key_is_made_by_command(tmp_path: Path) -> None:
    """A witness's key is made with its name, and nothing else is made."""
    ran = CliRunner().invoke(trail, ["keygen", NAME, "--witness", str(tmp_path / "w.key")])
    assert ran.exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.key", "w.key.pub"]
    assert load_cosigner(tmp_path / "w.key").witness.name == NAME
