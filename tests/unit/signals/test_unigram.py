"""The vocabulary of many languages: every word is cut into its likeliest pieces, whatever it is."""

from __future__ import annotations

import itertools
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signals.learned import LANGUAGES
from gateway.signals.script import native
from gateway.signals.unigram import LONGEST, Unigram

PIECES = {"\u2581a": -2.0, "\u2581": -3.0, "a": -3.0, "b": -4.0, "ab": -5.0, "\u2581ab": -9.0, "ba": -6.5}
SMALL = "0\t<s>\n0\t</s>\n0\t<unk>\n" + "".join(f"{likely}\t{piece}\n" for piece, likely in PIECES.items())


@pytest.fixture(scope="module")
def pieces() -> Unigram:
    """The vocabulary that travels with the package."""
    return Unigram((LANGUAGES / "vocabulary.txt").read_bytes())


def ways(word: str) -> list[list[str]]:
    """Every way to cut a word into pieces of the small vocabulary."""
    cuts = itertools.chain.from_iterable(
        itertools.combinations(range(1, len(word)), count) for count in range(len(word))
    )
    found = ([word[a:b] for a, b in itertools.pairwise([0, *cut, len(word)])] for cut in cuts)
    return [way for way in found if all(piece in PIECES for piece in way)]


@given(st.text(alphabet="ab", min_size=1, max_size=8))
def test_a_word_is_cut_in_the_likeliest_way(word: str) -> None:
    """Of all ways to make a word of the pieces none is likelier than the one that is taken."""
    names = [*PIECES]
    taken = [names[number - 3] for number in Unigram(SMALL.encode())(word)]
    assert "".join(taken) == f"\u2581{word}"
    best = max(sum(map(PIECES.__getitem__, way)) for way in ways(f"\u2581{word}"))
    assert sum(map(PIECES.__getitem__, taken)) == pytest.approx(best)


@given(st.text(max_size=300))
def test_any_text_has_pieces(pieces: Unigram, text: str) -> None:
    """There are at most one piece for each character and one for the beginning of each word, and always the same."""
    plain = native(text)
    found = pieces(plain)
    assert len(found) <= len(plain) + len(plain.split())
    assert found == pieces(plain)


@pytest.mark.parametrize(
    "text",
    [
        "Прошу подготовить приказ",
        "请准备一份通知",
        "הכן בבקשה הודעה",
        "لطفا یک اطلاعیه آماده کنید",
        "공지를 준비해 주세요",
        "कृपया एक सूचना तैयार करें",
        "お知らせを準備してください",
        "préparez l'avis, s'il vous plaît",
    ],
)
def test_the_scripts_of_measured_languages_are_known(pieces: Unigram, text: str) -> None:
    """No character of these languages is unknown."""
    assert pieces.unknown not in pieces(native(text))


@pytest.mark.parametrize("text", ["กรุณาเตรียมประกาศ", "Ετοιμάστε μια ανακοίνωση", "მოამზადეთ განცხადება"])
def test_other_scripts_are_unknown(pieces: Unigram, text: str) -> None:
    """Most characters of a script of no measured language are unknown."""
    found = pieces(native(text))
    assert found.count(pieces.unknown) * 2 > len(found)


@given(st.integers(1, 25))
def test_a_cipher_is_told_from_a_language(pieces: Unigram, by: int) -> None:
    """A text whose letters are moved along the alphabet is a cipher, whatever the language; the text itself is not."""
    texts = [
        "the canteen is closed on friday because of the holiday, please bring your own lunch",
        "la cafetería cierra el viernes por la fiesta, así que traigan su propio almuerzo de casa",
        "kantin cuma gunu bayram dolayisiyla kapali, lutfen yemeginizi yaninizda getirin ve haber verin",
        "chakula hakitapatikana ijumaa kwa sababu ya sikukuu, tafadhali leteni chakula chenu wenyewe",
    ]
    turned = str.maketrans(ascii_lowercase, ascii_lowercase[by:] + ascii_lowercase[:by])
    for text in texts:
        assert not pieces.is_cipher(text)
        assert pieces.is_cipher(text.translate(turned))


def test_a_run_without_spaces_is_cut(pieces: Unigram) -> None:
    """A run is looked at in parts of bounded length, and only its first part begins a word."""
    run = "界" * LONGEST * 3
    assert len(pieces(run)) <= len(run) + 1
    assert pieces(run)[1:3] == pieces(run)[2:4]
