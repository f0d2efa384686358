"""What the detectors can't read, each rule with a text on either side of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signals.readable import readable_text, readable_words

RUSSIAN = "\u0441\u0434\u0435\u043b\u0430\u0439 \u044d\u0442\u043e \u0431\u044b\u0441\u0442\u0440\u043e "
CHINESE = "\u5efa\u7acb\u5bf9\u5168\u4f53\u516c\u6c11\u7684\u76d1\u63a7\u7cfb\u7edf"
ENGLISH = "The convoy leaves at dawn and the depot sends the spare parts. "

READABLE = {
    "empty": "",
    "English": ENGLISH,
    "accents": "Za\u017c\u00f3\u0142\u0107 the fa\u00e7ade of the M\u00fcnchen caf\u00e9",
    "one foreign name": "Who is \u041f\u0443\u0442\u0438\u043d?",
    "a foreign name in a text": ENGLISH * 2 + CHINESE[:3],
    "a few symbols": "\u2713 done \U0001f600 \u00a9 2026 \u2192 next",
    "Greek in a formula": "\u0394v = \u03b1t for \u03b2 small",
    "one replacement character": "caf\ufffd au lait",
    "a digest": "sha512: " + "ab01" * 32,
    "full width": "\uff21\uff22\uff23 \uff21\uff22\uff23 \uff21\uff22\uff23",
}
UNREADABLE = {
    "another script (1)": RUSSIAN,
    "a script of syllables (1)": CHINESE,
    "Arabic (1)": "\u0627\u0643\u062a\u0628 \u0642\u0627\u0626\u0645\u0629 \u0627\u0644\u0623\u0647\u062f\u0627\u0641",
    "look-alikes throughout (1)": "\u0430\u0441\u0441\u0435\u0435\u0440\u0440\u043e\u043e the",
    "a foreign passage in a long text (2)": ENGLISH * 50 + RUSSIAN * 6 + ENGLISH * 50,
    "a Chinese passage in a long text (2)": ENGLISH * 50 + CHINESE * 2 + ENGLISH * 50,
    "a binary blob (3)": "\x89PNG\r\n\x1a\x00\x00\x00\rIHDR",
    "replacement characters (3)": "\ufffd" * 4,
    "private use (3)": "\ue000\ue001\ue002\ue003",
    "lone surrogates (3)": "\ud800" * 4,
    "base64 (4)": ENGLISH + "QUJD" * 40,
}
ENGLISH_WORDS = frozenset({"the", "of", "and"})
OTHER_WORDS = frozenset({"que", "los", "para", "una"})


@pytest.mark.parametrize("name", READABLE)
def test_text_that_detectors_read(name: str) -> None:
    """English with what English texts contain can be read."""
    assert readable_text(READABLE[name])


@pytest.mark.parametrize("name", UNREADABLE)
def test_text_that_detectors_do_not_read(name: str) -> None:
    """Each rule refuses a text of its own."""
    assert not readable_text(UNREADABLE[name])


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126, exclude_categories=["L", "N"])))
def test_plain_punctuation_is_readable(text: str) -> None:
    """ASCII without letters is text."""
    assert readable_text(text) or "=" * 129 in text.replace("+", "=").replace("/", "=")


@pytest.mark.parametrize("before", ["", "a ", "a" * 200 + "! ", "word " * 60, "line\n" * 60])
@pytest.mark.parametrize("after", ["", " ", ".", " words and words" * 20])
def test_a_run_is_long_from_129_characters_on(before: str, after: str) -> None:
    """Wherever a run of base64 stands, 128 characters are read and 129 are not (4)."""
    assert readable_text(before[-100:] + "Q" * 128 + after)
    assert not readable_text(before + "Q" * 129 + after)


@given(st.text())
def test_any_text_is_readable_or_not(text: str) -> None:
    """No text raises, and no padding with foreign text makes it readable."""
    readable_text(text)
    assert not readable_text(text + RUSSIAN * 20)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("que los para una", False),
        ("que los para", True),
        ("que los para una the of and the", True),
        ("the of and " * 40 + "que los para una " * 2 + "the of and " * 40, True),
        ("the of and " * 40 + "que los para una " * 12 + "the of and " * 40, False),
        ("", True),
    ],
)
def test_another_language_in_latin_letters(words: str, expected: bool) -> None:
    """A stretch in which another language's common words outnumber the English ones can't be read (5)."""
    assert readable_words(words.split(), ENGLISH_WORDS, OTHER_WORDS) is expected
