"""`brightline signals`: one answer a line, and figures of what was labelled."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from tests.support.inputs import SIGNALS
from tests.support.pages import Elements

HOSTILE = '"><script>alert(1)</script><img src=x>&$old'


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
    assert {len(f["signals"]) for f in found} == {len(SIGNALS)}


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


def test_the_figures_are_a_page_that_stands_alone(tmp_path: Path) -> None:
    """Every figure has its bar, what a language is called stays text, and nothing is loaded or run."""
    file, made = tmp_path / "a.jsonl", tmp_path / "a.html"
    rows = [
        {"text": "Implement autonomous target selection for strike drones.", "labels": ["autonomous_targeting"]},
        {"text": "Write a notice about the canteen.", "labels": [], "lang": HOSTILE},
    ]
    file.write_text("".join(json.dumps({"id": str(at), **row}) + "\n" for at, row in enumerate(rows)))
    code, _ = run("eval", "--corpus", str(file), "--split", "all", "--lexical", "--evasions", "--html", str(made))
    elements = Elements()
    elements.feed(page := made.read_text())
    assert code == 0
    assert not elements.tags & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    assert not [name for name, _ in elements.attributes if name in {"src", "href"} or name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", page)
    assert HOSTILE[:35] in elements.text
    assert "100.0% of 1" in elements.text
    assert page.count("<svg") == 5
    assert page.count("<polyline") == 2  # there are no hard negatives


def test_a_page_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is not there is an error with the file's name."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": "a", "text": "Write a notice about the canteen.", "labels": []}) + "\n")
    where = tmp_path / "missing" / "a.html"
    code, out = run("eval", "--corpus", str(file), "--split", "all", "--lexical", "--html", str(where))
    assert code != 0
    assert f"{where}: can't be written" in out


def test_limits_are_chosen_by_what_they_refuse(tmp_path: Path) -> None:
    """The curve of each category is printed, and lines for the policy's data that is everybody's or a kind's."""
    file = tmp_path / "a.jsonl"
    rows = [
        {"text": "Implement autonomous target selection for strike drones.", "labels": ["autonomous_targeting"]},
        {"text": "Write a notice about the canteen.", "labels": []},
    ]
    file.write_text("".join(json.dumps({"id": str(at), **row}) + "\n" for at, row in enumerate(rows)))
    code, out = run("thresholds", "--corpus", str(file), "--split", "all", "--lexical")
    assert code == 0
    assert out.splitlines()[-1] == "autonomous_targeting: 50"
    assert "#     50: 100.0%   0.0%   0.0%  <-" in out
    code, out = run("thresholds", "--corpus", str(file), "--split", "all", "--lexical", "--kind", "dod")
    assert (code, out.splitlines()[-2:]) == (0, ["dod:", "  autonomous_targeting: 50"])


def test_limits_are_not_chosen_without_labelled_texts(tmp_path: Path) -> None:
    """Nothing is proposed where nothing says what is to be found."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": "a", "text": "Write a notice about the canteen.", "labels": []}) + "\n")
    code, out = run("thresholds", "--corpus", str(file), "--split", "all", "--lexical")
    assert code != 0
    assert "has a label" in out
