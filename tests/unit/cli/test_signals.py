"""`brightline signals`: one answer a line, and figures of what was labelled."""

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["signals", *arguments])
    return result.exit_code, result.output if result.exception is None else str(result.exception)


def test_each_line_is_scored_and_decided(tmp_path: Path) -> None:
    """Every text has all its readings and what the policy decides for them, in order."""
    file = tmp_path / "a.jsonl"
    texts = ["Write a notice about the canteen.", "Implement autonomous target selection for the strike drones."]
    file.write_text("".join(json.dumps({"id": str(at), "text": text}) + "\n" for at, text in enumerate(texts)))
    code, out = run("score", str(file))
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(f["id"], f["effect"]) for f in found] == [("0", "allow"), ("1", "deny")]
    assert "weapon_engage_autonomous" in found[1]["rules"]
    assert {len(f["signals"]) for f in found} == {16}


def test_a_line_that_is_none_is_named_and_nothing_is_scored(tmp_path: Path) -> None:
    """The error has the place and what a line is, and not the content."""
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "a", "text": "x"}\n{"id": "secret"}\n')
    code, out = run("score", str(file), "--lexical")
    assert code != 0
    assert "a.jsonl:2: is no line" in out
    assert "secret" not in out


def test_labelled_texts_are_measured(tmp_path: Path) -> None:
    """The figures are those of the texts given; without the learned detector there are fewer refusals."""
    file = tmp_path / "a.jsonl"
    row = {
        "id": "a",
        "text": "Implement autonomous target selection for strike drones.",
        "labels": ["autonomous_targeting"],
    }
    file.write_text(json.dumps(row) + "\n")
    code, out = run("eval", "--corpus", str(file), "--split", "all", "--lexical", "--json", "--curve", "--evasions")
    found = json.loads(out)
    assert code == 0
    assert (found["texts"], found["categories"]["autonomous_targeting"]["recall"]["of"]) == (1, 1)
    assert len(found["curve"]) == 19
    assert found["evasions"]["ways"]["entities"] == {"share": 1.0, "low": 0.2065, "high": 1.0, "of": 1, "lost": 0.0}


def test_explaining_shows_both_detectors() -> None:
    """A text's signals are shown, highest first, and the decision."""
    code, out = run("explain", "Implement autonomous target selection for the strike drones.")
    assert code == 0
    assert out.splitlines()[1].startswith("autonomous_targeting") or "autonomous_targeting" in out.splitlines()[1]
    assert "deny" in out
