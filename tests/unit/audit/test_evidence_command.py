from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.database import checkpoint_path
from brightline_verify.export import verify
from brightline_verify.note import open_checkpoint
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from gateway.cli import trail
from tests.support import logs
from tests.unit.audit.test_verify import append, made

SIZE = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log."""
    logs.fill(tmp_path, SIZE)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """`brightline audit` on the log in `folder`; "@" stands for it."""
    where = ("--log", "@audit.db", "--key", "@log.key.pub")
    return CliRunner().invoke(trail, [a.replace("@", f"{folder}/") for a in (*arguments, *where)])


def test_an_export_is_made_and_replaces_nothing(folder: Path) -> None:
    """The file verifies; a second one of the same name, or of nothing, is refused."""
    ran = run(folder, "export", "@export.jsonl", "--first", "2")
    assert (ran.exit_code, ran.output) == (0, f"made {folder}/export.jsonl: records 2 to 9\n")
    report = verify(folder / "export.jsonl", logs.trust(folder))
    assert (report.problem, report.first, report.size) == (None, 2, SIZE)
    assert run(folder, "export", "@export.jsonl").exit_code == 2
    ran = run(folder, "export", "@other.jsonl", "--first", "10")
    assert (ran.exit_code, "no checkpoint covers record 10" in ran.output) == (2, True)
    ran = run(folder, "export", "@other.jsonl", "--first", "2", "--until", "2")
    assert (ran.exit_code, "no checkpoint over at most 2 records covers record 2" in ran.output) == (2, True)


def test_a_proof_and_its_record_are_written_as_files(folder: Path) -> None:
    """Each record of a decision comes with a proof that holds with the public key alone, in less than 2 KB."""
    append(folder, made(Kind.INTENT, 1000), made(Kind.OUTCOME, 1000))
    ran = run(folder, "prove", f"{1000:032x}", "--to", "@")
    assert ran.exit_code == 0
    for index in (10, 11):
        text = (folder / f"record-{index}.tlog-proof").read_bytes()
        leaf = (folder / f"record-{index}.json").read_bytes()
        assert Proof.parse(text).verify(leaf, logs.verifier(folder)).size == 12
        assert len(text) <= 2048


def test_a_proof_leads_to_the_checkpoint_that_is_asked_for(folder: Path) -> None:
    """A checkpoint of one's choice, for example one that witnesses signed, is what is proved against."""
    kept = checkpoint_path(folder / "audit.db").read_bytes()
    (folder / "kept").write_bytes(kept)
    append(folder, made(Kind.REFUSAL, 1000))
    assert run(folder, "prove", f"{3:032x}", "--to", "@", "--cosigned", "@kept").exit_code == 0
    assert Proof.parse((folder / "record-3.tlog-proof").read_bytes()).note == kept
    ran = run(folder, "prove", f"{1000:032x}", "--to", "@", "--cosigned", "@kept")
    assert (ran.exit_code, "not under that checkpoint" in ran.output) == (1, True)


def test_a_log_is_published_as_tiles(folder: Path) -> None:
    """The checkpoint that is published is the log's last; a log that is not there is told."""
    ran = run(folder, "tiles", "@tiles")
    assert (ran.exit_code, ran.output) == (0, f"published {SIZE} records in {folder}/tiles\n")
    assert open_checkpoint((folder / "tiles/checkpoint").read_bytes(), logs.verifier(folder)).size == SIZE
    (folder / "audit.db").unlink()
    assert run(folder, "tiles", "@tiles").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("prove", f"{3:032x}", "--to", "@missing"),
        ("prove", f"{3:032x}", "--cosigned", "@missing"),
        ("export", "@missing/export.jsonl"),
        ("export", "@export.jsonl", "--cosigned", "@missing"),
    ],
)
def test_files_that_can_not_be_read_or_written_exit_with_2(folder: Path, arguments: tuple[str, ...]) -> None:
    """What is at fault is said in one line."""
    ran = run(folder, *arguments)
    assert ran.exit_code == 2
    assert ran.output.startswith("error: ")
