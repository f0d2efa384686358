"""What commands leave behind where a disk is full: nothing half written, and nothing in the way of a next try."""

from __future__ import annotations

import errno
import resource
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.record import Kind
from gateway.cli import app
from gateway.errors import StartError
from tests.support import logs
from tests.support.signing import Signing
from tests.unit.audit.test_verify import append, made

KEYGEN = ("audit", "keygen", "agency.example/one")


@contextmanager
def room(size: int) -> Iterator[None]:
    """Files that are written meanwhile have room for so many bytes; Python's own, of compiled modules, are not made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = compiles


def run(*words: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*map(str, words)], input=typed)


def said(done: Result) -> str:
    """What a command says that ends with 2. A StartError is printed by main."""
    assert isinstance(done.exception, StartError) or done.exit_code == 2, (done.output, done.exception)
    return str(done.exception) if isinstance(done.exception, StartError) else done.stderr


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A folder with a log of ten records and a decision. It is open: to open it takes room."""
    (tmp_path / "log").mkdir()
    logs.fill(tmp_path / "log", 10)
    append(tmp_path / "log", made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000))
    with closing(sqlite3.connect(tmp_path / "log/audit.db")) as db:
        db.execute("SELECT count(*) FROM entries").fetchone()
        yield tmp_path / "log"


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("export", "{out}/export"), "export"),
        (("export", "{out}/export", "--format", "ocsf"), "export"),
        (("extract", "{out}/extract"), "extract"),
        (("prove", f"{1000:032x}", "--to", "{out}"), "record-10.json"),
        (("report", "--html", "{out}/page"), "page"),
        (("report", "--json", "{out}/page"), "page"),
    ],
)
def test_what_is_written_of_a_log(log: Path, tmp_path: Path, words: tuple[str, ...], file: str) -> None:
    """A file that can't be written whole is named and is not there; with room again the same command makes it."""
    out = tmp_path / "out"
    out.mkdir()
    command = (
        "audit",
        *(word.format(out=out) for word in words),
        "--log",
        log / "audit.db",
        "--key",
        log / "log.key.pub",
    )
    with room(300):
        assert file in said(run(*command))
    assert names(out) == []
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert file in names(out)


def test_a_page_stays_as_it_was(log: Path, tmp_path: Path) -> None:
    """A page that can't be replaced whole keeps what it had, and its mode."""
    (tmp_path / "page").write_text("before")
    (tmp_path / "page").chmod(0o600)
    command = ("audit", "report", "--html", tmp_path / "page", "--log", log / "audit.db", "--key", log / "log.key.pub")
    with room(300):
        assert f"{tmp_path}/page" in said(run(*command))
    assert not [*tmp_path.glob(".*")]
    assert (tmp_path / "page").read_text() == "before"
    assert run(*command).exit_code == 0
    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o600
    assert "page" in names(tmp_path)
    assert run(*command[:3], "/dev/null", *command[4:]).exit_code == 0


@pytest.mark.parametrize("size", [0, 110, 180])
@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ((*KEYGEN, "--signing-key", "{at}/a.key", "--commitment-key", "{at}/b.key"), ""),
        ((*KEYGEN, "--witness", "{at}/a.key"), ""),
        ((*KEYGEN, "--openings", "{at}/a.key"), ""),
        (("audit", "keygen", "ito", "--reviewer", "{at}/a.key"), "pw\npw\n"),
        (("release", "keygen", "provider", "--to", "{at}"), "pw\npw\n"),
    ],
)
def test_keys(tmp_path: Path, words: tuple[str, ...], typed: str, size: int) -> None:
    """A key whose files don't all fit leaves none of them, so that the next try makes it."""
    command = [word.format(at=tmp_path) for word in words]
    with room(size):
        done = run(*command, typed=typed)
    if done.exit_code == 0:
        return
    assert str(tmp_path) in said(done)
    assert names(tmp_path) == []
    assert run(*command, typed=typed).exit_code == 0


def test_a_deployment(tmp_path: Path) -> None:
    """A deployment that can't be made is named, and leaves no draft."""
    with room(100):
        assert said(run("init", tmp_path / "dev")).startswith(f"{tmp_path}/dev")
    assert names(tmp_path) == []
    assert said(run("init", "/proc/dev")) == "/proc/dev: cannot be made: No such file or directory"


def test_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that can't be extracted whole is not there, nor in the way of the next try."""
    signing = Signing.create(tmp_path / "signing")
    signing.release()
    words = ("release", "extract", signing.repository.folder)
    root = ("--root", signing.folder / "root.json")
    copied: list[object] = []

    def full(source: Path, to: Path) -> None:
        copied.append(to)
        if len(copied) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        Path(to).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(shutil, "copyfile", full)
    assert said(run(*words, tmp_path / "out/release", *root)) == (
        f"{tmp_path}/out/release: cannot be written: No space left on device"
    )
    assert (len(copied), names(tmp_path / "out")) == (2, [])
    monkeypatch.undo()
    assert run(*words, tmp_path / "out/release", *root).exit_code == 0
    assert "out/release/manifest.json" in names(tmp_path)
    assert "/proc/out" in said(run(*words, "/proc/out", *root))
