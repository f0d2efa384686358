from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.database import checkpoint_path
from brightline_verify.merkle import leaf_hash, verify_inclusion
from brightline_verify.note import line, open_checkpoint
from brightline_verify.record import Kind
from gateway.canonical import canonical
from gateway.cli import trail as app
from gateway.errors import StartError
from tests.support import logs
from tests.unit.audit.test_verify import append, made

SIZE = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs.fill(tmp_path, SIZE)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """`brightline audit` on the log in `folder`."""
    where = ("--log", str(folder / "audit.db"), "--key", str(folder / "log.key.pub"))
    return CliRunner().invoke(app, [*arguments, *where])


def root(folder: Path) -> str:
    """What the last checkpoint says of the tree."""
    return checkpoint_path(folder / "audit.db").read_text().split("\n")[2]


def spoil(folder: Path) -> None:
    """Change one byte of one record."""
    with logs.reading(folder) as db:
        db.execute("UPDATE entries SET leaf = CAST(replace(leaf, 'node-1', 'node-2') AS BLOB) WHERE idx = 6")


def test_a_sound_log_exits_with_0(folder: Path) -> None:
    """For people and for programs, a sound log is said to be one."""
    told = run(folder, "verify")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"VERIFIED {logs.ORIGIN}")
    report = run(folder, "verify", "--json")
    assert report.exit_code == 0
    assert json.loads(report.stdout) == {
        "ok": True,
        "marks": False,
        "origin": logs.ORIGIN,
        "first": 0,
        "size": SIZE,
        "covered": SIZE,
        "checkpoints": 2,
        "open_intents": [],
        "earlier_outcomes": 0,
        "gap_us": 1,
        "gap_index": 1,
        "witnesses": {},
        "problem": None,
        "root": root(folder),
        "unproved": 0,
    }


def test_a_spoilt_log_exits_with_1_and_names_the_record(folder: Path) -> None:
    """The first bad record is named by index and decision id, with what is wrong."""
    spoil(folder)
    told = run(folder, "verify")
    assert told.exit_code == 1
    assert "NOT VERIFIED" in told.stdout
    assert f"record 6, decision {6:032x}: the record is not the one that was hashed into the tree" in told.stdout
    report = run(folder, "verify", "--json")
    assert report.exit_code == 1
    problem = json.loads(report.stdout)["problem"]
    assert (problem["index"], problem["decision_id"]) == (6, f"{6:032x}")


def test_open_intents_are_told(folder: Path) -> None:
    """An intent without an outcome is told, and is no failure."""
    append(folder, made(Kind.INTENT, 1000))
    told = run(folder, "verify")
    assert told.exit_code == 0
    assert f"{1000:032x}" in told.stdout


def test_show_prints_the_record_and_a_proof_that_holds(folder: Path) -> None:
    """What show prints as JSON proves the record to whoever has the public key."""
    shown = run(folder, "show", f"{4:032x}", "--json")
    assert shown.exit_code == 0
    (one,) = json.loads(shown.stdout)
    checkpoint = open_checkpoint(one["checkpoint"].encode(), logs.verifier(folder))
    proof = [base64.b64decode(node) for node in one["proof"]]
    verify_inclusion(leaf_hash(canonical(one["record"])), one["index"], checkpoint.size, proof, checkpoint.root)
    told = run(folder, "show", f"{4:032x}")
    assert told.exit_code == 0
    assert "record 4" in told.stdout
    assert "hashes lead to the signed root" in told.stdout


def test_show_says_when_a_record_is_too_young_for_a_proof(folder: Path) -> None:
    """A record that no checkpoint covers yet is shown without a proof."""
    append(folder, made(Kind.REFUSAL, 1000), sign=False)
    told = run(folder, "show", f"{1000:032x}")
    assert told.exit_code == 0
    assert "not yet under a checkpoint" in told.stdout


def test_show_of_what_is_not_there_exits_with_1(folder: Path) -> None:
    """An unknown decision is an error with an exit code, and is repeated harmlessly."""
    told = run(folder, "show", "\x1b[2J")
    assert told.exit_code == 1
    assert told.stderr == "error: no record of decision \\u001b[2J\n"


def test_show_of_what_cannot_be_proved_exits_with_1(folder: Path) -> None:
    """A record that was changed is not shown."""
    spoil(folder)
    told = run(folder, "show", f"{6:032x}")
    assert told.exit_code == 1
    assert told.stdout == ""
    assert "does not prove this decision" in told.stderr


def test_what_a_caller_wrote_does_not_reach_the_terminal_raw(folder: Path) -> None:
    """Escape sequences, overrides and markup in a record are printed as ASCII."""
    append(folder, made(Kind.REFUSAL, 1000, method="\x1b[2J\u202e[red]\r\n"))
    told = run(folder, "show", f"{1000:032x}")
    assert '"method": "\\u001b[2J\\u202e[red]\\r\\n"' in told.stdout


def test_what_others_signed_below_a_checkpoint_does_not_reach_the_terminal_raw(folder: Path) -> None:
    """The names of keys that nobody asked about can hold no sequence that a terminal obeys."""
    with logs.reading(folder) as db:
        others = line("other.example/\x9b2J\u202e", bytes(5))
        db.execute("UPDATE checkpoints SET note = CAST(note || ? AS BLOB)", (others,))
    told = run(folder, "show", f"{6:032x}")
    assert told.exit_code == 0, told.stderr
    assert "other.example/" in told.stdout
    assert not {"\x9b", "\u202e"} & set(told.stdout)


@pytest.mark.parametrize("command", [["verify"], ["show", "x"]])
def test_usage_and_unreadable_files_exit_with_2(folder: Path, tmp_path: Path, command: list[str]) -> None:
    """Options that don't name a log and a key, and files that are none, are told apart from a bad log."""
    log, key = str(folder / "audit.db"), str(folder / "log.key.pub")
    for options in (
        [],
        ["--log", log],
        ["--key", key],
        ["--config", "x", "--log", log, "--key", key],
        ["--config", "x", "--key", key],
        ["--config", str(tmp_path / "missing.toml")],
        ["--log", log, "--key", str(tmp_path / "missing")],
        ["--log", log, "--key", log],
        ["--log", key, "--key", key],
        ["--log", str(tmp_path / "missing"), "--key", key],
    ):
        told = CliRunner().invoke(app, [*command, *options])
        assert (told.exit_code, told.stdout) == (2, ""), options
        assert told.stderr.startswith("error: ")


@pytest.mark.parametrize("origin", ["", ".", "other.example/log"])
def test_another_log_than_the_one_in_the_file_is_not_shown(folder: Path, origin: str) -> None:
    """A log in SQLite is alone: who asks for another of its database is told, and not shown this one."""
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(origin=logs.ORIGIN))
    where = ["--config", str(config), "--key", str(folder / "log.key.pub"), "--origin", origin]
    told = CliRunner().invoke(app, ["verify", *where])
    assert (told.exit_code, told.stdout) == (2, "")
    assert "--origin: goes with a log in PostgreSQL" in told.stderr


def test_a_configuration_names_log_and_key(folder: Path) -> None:
    """With --config nothing else is needed."""
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(origin=logs.ORIGIN))
    told = CliRunner().invoke(app, ["verify", "--config", str(config)])
    assert told.exit_code == 0, told.stderr


def test_marks_prove_what_no_checkpoint_covers_to_who_has_the_key(tmp_path: Path) -> None:
    """A log without any checkpoint verifies by its marks, with the log's key alone; a foreign record in it does not."""
    logs.fill(tmp_path, 0)
    append(tmp_path, *(made(Kind.REFUSAL, n) for n in range(3)), sign=False)
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(origin=logs.ORIGIN))
    told = run(tmp_path, "verify")
    assert (told.exit_code, "no checkpoint covers any" in told.stdout) == (1, True)
    told = CliRunner().invoke(app, ["verify", "--config", str(config)])
    assert told.exit_code == 0, told.stdout
    assert "3 of them after the last checkpoint: proved by the marks of the log's key alone from record 0 on" in (
        told.stdout
    )
    report = json.loads(CliRunner().invoke(app, ["verify", "--config", str(config), "--json"]).stdout)
    assert (report["marks"], report["covered"], report["unproved"]) == (True, 0, 0)
    with logs.reading(tmp_path) as db:
        db.execute("UPDATE entries SET mark = NULL WHERE idx = 2")
    told = CliRunner().invoke(app, ["verify", "--config", str(config)])
    assert (told.exit_code, "entry 2 has no mark" in told.stdout) == (1, True)


CONFIG = """
profile = "development"
[listener]
address = "127.0.0.1:0"
certificate = "x"
key = "x"
client_ca = "x"
[identity]
audience = "x"
ledger = "x"
[release]
path = "x"
[audit]
path = "audit.db"
origin = "{origin}"
signing_key = "log.key"
commitment_key = "commit.key"
[[upstreams]]
name = "loopback"
kind = "loopback"
"""


def test_keys_are_made_once(tmp_path: Path) -> None:
    """Keys of a new log are private, their public half verifies nothing else, and a second run replaces none."""
    places = ["--signing-key", str(tmp_path / "log.key"), "--commitment-key", str(tmp_path / "commitment.key")]
    assert CliRunner().invoke(app, ["keygen", "agency.test/one", *places]).exit_code == 0
    made_keys = {p.name: (p.stat().st_mode & 0o777, p.read_bytes()) for p in tmp_path.iterdir()}
    assert {n: mode for n, (mode, _) in made_keys.items()} == {
        "log.key": 0o600,
        "log.key.pub": 0o644,
        "commitment.key": 0o600,
    }
    again = CliRunner().invoke(app, ["keygen", "agency.test/one", *places])
    assert isinstance(again.exception, StartError)
    assert {p.name: (p.stat().st_mode & 0o777, p.read_bytes()) for p in tmp_path.iterdir()} == made_keys
