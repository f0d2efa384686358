"""The corpus is well formed, and what would spoil it is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.corpus import ALL, CorpusError, Line, check, main, read

GOOD = {
    "id": "c9-000001",
    "kind": "prompt",
    "text": "The forklift in bay four needs a new seal before Thursday.",
    "labels": [],
    "hard": False,
    "style": "clerk",
    "topic": "maintenance",
    "lang": "en",
}


def line(number: int, text: str) -> tuple[str, Line]:
    row = GOOD | {"id": f"c9-{number:06}", "text": text}
    return f"x-01.jsonl:{number}", Line.model_validate_json(json.dumps(row))


def test_the_corpus_is_well_formed_and_no_text_is_nearly_another(capsys: pytest.CaptureFixture[str]) -> None:
    """What is committed passes its own check, and no text to measure by is nearly one to learn from."""
    assert main(["check", "--corpus", *map(str, ALL)]) == 0, capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "1"}, "id: "),
        ({"kind": "chat"}, "kind: "),
        ({"text": ""}, "text: "),
        ({"text": " starts with a space"}, "white space"),
        ({"labels": ["gardening"]}, "no such label: gardening"),
        ({"labels": ["cbrn", "cbrn"]}, "twice"),
        ({"labels": ["cbrn"], "hard": True}, "has to pass"),
        ({"hard": "no"}, "hard: "),
        ({"style": "Two Words"}, "style: "),
        ({"lang": "eng"}, "lang: "),
        ({"note": "x"}, "note: "),
    ],
)
def test_a_malformed_line_is_refused_and_named(change: dict[str, object], said: str, tmp_path: Path) -> None:
    """Whatever field is wrong, the error names the file, the line and the field or fault."""
    (tmp_path / "x-01.jsonl").write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD | change) + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"^x-01\.jsonl:2: ") as caught:
        list(read(tmp_path))
    assert said in str(caught.value)


@pytest.mark.parametrize("row", ["", "[]", "{", "null", '"text"'])
def test_what_is_no_object_is_refused(row: str, tmp_path: Path) -> None:
    """A blank line or another JSON value is the same one error."""
    (tmp_path / "x-01.jsonl").write_text(row + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"^x-01\.jsonl:1: "):
        list(read(tmp_path))


@pytest.mark.parametrize(("name", "content"), [("X.jsonl", b"{}\n"), ("x-1.jsonl", b"{}\n"), ("x-01.jsonl", b"\xff\n")])
def test_a_file_with_a_wrong_name_or_encoding_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    """No file is passed over in silence."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=f"^{name}: "):
        list(read(tmp_path))


def test_an_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped folder does not pass as a good corpus."""
    assert main(["check", "--corpus", str(tmp_path)]) == 1
    assert "no lines" in capsys.readouterr().err


def test_an_id_used_twice_is_found() -> None:
    """Two different texts under one id are told with both places."""
    first, (_, second) = line(1, "Roster for the night watch."), line(1, "Payroll closes on the third Friday.")
    assert check([first, ("y-01.jsonl:7", second)]) == [
        "x-01.jsonl:1, y-01.jsonl:7: the id c9-000001 is used more than once"
    ]


@pytest.mark.parametrize(
    "other",
    [
        "THE FORKLIFT IN BAY FOUR NEEDS A NEW SEAL BEFORE THURSDAY!!",
        "The forklift in bay nine needs a new seal before Thursday.",
        "The forklift [DETAIL] in bay four needs a new seal before [DATE] Thursday.",
    ],
)
def test_a_text_with_a_word_swapped_is_found(other: str) -> None:
    """Case, punctuation, placeholders and one word do not make another text."""
    (found,) = check([line(1, str(GOOD["text"])), line(2, other)])
    assert "nearly the same" in found


def test_texts_in_a_script_without_spaces_are_compared() -> None:
    """A near copy in Chinese is found, and another Chinese sentence is not."""
    lines = [
        line(1, "请把三号仓库的叉车维修记录翻译成英文并存档"),
        line(2, "请把五号仓库的叉车维修记录翻译成英文并存档"),
        line(3, "下周二的预算会议改到下午两点举行"),
    ]
    (found,) = check(lines)
    assert found.startswith("x-01.jsonl:1, x-01.jsonl:2: ")


@given(
    st.lists(st.text(alphabet="abcd ", min_size=5, max_size=30).map(str.strip).filter(lambda t: len(t) > 4), max_size=8)
)
def test_rare_runs_find_what_comparing_every_pair_finds(texts: list[str]) -> None:
    """The short cut over rare runs misses no pair."""

    def runs(text: str) -> set[str]:
        plain = text.replace(" ", "")
        return {plain[start : start + 5] for start in range(max(1, len(plain) - 4))}

    pairs = sum(
        len(runs(left) & runs(right)) / len(runs(left) | runs(right)) > 0.5
        for index, left in enumerate(texts)
        for right in texts[index + 1 :]
    )
    assert len(check([line(number, text) for number, text in enumerate(texts)])) == pairs


def test_count_prints_every_category(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has one row for each category, and the languages."""
    assert main(["count"]) == 0
    out = capsys.readouterr().out
    assert "power_seizure" in out
    assert "en " in out
