"""Splits that tear nothing apart, and figures that can be checked by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StartError
from gateway.measuring.choosing import choose
from gateway.measuring.corpus import SPLITS, Text, groups, read, split
from gateway.measuring.figures import figures, share
from gateway.measuring.scoring import Scored
from gateway.types import Effect, Reading

WORDS = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(WORDS, WORDS), max_size=30))
def test_no_split_shares_a_style_or_a_topic(drawn: list[tuple[str, str]]) -> None:
    """Whatever texts there are, each is in one split, and no two splits share a style or a topic."""
    texts = [
        Text(id=f"t{at}", text="x", labels=[], style=style, topic=topic) for at, (style, topic) in enumerate(drawn)
    ]
    parts = split(texts)
    assert sorted(t.id for part in parts.values() for t in part) == sorted(t.id for t in texts)
    for field in ("style", "topic"):
        seen = [{getattr(t, field) for t in parts[name]} for name in SPLITS]
        assert sum(map(len, seen)) == len(set().union(*seen))


def test_the_largest_group_is_for_training() -> None:
    """What is linked through a style or a topic is one group, and the largest is never tested on."""
    pairs = [("a", "1"), ("a", "2"), ("b", "2"), ("c", "3")]
    texts = [Text(id=s + t, text="x", labels=[], style=s, topic=t) for s, t in pairs]
    assert groups(texts) == ["", "", "", "c3"]


def test_a_share_has_wilsons_interval() -> None:
    """5 of 10 is a half, from 24 to 76 %; of nothing there is no share."""
    assert share(5, 10) == {"share": 0.5, "low": 0.2366, "high": 0.7634, "of": 10}
    assert share(0, 0) == {"of": 0}


def test_figures_count_what_is_refused_and_each_category() -> None:
    """A text that is refused counts so; a category's precision and recall leave out what nobody could read."""
    texts = [
        Text(id="a", text="x", labels=["cbrn"]),
        Text(id="b", text="x", labels=["cbrn"]),
        Text(id="c", text="x", labels=[], hard=True),
        Text(id="d", text="x", labels=[], lang="fr"),
    ]
    scores = (700, 100, 600, None)
    judged = [
        (t, Scored(t.id, (Reading("cbrn", "v", s),), Effect.ALLOW if s == 100 else Effect.DENY, ()))
        for t, s in zip(texts, scores, strict=True)
    ]
    found = figures(judged)
    assert [found["refused"][kind]["share"] for kind in ("restricted", "hard", "ordinary")] == [0.5, 1, 1]
    cbrn = found["categories"]["cbrn"]
    assert (cbrn["precision"]["share"], cbrn["recall"]["share"], cbrn["f1"]) == (0.5, 0.5, 0.5)
    assert found["languages"]["fr"]["ordinary"]["of"] == found["unread"]["share"] * 4 == 1


def test_the_lowest_limit_that_refuses_few_enough_is_chosen() -> None:
    """By the category's own scores, without what nobody could read; none where every limit refuses too much."""

    def judged(name: str, labels: list[str], score: int | None, *, hard: bool = False) -> tuple[Text, Scored]:
        text = Text(id=name, text="x", labels=labels, hard=hard)
        return text, Scored(name, (Reading("cbrn", "v", score),), Effect.ALLOW, ())

    some = [judged("a", ["cbrn"], 700), judged("b", ["cbrn"], 300), judged("c", [], 410, hard=True)]
    unread = judged("d", [], None, hard=True)
    (choice,) = choose([*some, unread], hard=0.0, ordinary=0.0)
    at = {point.limit: (point.found, point.hard) for point in choice.curve}
    assert (choice.category, choice.of, choice.limit) == ("cbrn", 2, 450)
    assert (at[400], at[450]) == ((0.5, 1.0), (0.5, 0.0))
    assert choose([*some, judged("e", [], 1000, hard=True)], hard=0.4, ordinary=0.0)[0].limit is None


@pytest.mark.parametrize("row", ["{", json.dumps({"id": "a"}), json.dumps({"id": "a", "text": 1, "labels": []})])
def test_a_line_that_is_none_is_named(row: str, tmp_path: Path) -> None:
    """A line that is no labelled text refuses the file, with its number and not with its content."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": "a", "text": "x", "labels": []}) + "\n" + row + "\n")
    with pytest.raises(StartError, match=r"a\.jsonl:2"):
        read(file)


@pytest.mark.parametrize("there", [("us_person", 900), ("credentials", None)])
def test_a_curve_is_of_what_texts_are_restricted_for(there: tuple[str, int | None]) -> None:
    """What stands against a declaration alone restricts no text, so a limit of every category leaves it out."""
    name, score = there
    assert Scored("a", (Reading(name, "v", score), Reading("cbrn", "v", 100)), Effect.ALLOW, ()).highest == 100
    assert Scored("a", (Reading(name, "v", 0), Reading("cbrn", "v", None)), Effect.ALLOW, ()).highest == 1001
