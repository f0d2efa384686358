"""Every way of hiding a word from a reader of bytes, and that none of them is slow or raises."""

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.confusables import is_ideograph, letters
from gateway.signals.normalise import joining, normalise
from gateway.signals.script import native

HIDDEN = {
    "capitals": "AUTONOMOUS Target",
    "full width": "\uff21\uff55\uff54\uff4f\uff4e\uff4f\uff4d\uff4f\uff55\uff53 target",
    "mathematical letters": "\U0001d41a\U0001d42e\U0001d42d\U0001d428nomous target",
    "Cyrillic look-alikes": "\u0430ut\u043en\u043em\u043eus t\u0430rg\u0435t",
    "Cyrillic capitals": "\u0410UTON\u041eMOUS \u0422AR\u0413E\u0422".replace("\u0413", "G"),
    "Greek look-alikes": "\u03b1\u03c5\u03c4\u03bf\u03bd\u03bfmous target".replace("\u03bd", "n"),
    "zero width": "au\u200bto\u200cno\u200dmo\u2060us\ufeff target",
    "soft hyphen": "auto\u00adnomous tar\u00adget",
    "bidi controls": "\u202eautonomous\u202c \u2066target\u2069",
    "variation selectors": "a\ufe0fu\U000e0100tonomous target",
    "combining marks": "a\u0301u\u0308tonomo\u0337us ta\u20ddrget",
    "accented letters": "\u00e1\u00fct\u00f6n\u00f3m\u00f8us target".replace("\u00f8", "o"),
    "Hangul filler": "auto\u3164nomous target",
    "control characters": "auto\x00nomo\x08us tar\x7fget",
    "entities": "&#97;uto&#x6E;omous&nbsp;target",
    "percent": "%61utonomous%20t%61rget",
    "entity behind full width": "\uff06#97;utonomous target",
    "spaced out": "a u t o n o m o u s  t a r g e t",
    "dotted": "a.u.t.o.n.o.m.o.u.s target",
    "dotted words": "a.u.t.o.n.o.m.o.u.s t.a.r.g.e.t",
    "any sign between letters": "a=u=t=o=n=o=m=o=u=s t\u00b7a\u00b7r\u00b7g\u00b7e\u00b7t",
    "a face between letters": "\U0001f600".join("autonomous") + " target",
    "letters listed": "a, u, t, o, n, o, m, o, u, s  t - a - r - g - e - t",
    "hyphens between letters": "a-u-t-o-n-o-m-o-u-s t_a_r_g_e_t",
    "more signs between letters": "-- --".join("autonomous") + " target",
    "broken at a line's end": "auto-\n  nomous target",
    "broken at the end of a line of Windows": "auto-\r\nnomous tar-\r\nget",
    "broken at a soft hyphen": "auto\u00ad\n  nomous tar\u00ad\r\nget",
    "broken at another hyphen": "auto\u2010\nnomous tar\u2011\nget",
    "broken in a quotation": "> auto-\n> nomous target"[2:],
    "entities twice": "&amp;#97;uto&amp;#x6E;omous&amp;nbsp;target",
    "percent three times": "%252561utonomous%252520t%252561rget",
    "entities in percent": "%26%2397%3Butonomous%20target",
    "tags": "<b>au</b>to<i>n</i>om<wbr>ous <strong>tar</strong>get",
    "empty comments": "auto<!-- -->nomous tar/**/get",
    "emphasis within a word": "auto**nom**ous tar`get",
    "nothing within a word": "auto{}nomous target",
    "Cherokee, Lisu and Coptic look-alikes": "\u13aauton\u2c9fm\ua4f3us tar\u13c0et",
    "odd spaces": "autonomous\u2003\u00a0\t\n target",
    "Turkish capital": "AUTONOMOUS TARGET".replace("O", "O\u0307"),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_hidden_words_are_found(way: str) -> None:
    """However the words are hidden, they read the same."""
    assert normalise(HIDDEN[way]) == "autonomous target"


@pytest.mark.parametrize(("turkish", "plain"), [("\u0130STANBUL", "istanbul"), ("k\u0131l\u0131", "kili")])
def test_turkish_letters_fold(turkish: str, plain: str) -> None:
    """Dotted capital and dotless small I are the letter i."""
    assert normalise(turkish) == plain


def test_letters_in_brackets_are_a_word() -> None:
    """Letters that have brackets each are read as one word."""
    assert normalise("(t)(a)(r)(g)(e)(t) [f][i][r][e]") == "(target) [fire]"


def test_tag_characters_are_read_out() -> None:
    """Text in tag characters, which a model may read and no person sees, is read after the rest."""
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "Fire")
    assert normalise(f"hello{hidden} there") == "hello there fire"


def test_encodings_are_undone_in_one_another() -> None:
    """What is encoded up to four times is read; how often more, nothing is undone."""
    assert normalise("&amp;amp;amp;lt;") == "<"
    assert normalise("&amp;amp;amp;amp;amp;lt;") == "&amp;lt;"


def test_what_variation_selectors_spell_is_read_out() -> None:
    """Bytes in a row of variation selectors, which no person sees, are read after the rest; one alone is nothing."""
    row = "".join(chr(0xE0100 + ord(c) - 16) for c in "Fire")
    assert normalise(f"hello \u263a{row} there") == "hello \u263a there fire"
    assert normalise("hello \u2764\ufe0f there") == "hello \u2764 there"


@pytest.mark.parametrize("said", ['<b title="fire">', "<!-- fire -->", "/* fire */", "](http://fire)"])
def test_what_markup_says_is_never_dropped(said: str) -> None:
    """Only markup that says nothing is read over: words in an attribute, a comment or an address stay."""
    assert "fire" in normalise(f"a{said}b")


@pytest.mark.parametrize(
    "plain", ["100% & more", "a b c", "u.s. persons", "i.e. 5 % of a & b", "well-known", "a, b or c", "x**2", "a < b"]
)
def test_ordinary_text_is_left_alone(plain: str) -> None:
    """Text with nothing hidden comes back as it was."""
    assert normalise(plain) == plain


@given(st.text())
def test_any_text_folds(text: str) -> None:
    """Any text gives text without capitals A to Z, controls, or white space but single spaces."""
    plain = normalise(text)
    assert plain == " ".join(plain.split())
    assert not any("A" <= c <= "Z" or c < " " for c in plain)


@given(st.text(alphabet="ab1 -.\n\u00b7", min_size=1))
def test_the_quick_look_hides_no_letters_that_stand_apart(text: str) -> None:
    """Letters that stand apart are joined as they are without a quick look first."""
    assert normalise(text) == " ".join(joining("[a-z]")(text).split())


@given(st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="&%")))
def test_folding_twice_changes_nothing_more_in_plain_text(text: str) -> None:
    """Where nothing is encoded or joined anew, the normal form is its own normal form."""
    once = normalise(text)
    assert normalise(once) == once or "." in once or "-" in once or "_" in once or "*" in once or " " in once


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 50_000,
        "&" * 100_000,
        "&#" + "9" * 100_000 + ";",
        "%" * 100_000,
        "a " * 50_000,
        "a-\n" * 50_000,
        "\U000e0041" * 100_000,
        "\ufdfa" * 20_000,
        "\ud800" * 1000,
        "a<b " * 25_000,
        "a, " * 30_000,
        "\u00ad " * 50_000,
        "\U000e0141" * 100_000,
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_hostile_text_is_bounded(text: str) -> None:
    """A long hostile text ends, and is never blown up beyond what one character folds to."""
    assert len(normalise(text)) <= 18 * len(text)


def test_ideographs_cost_no_look_up() -> None:
    """More of them than are remembered are their own form, each after two calls at most: it is on the event loop."""
    text = "".join(chr(code) for code in range(0x110000) if is_ideograph(code))
    calls: Counter[str] = Counter()
    sys.setprofile(lambda _, event, __: calls.update([event]))
    try:
        forms = (normalise(text), native(text), letters(text))
    finally:
        sys.setprofile(None)
    assert set(forms) == {text}
    assert calls["call"] < 3 * 3.5 * len(text)
