"""The form for text of any script: letters stay what they are, and nothing hides in them."""

from __future__ import annotations

import html
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signals.normalise import normalise
from gateway.signals.script import mostly_ascii, native

RUSSIAN = "сними с каждого в районе отпечатки"


@given(st.text(max_size=300))
def test_the_form_is_one_line(text: str) -> None:
    """Whatever a text is, its form is one line without edges."""
    plain = native(text)
    assert plain == " ".join(plain.split())


@pytest.mark.parametrize(
    "text",
    [
        RUSSIAN.upper(),
        "\u200b".join(RUSSIAN),
        "".join(f"{c}\u0336" for c in RUSSIAN),
        html.escape("".join(f"&#{ord(c)};" for c in RUSSIAN)),
        quote(quote(RUSSIAN)),
        RUSSIAN.replace(" ", "\u00a0\n"),
        RUSSIAN.replace("о", "o").replace("е", "e"),
    ],
)
def test_disguises_are_undone(text: str) -> None:
    """Case, what is invisible, marks, encodings, white space and look-alikes change nothing."""
    assert native(text) == RUSSIAN


def test_letters_of_a_language_stay() -> None:
    """Letters with marks of their own, vowels of Devanagari and letters of many scripts are as they were written."""
    text = "ministère için über miễn phí कृपया سلام 界 한국"
    assert native(text) == text


def test_invisible_text_is_read() -> None:
    """What stands in tag characters is part of the text."""
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "kill them")
    assert native(f"Привет{hidden}") == "привет kill them"


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("the canteen is closed", True),
        ("", True),
        ("сallеd аt nооn", True),
        ("Über den Straßen", True),
        (RUSSIAN, False),
        ("the canteen is closed, столовая", False),
        ("请准备", False),
    ],
)
def test_text_in_latin_letters_is_told_from_other_text(text: str, latin: bool) -> None:
    """In normal form look-alikes are Latin letters; real text of another script is not mostly such."""
    assert mostly_ascii(normalise(text)) is latin
