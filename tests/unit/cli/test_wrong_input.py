"""What is typed wrong is told in one line that names it, and exits with 2: never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brightline_verify.record import Kind
from tests.support import logs
from tests.support.signing import Signing
from tests.unit.audit.test_verify import append, made

BRIGHTLINE = [sys.executable, "-m", "gateway"]
VERIFY = [sys.executable, "-m", "brightline_verify.cli"]
NO_UTF8 = b"\xff"
LOG = ("--log", "{at}/audit.db", "--key", "{at}/log.key.pub")
WIDE = {**os.environ, "COLUMNS": "400"}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, and files that are none of what commands ask for."""
    folder = tmp_path_factory.mktemp("at")
    logs.fill(folder, 10)
    append(folder, made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000))
    (folder / "garbage").write_bytes(bytes(range(256)))
    (folder / "empty").write_bytes(b"")
    return folder


def run(at: Path, *words: str | bytes, program: list[str] = BRIGHTLINE) -> subprocess.CompletedProcess[str]:
    given = [word if isinstance(word, bytes) else word.format(at=at) for word in words]
    return subprocess.run([*program, *given], check=False, capture_output=True, text=True, env=WIDE)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("audit", "show", NO_UTF8, *LOG), "'decision_id': is not UTF-8"),
        (("audit", "prove", NO_UTF8, *LOG), "'decision_id': is not UTF-8"),
        (("audit", "replay", NO_UTF8, *LOG), "'decision_id': is not UTF-8"),
        (("audit", "search", "--decision", NO_UTF8, *LOG), "--decision"),
        (("audit", "search", "--tenant", NO_UTF8, *LOG), "--tenant"),
        (("audit", "keygen", NO_UTF8, "--openings", "{at}/made.key"), "'origin': is not UTF-8"),
        (("ask", "hello", "--use", "x", "--marking", "x", "--geo", "US", "--geo", NO_UTF8), "--geo"),
        (("audit", "export", "{at}/made", "--until", "1" + "0" * 20, *LOG), "--until"),
        (("audit", "export", "{at}/made", "--first", "1" + "0" * 20, *LOG), "--first"),
        (("audit", "forward", "--to", "a:1", "--cursor", "{at}/c", "--first", "1" + "0" * 20, *LOG), "--first"),
        (("audit", "report", "--since", "2026-12-01", "--until", "2026-11-30", *LOG), "--until"),
        (("audit", "search", "--since", "2026-12-01", "--until", "2026-11-30", *LOG), "--until"),
        (
            ("audit", "show", "x", "--log", "{at}/audit.db", "--key", "{at}/garbage"),
            "--key: {at}/garbage: is no public key",
        ),
        (
            ("audit", "show", "x", "--log", "{at}/audit.db", "--key", "{at}/empty"),
            "--key: {at}/empty: is no public key",
        ),
        (("audit", "search", "--log", "", "--key", "{at}/log.key.pub"), "error: .: there is no log here"),
        (("audit", "search", "--log", "/", "--key", "{at}/log.key.pub"), "error: /: there is no log here"),
        (("init", "{at}/made", "--port", "65536"), "--port"),
        (("release", "publish", "{at}", "--key", "/"), "/: is no key"),
    ],
)
def test_it_is_named(at: Path, words: tuple[str | bytes, ...], named: str) -> None:
    """An argument that can't be meant is refused by its name before anything is done."""
    done = run(at, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert named.format(at=at) in done.stderr
    assert not [path for path in at.iterdir() if path.name.startswith("made")]


def test_a_message_about_what_was_typed_is_not_obeyed(at: Path) -> None:
    """What an error repeats holds nothing that a terminal obeys."""
    done = run(at, "release", "verify", "{at}", "--root", "{at}/\x1b[2J\u202e")
    assert (done.returncode, set(done.stderr) & set("\x1b\u202e")) == (2, set()), done.stderr
    assert "cannot be read" in done.stderr


def test_what_an_encoding_does_not_have_is_told_by_its_number(at: Path) -> None:
    """A terminal that is not UTF-8 gets what there is to say, as far as it can show it, and the exit code."""
    words = [*BRIGHTLINE, "audit", "show", f"{3:032x}", *(word.format(at=at) for word in LOG)]
    done = subprocess.run(words, check=False, capture_output=True, env=WIDE | {"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"    \\u2014 {logs.ORIGIN} ".encode() in done.stdout


def test_a_report_to_the_last_day_of_all(at: Path) -> None:
    """The last day that can be typed is one like any other."""
    done = run(at, "audit", "report", "--until", "9999-12-31", *LOG)
    assert (done.returncode, "12 records" in done.stdout) == (0, True), done.stderr


def test_the_next_command_can_be_copied(tmp_path: Path) -> None:
    """A folder with blanks is quoted in the command that `brightline init` prints."""
    done = run(tmp_path, "init", "{at}/a b")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"next: brightline serve --config '{tmp_path}/a b/gateway.toml'",
    )


def test_signing(tmp_path: Path) -> None:
    """A passphrase that is no text, and a self-test that is not there, are named."""
    signing = Signing.create(tmp_path)
    signing.release()
    (tmp_path / "garbage").write_bytes(bytes(range(256)))
    words = ("release", "keygen", "agency", "--to", "{at}/new", "--passphrase-file", "{at}/garbage")
    done = run(tmp_path, *words)
    assert (done.returncode, f"--passphrase-file: {tmp_path}/garbage: is not UTF-8" in done.stderr) == (2, True)
    words = ("release", "stage", "{at}/repository", "--vectors", "{at}/none", "--policy", "{at}", "--renew-self-test")
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr.startswith(f"error: {tmp_path}/none: cannot be read")) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        (BRIGHTLINE, "audit", "verify", *LOG),
        (BRIGHTLINE, "audit", "verify", "--json", *LOG),
        (VERIFY, "log", "{at}/audit.db", "--key", "{at}/log.key.pub"),
        (VERIFY, "log", "{at}/audit.db", "--key", "{at}/log.key.pub", "--json"),
    ],
    ids=lambda command: " ".join(command[1:3]),
)
def test_a_verdict_that_can_not_be_written(at: Path, command: tuple[list[str], str]) -> None:
    """Exit code 1 is for what does not hold: an output that is full exits with 2, a closed one with the verdict."""
    program, *words = command
    given = [*program, *(word.format(at=at) for word in words)]
    with Path("/dev/full").open("w", encoding="ascii") as full:
        done = subprocess.run(given, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "Traceback" in done.stderr, "No space left" in done.stderr) == (2, False, True), (
        done.stderr
    )
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *given], check=False, stderr=subprocess.PIPE, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.parametrize("option", ["--key", "--kept", "--witness"])
@pytest.mark.parametrize("file", ["garbage", "empty"])
def test_the_verifier_names_option_and_file(at: Path, option: str, file: str) -> None:
    """A key or checkpoint that is none is named with its option."""
    key = () if option == "--key" else ("--key", "{at}/log.key.pub")
    done = run(at, "log", "{at}/audit.db", *key, option, f"{{at}}/{file}", program=VERIFY)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {option}: {at}/{file}: is ")
