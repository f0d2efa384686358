from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from brightline_verify import cli
from brightline_verify.cosignature import Cosigner
from brightline_verify.database import File, Table, checkpoint_path
from brightline_verify.merkle import inclusion_proof
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from brightline_verify.stored import nodes_of
from gateway.audit.export import write
from gateway.canonical import canonical
from gateway.cli import trail
from tests.support import logs

SIZE = 20
WITNESS = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"w" * 32))


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log, its export, a proof, a witness's key, and what it signed."""
    logs.fill(tmp_path, SIZE)
    note = checkpoint_path(tmp_path / "audit.db").read_bytes()
    (tmp_path / "witness.pub").write_text(f"{WITNESS.witness}\n")
    (tmp_path / "cosigned").write_bytes(WITNESS.cosign(note, logs.START_US))
    with (tmp_path / "export.jsonl").open("wb") as out:
        write(
            File(tmp_path / "audit.db"), logs.verifier(tmp_path), out, cosigned=[(tmp_path / "cosigned").read_bytes()]
        )
    with logs.reading(tmp_path) as db:
        hashes = inclusion_proof(3, SIZE, nodes_of(Table(db)))
    (tmp_path / "record.json").write_bytes(canonical(logs.record(Kind.REFUSAL, 3)))
    (tmp_path / "record.tlog-proof").write_bytes(Proof(3, tuple(hashes), note).text())
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> Ran:
    """`brightline-verify` with names of files in the folder; "@" stands for it."""
    with pytest.raises(SystemExit) as ended:
        cli.main([a.replace("@", f"{folder}/") for a in arguments])
    return Ran(int(ended.value.code or 0), *capsys.readouterr())


@pytest.mark.parametrize("file", ["@export.jsonl", "@audit.db"])
def test_a_sound_log_exits_with_0(capsys: pytest.CaptureFixture[str], folder: Path, file: str) -> None:
    """An export and the gateway's own file verify alike, for people and for programs."""
    ran = run(capsys, folder, "log", file, "--key", "@log.key.pub", "--kept", "@audit.db.checkpoint")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"VERIFIED {logs.ORIGIN}\n  {SIZE} records, 0 of them after the last checkpoint\n")
    ran = run(capsys, folder, "log", file, "--key", "@log.key.pub", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["ok"] is True


def test_a_spoilt_export_exits_with_1_and_names_the_record(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The first bad record is named by index and decision id, with what is wrong."""
    text = (folder / "export.jsonl").read_bytes()
    (folder / "export.jsonl").write_bytes(text.replace(b"ipv4", b"ipv6", 1))
    ran = run(capsys, folder, "log", "@export.jsonl", "--key", "@log.key.pub")
    assert ran.code == 1
    assert f"record 0, decision {0:032x}: the record is not the one that was hashed into the tree" in ran.out
    ran = run(capsys, folder, "log", "@export.jsonl", "--key", "@log.key.pub", "--json")
    assert (ran.code, json.loads(ran.out)["problem"]["index"]) == (1, 0)


def test_witnesses_are_asked_for(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """With a witness's key what it signed is told, and its absence is an error where it is asked for."""
    asked = ("--key", "@log.key.pub", "--witness", "@witness.pub", "--witnesses", "1")
    ran = run(capsys, folder, "log", "@export.jsonl", *asked)
    assert ran.code == 0
    assert f"witness {WITNESS.witness.name} signed {SIZE} records at" in ran.out
    assert run(capsys, folder, "log", "@audit.db", *asked).code == 1
    assert run(capsys, folder, "proof", "@record.tlog-proof", "--record", "@record.json", *asked).code == 1


def test_a_proof_of_a_record_holds_or_not(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The right record is proved by its proof, another is not, for people and for programs."""
    proof = ("proof", "@record.tlog-proof", "--key", "@log.key.pub", "--record")
    ran = run(capsys, folder, *proof, "@record.json")
    assert ran == Ran(0, f"PROVED record 3 of {SIZE} in {logs.ORIGIN}: refusal, decision {3:032x}\n", "")
    assert json.loads(run(capsys, folder, *proof, "@record.json", "--json").out)["index"] == 3
    (folder / "other.json").write_bytes(canonical(logs.record(Kind.REFUSAL, 4)))
    assert run(capsys, folder, *proof, "@other.json").code == 1
    ran = run(capsys, folder, *proof, "@record.tlog-proof", "--json")
    assert (ran.code, json.loads(ran.out)["ok"]) == (1, False)


def test_no_witness_signed_before_there_was_the_record(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """A witness's time says when the record was there at the latest: one of a later time is not proved."""
    proof = Proof.parse((folder / "record.tlog-proof").read_bytes())
    asked = ("proof", "@early", "--record", "@record.json", "--key", "@log.key.pub", "--witness", "@witness.pub")
    for before_s, says in ((9, "PROVED record 3"), (11, "NOT PROVED: a witness signed before there was the record")):
        note = WITNESS.cosign(proof.note, logs.START_US // 1_000_000 - before_s)
        (folder / "early").write_bytes(Proof(3, proof.hashes, note).text())
        ran = run(capsys, folder, *asked)
        assert (ran.code, ran.out[: len(says)]) == (int(before_s > 10), says)


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "@missing", "--key", "@log.key.pub"),
        ("log", "@record.json", "--key", "@log.key.pub"),
        ("log", "@export.jsonl", "--key", "@missing"),
        ("log", "@export.jsonl", "--key", "@witness.pub"),
        ("log", "@export.jsonl", "--key", "@audit.db"),
        ("log", "@export.jsonl", "--key", "@log.key.pub", "--witness", "@log.key.pub"),
        ("log", "@export.jsonl", "--key", "@log.key.pub", "--kept", "@record.json"),
        ("log", "@export.jsonl"),
        ("proof", "@missing", "--key", "@log.key.pub", "--record", "@record.json"),
        (),
    ],
)
def test_what_can_not_be_read_exits_with_2(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: tuple[str, ...]
) -> None:
    """A missing or foreign file, key or checkpoint is told apart from a bad log."""
    ran = run(capsys, folder, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "error: " in ran.err


def test_an_export_that_comes_through_a_pipe_is_told_as_that(folder: Path) -> None:
    """A sound export is not told to be none: it is read more than once, and a pipe gives it once."""
    program = [sys.executable, "-m", "brightline_verify.cli", "log", "/dev/stdin", "--key", str(folder / "log.key.pub")]
    sound = (folder / "export.jsonl").read_bytes()
    ran = subprocess.run(program, input=sound, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"/dev/stdin: is no file, and is read more than once; write the export into a file" in ran.stderr


def test_a_terminal_sees_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar tells share, number and rate, and is gone at the end."""
    monkeypatch.setattr(cli, "_OFTEN_S", 0)
    bar = cli._Bar(shown=True)
    bar.tell(5, 10)
    bar.clear()
    err = capsys.readouterr().err
    assert "50% 5 records" in err
    assert err.endswith("\r\x1b[K")


def test_nothing_else_of_ours_is_needed(folder: Path) -> None:
    """The program runs where there is neither the gateway nor the client, with cryptography alone."""
    program = (
        "import sys\n"
        "for name in ('gateway', 'brightline', 'pydantic', 'orjson', 'typer', 'rich'): sys.modules[name] = None\n"
        "from brightline_verify.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "log", folder / "export.jsonl", "--key", folder / "log.key.pub"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_database_calls_its_tables_is_not_obeyed_by_a_terminal(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """An error of a made up database is told without its escape sequences and line ends, by both commands."""
    with logs.reading(folder) as db:
        db.execute("PRAGMA writable_schema = 1")
        db.execute("INSERT INTO sqlite_master VALUES ('table', ?, 'x', 0, 'CREATE x')", ("a\x1b[2J\u202e\nVERIFIED",))
    ran = run(capsys, folder, "log", "@audit.db", "--key", "@log.key.pub")
    told = CliRunner().invoke(
        trail, ["verify", "--log", str(folder / "audit.db"), "--key", str(folder / "log.key.pub")]
    )
    for code, err in ((ran.code, ran.err), (told.exit_code, told.stderr)):
        assert (code, err.count("\n")) == (2, 1)
        assert "malformed database schema" in err
        assert err.rstrip("\n").isprintable()
