"""Two encoders where one of them is in doubt."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.corpus import APART
from gateway.measuring.corpus import read
from gateway.signals import encoder
from gateway.signals.encoder import READ, Encoder
from gateway.signals.learned import FOLDER, LANGUAGES, passages, worded
from gateway.signals.margins import combined, doubtful
from gateway.signals.normalise import normalise

SOME = 300


@pytest.fixture(scope="module")
def languages() -> Encoder:
    return encoder.load(LANGUAGES)


@pytest.fixture(scope="module")
def english() -> Encoder:
    return encoder.load(FOLDER)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Passages of every sort."""
    texts = read(APART / "apart-10.jsonl")[::2]
    return [passage for text in texts for passage in passages(worded(normalise(text.text)))][:SOME]


def test_where_one_is_in_doubt_the_mean_decides(english: Encoder, languages: Encoder, said: list[str]) -> None:
    """Near its threshold a passage is refused by the mean of both margins; elsewhere the scores are its own."""
    both, limit = encoder.load(FOLDER, languages), english.made.together
    assert limit is not None
    asked = 0
    for passage in said:
        mine, how = english.margins(passage)
        if mine is None or how != READ or not doubtful(mine, english.made.threshold):
            assert (both.said(passage) == english.said(passage)).all()
            continue
        asked += 1
        others, _ = languages.margins(passage, to_end=True)
        assert others is not None
        assert (both.said(passage)[:-1].max() >= 500) == (combined((mine + others) / 2)[0] >= limit)
    assert 5 < asked < SOME / 2


def test_what_the_other_one_can_not_read_is_decided_alone(english: Encoder, said: list[str]) -> None:
    """Where the encoder for other languages takes a passage for garbled, its margins don't count."""
    other = encoder.load(LANGUAGES)
    other.made = other.made.model_copy(update={"foreign": -np.inf})
    both = encoder.load(FOLDER, other)
    assert all((both.said(passage) == english.said(passage)).all() for passage in said)
