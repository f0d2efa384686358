"""The lexicon is typed data: what is wrong in it refuses the start."""

import json
from typing import Any

import pytest

from gateway.errors import StartError
from gateway.release import starter
from gateway.signals import FORMS
from gateway.signals.lexicon import load, parse, stem
from gateway.signals.normalise import normalise


def test_the_shipped_lexicon_loads() -> None:
    """The lexicon is valid, its version names its bytes, and the policy has thresholds for what it and forms give."""
    lexicon, version = load()
    policy = json.loads((starter() / "data.json").read_bytes())
    assert {*lexicon.signals, *FORMS} == set(policy["brightline"]["thresholds"])
    assert version.startswith("lexical-2-")
    assert load()[1] == version


def test_every_term_is_in_normal_form() -> None:
    """A term that normalisation would change could never match."""
    lexicon, _ = load()
    terms = {term for concept in lexicon.concepts.values() for term in concept}
    assert {term for term in terms if normalise(term) != term} == set()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"unknown": 1},
        {"block": 0},
        {"concepts": {"strike": ["Not Normal"]}},
        {"weakens": {"nowhere": []}},
        {"weakens": {"build": ["nowhere"]}},
        {"signals": {}},
        {"signals": {"x": {"weights": {"strike": 1001}, "needs": [["strike"]], "lowers": {}}}},
        {"signals": {"x": {"weights": {"strike": 1}, "needs": [], "lowers": {}}}},
        {"signals": {"x": {"weights": {"strike": 1}, "needs": [["nowhere"]], "lowers": {}}}},
    ],
)
def test_a_defective_lexicon_refuses_the_start(change: dict[str, Any]) -> None:
    """One error type, whatever is wrong."""
    lexicon, _ = load()
    data = lexicon.model_dump(mode="json") | change
    with pytest.raises(StartError, match=r"lexicon\.json: "):
        parse(json.dumps(data).encode())


def test_bytes_that_are_no_lexicon_refuse_the_start() -> None:
    """What isn't JSON is refused the same way."""
    with pytest.raises(StartError):
        parse(b"\xff{")


@pytest.mark.parametrize(
    "forms",
    [
        "engage engages engaged engaging",
        "target targets targeted targeting",
        "kill kills killed killing",
        "strike strikes striking",
        "identify identifies identified",
        "autonomous autonomously",
        "citizen citizens",
        "track tracks tracked tracking",
        "weapon weapons",
    ],
)
def test_inflections_share_a_stem(forms: str) -> None:
    """The forms of one word are one term."""
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize("pair", ["warrant warranty", "policy police", "person personnel"])
def test_different_words_keep_different_stems(pair: str) -> None:
    """Words that only look related are not taken for each other."""
    first, second = pair.split()
    assert stem(first) != stem(second)
