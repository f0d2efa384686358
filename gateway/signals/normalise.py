"""One plain form for text that is written to be missed: pure, linear in the length of the text, and bounded.

1 fold every character on its own     2 undo HTML entities and percent-encoding     3 fold what came out of it
4 drop markup within words            5 join words broken at a line's end           6 join letters that stand apart
7 fold white space

Steps 2 and 3 are taken again while something is encoded still, a few times.

Whole passages that are encoded are read by `gateway.signals.decode`, for which case counts.

Because each character folds without looking at its neighbours, no input makes folding slower than linear; the canonical
ordering of Unicode normalisation, which is quadratic in a run of combining marks, never runs over more than one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from html.entities import html5
from string import ascii_lowercase, digits
from typing import Final
from urllib.parse import unquote

from gateway.confusables import hidden, is_ideograph, is_seen, latin, translated
from gateway.memo import Memo

_SPACES: Final = frozenset({"Zs", "Zl", "Zp"})
_DEPTH: Final = 4
"""How often entities and percent-encoding are undone, in one another."""
_REMEMBERED: Final = 16_384


def _fold(code: int) -> str:
    character = chr(code)
    if is_ideograph(code):
        return character
    if character in "\n\r\v\f\x85\u2028\u2029":
        return "\n"
    if character == "\t" or unicodedata.category(character) in _SPACES:
        return " "
    if not is_seen(character):
        return ""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if len(plain) > 1 and not character.isascii():
        plain = plain.strip("()\u3014\u3015")  # a letter in brackets that is one character
    return "".join(latin(c) for c in plain if is_seen(c))


_TABLE: Final = Memo(_fold, _REMEMBERED)
_HYPHENATED: Final = re.compile(r"\u00ad[ \t]{0,8}\r?\n[ \t>]{0,16}")
_ENTITY: Final = re.compile(r"&(?:#0{0,64}([0-9]{1,7})|#x0{0,64}([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));?")
_ENTITIES: Final = {name.rstrip(";").lower(): text for name, text in sorted(html5.items(), reverse=True)}
_TAGS: Final = "b|i|u|s|em|strong|small|big|sub|sup|span|font|mark|wbr|code|tt|ins|del|strike|abbr"
_MARKUP: Final = r"(?:\*\*\*?|``?`?|~~|\{\}|/\*[ ]{0,4}\*/|<!--[ -]{0,4}-->)+"
"""What is not seen where a page or Markdown is shown, or a program is read, and parts no words; it says nothing."""
_MARKS: Final = ("**", "`", "~~", "{}", "*/", "<")
"""What markup has in it."""
_IN_A_ROW: Final = b" a a a a "
"""Letters, each between blanks or signs, as many as stand apart at least."""
_APART_KINDS: Final = bytes(
    ord("a" if c in ascii_lowercase else "0" if c in digits else " ") for c in map(chr, range(256))
)


def _perhaps_apart(plain: str) -> bool:
    return _IN_A_ROW in b" %b " % b" ".join(kinds(plain, _APART_KINDS).split())


def _letters_apart(letter: str, mark: str, times: str) -> re.Pattern[str]:
    """Letters apart by one kind of thing between all letters of a word: where one space does, two part words."""
    sign = rf"(?:[^\w\s{mark}]|_)"
    between = (
        " ",
        rf"  (?!{letter} {letter})",
        r"\n",
        rf"\n\n(?!{letter}\n{letter})",
        rf"{sign}{{1,3}}",
        rf" {sign} ",
        rf"{sign}{{1,2}} {sign}{{1,2}}",
        rf"{sign} (?! )",
    )
    word = "|".join(f"(?:{b}{letter}){times}" for b in between)
    return re.compile(rf"(?<!{letter})(?<![0-9]){letter}(?:{word})(?!{letter}|[0-9{mark}])")


def joining(letter: str, mark: str = "", perhaps_apart: Callable[[str], bool] = bool) -> Callable[[str], str]:
    """Steps 4 to 6. letter: an expression for one. mark: characters that are part of the letter before them.

    perhaps_apart: a quick look, false where no letters stand apart.
    """
    markup = re.compile(rf"</?(?:{_TAGS})[ /]{{0,4}}>|(?<={letter}){_MARKUP}(?={letter})")
    broken = re.compile(rf"(?<={letter})-\n[ >]*(?={letter})")
    apart = _letters_apart(letter, mark, "{3,}")
    few_apart = _letters_apart(letter, mark, "+")  # where four letters stand apart, two that do are a word, too

    def joined(plain: str) -> str:
        if any(map(plain.__contains__, _MARKS)):
            plain = markup.sub("", plain)  # 4
        if "-\n" in plain:
            plain = broken.sub("", plain)  # 5
        if perhaps_apart(plain) and apart.search(plain):
            plain = few_apart.sub(_join, plain)  # 6
        return plain

    return joined


_JOINED: Final = joining("[a-z]", perhaps_apart=_perhaps_apart)


def normalise(text: str) -> str:
    """The text as detectors read it: lower-case, Latin where it passes for Latin, single spaces."""
    return " ".join(_JOINED(undone(text, _TABLE)).split())  # 4 to 7


def undone(text: str, table: Memo[int, str]) -> str:
    """Steps 1 to 3. table: what each character is folded to; line ends stay."""
    plain = _fold_all(text, table)  # 1
    for _ in range(_DEPTH):
        if not ("&" in plain or "%" in plain) or (clear := _unescape(plain)) == plain:
            break
        plain = _fold_all(clear, table)  # 2, 3
    return plain


def kinds(text: str, table: bytes) -> bytes:
    """What each character is by a table of ASCII, which takes no time to search; all others are a question mark."""
    return text.encode("ascii", "replace").translate(table)


def _fold_all(text: str, table: Memo[int, str]) -> str:
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if text.isascii():
        return text.translate(table)
    if "\u00ad" in text:
        text = _HYPHENATED.sub("", text)
    return " ".join([translated(text, table), *(run.translate(table) for run in hidden(text))])


def _unescape(text: str) -> str:
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    return unquote(text) if "%" in text else text


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name:
        return _ENTITIES.get(name, entity[0])
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if code < 0x110000 else "\ufffd"


def _join(letters: re.Match[str]) -> str:
    return "".join(filter(str.isalpha, letters[0]))
