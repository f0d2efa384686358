"""What is encoded in a text, as a model would read it: base64, hexadecimal, rot13, leetspeak. Pure and bounded.

1 backslash escapes, quoted-printable, base64 and hexadecimal are replaced in place by the text that they hold, and so
again in what came out; of entities and percent-encoding, which every text is read without, what they hold of these
2 words that are English after rot13 are turned    3 words that are English backwards are read backwards, the whole text
and each word    4 words with digits for letters are spelled out, both ways

The first step shortens a text, the others keep its length, and there are at most six readings: linear, whatever the
text. Where there is nothing to decode, a few quick looks say so.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from string import ascii_letters, digits, hexdigits
from typing import Final
from urllib.parse import unquote

from gateway.signals.normalise import kinds

DEPTH: Final = 4
"""How many encodings are undone in one another. What has more can't be read."""
_LEAST: Final = 8
"""The fewest characters that are worth decoding."""
_FEW: Final = 4
"""Letters that a text by chance may have."""
_RUN: Final = b"b" * 16
"""The fewest characters of base64 that hold as many, by their kind."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[ \t>]{0,16}[A-Za-z0-9+/_-]+)*={0,2}")
_IN_BASE64: Final = bytes(ord("b" if c in ascii_letters + digits + "+/_-" else " ") for c in map(chr, range(256)))
_HEX: Final = re.compile(r"(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[ \t,;:.|/'\"\r\n-]{0,4}){8,}")
_IN_HEX: Final = bytes(
    ord("h" if c in hexdigits else " " if c in " \t,;:.|/'\"-%\\\r\n" else "x" if c == "x" else ".")
    for c in map(chr, range(256))
)
_HEX_RUNS: Final = (b"h" * 12, b"hhhxhh")
_HEX_APART: Final = (
    re.compile(b"hh {1,5}(?:h?x)?hh {1,5}(?:h?x)?hh"),
    re.compile(b"hhhh {1,5}(?:h?x)?hhhh"),
)
"""Whatever has eight bytes in hexadecimal has one of these, by the kinds of its characters: six bytes in a row, two
with 0x between, one that stands apart, or two pairs. Other text hardly has.
"""
_ESCAPE: Final = re.compile(
    r"(?<!\\)\\+(?:[bfnrtv](?=[A-Za-z])|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})"
    r"|([01][0-7]{2}))|%u([0-9A-Fa-f]{4})"
)
"""Those that may stand between two letters, or for one. Written out again, each has more strokes before it."""
_QUOTED: Final = re.compile(r"=(?:([2-7][0-9A-F])|[ \t]{0,8}\r?\n)")
_QUOTED_LEAST: Final = 4
_HEX_DIGITS: Final = re.compile(r"(?:0x|\\x|%)?([0-9A-Fa-f]{2})")
_NONE: Final = "\ufffd"
_URL_SAFE: Final = str.maketrans("-_", "+/", "\r\n\t >")

_ENGLISH: Final = (
    "the and that this with without for you your are from how what who when where which of to in is it its not can "
    "will have their them they all any our over every should has into than more out everyone people"
)
_TURN: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
_TURNED: Final = frozenset(word.translate(_TURN) for word in _ENGLISH.split())
_OTHERS: Final = {"dna", "era", "ton", "no", "on", "si"}
"""What words of another sense are backwards."""
_BACKWARDS: Final = frozenset(word[::-1] for word in _ENGLISH.split()) - _OTHERS

_LEET: Final = re.compile(r"[013-7@$](?=[a-z])(?<=[a-z].)")
_SPELLED: Final = re.compile(r"[a-z0-9@$!|+]+")
_LETTERS: Final = (
    str.maketrans("0134567@$!|+", "oieasgtasilt"),  # 1 for i, ! for i, | for l
    str.maketrans("0134567@$!|+", "oleasgtaslit"),  # 1 for l, ! for l, | for i
)


def unpacked(text: str) -> str | None:
    """1: the text with what base64 and hexadecimal hold in their place. The same text where they hold none.

    None where more is encoded in one another than is looked at.
    """
    for _ in range(DEPTH):
        found = _once(text)
        if found == text:
            return text
        text = found
    return text if _once(text) == text else None


def respelled(plain: str, words: Sequence[str]) -> Iterator[str]:
    """2 to 4: other readings of a text in normal form (`gateway.signals.normalise`), whose words are given."""
    if len(_TURNED.intersection(words)) > 1:
        yield plain.translate(_TURN)
    if len(_BACKWARDS.intersection(words)) > 1:
        yield plain[::-1]
        yield " ".join(word[::-1] for word in plain.split())
    if _LEET.search(plain):
        for letters in _LETTERS:
            yield _SPELLED.sub(lambda word, letters=letters: word[0].translate(letters), plain)  # type: ignore[misc]  # the default binds the loop's value


def _once(text: str) -> str:
    plain = _without_quoting(_without_escapes(_without_hex(text)))
    clear = unquote(unescape(plain)) if "&" in plain or "%" in plain else plain
    found = _without_base64(clear if clear is text else _without_hex(clear))
    return plain if found == clear else found


def _without_escapes(text: str) -> str:
    if "\\" not in text and "%u" not in text:
        return text
    found = _ESCAPE.sub(_from_escape, text)
    return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if found != text else text


def _from_escape(escape: re.Match[str]) -> str:
    digits = escape.lastindex and escape[escape.lastindex]
    code = int(digits, 8 if escape.lastindex == 5 else 16) if digits else ord(" ")
    character = chr(code) if code < 0x110000 else " "
    half = "\ud800" <= character <= "\udfff"  # of a character, with the next escape
    return character if half or character.isprintable() else " "  # bytes in a program are not unreadable for that


def _without_quoting(text: str) -> str:
    """Without what mail writes for single characters, and for the end of a line within a paragraph."""
    if "=" not in text or sum(1 for _ in _QUOTED.finditer(text)) < _QUOTED_LEAST:
        return text
    return _QUOTED.sub(lambda quoted: chr(int(quoted[1], 16)) if quoted[1] else "", text)


def _without_hex(text: str) -> str:
    seen = kinds(text, _IN_HEX)
    run = _HEX_RUNS[0] in seen or _HEX_RUNS[1] in seen
    return _HEX.sub(_from_hex, text) if run or any(look.search(seen) for look in _HEX_APART) else text


def _without_base64(text: str) -> str:
    seen, parts, start = kinds(text, _IN_BASE64), [], 0
    while (found := seen.find(_RUN, start)) >= 0 and (run := _BASE64.match(text, found)):
        parts += [text[start:found], _from_base64(run)]
        start = run.end()
    return "".join([*parts, text[start:]])


def _from_base64(run: re.Match[str]) -> str:
    """The most text that it holds: words that stand before it may be run together with it."""
    data = run[0].translate(_URL_SAFE).rstrip("=")
    text, start = max(((_text(_bytes(data[start:])), -start) for start in range(4)), key=_how_long)
    return f"{run[0][:-start]} {text} " if text else run[0]


def _how_long(found: tuple[str, int]) -> int:
    return len(found[0])


def _bytes(data: str) -> bytes:
    whole = data[:-1] if len(data) % 4 == 1 else data
    return b64decode(whole + "=" * (-len(whole) % 4))


def _from_hex(run: re.Match[str]) -> str:
    digits = "".join(_HEX_DIGITS.findall(run[0]))
    text = _text(bytes.fromhex(digits))
    if not text and run[0].isalnum():  # a letter may stand before it
        text = _text(bytes.fromhex(digits[1:-1]))
    return f" {text} " if text else run[0]


def _text(data: bytes) -> str:
    """The text that is in bytes, as UTF-8 or UTF-16, without what is none around it; empty where there are no words.

    What joins or parts letters and is not seen, as Persian has it, is left out.
    """
    text = [c for c in data.decode(_encoding(data), "replace") if unicodedata.category(c) != "Cf"]
    parts = "".join([c if c.isprintable() or c.isspace() else _NONE for c in text]).split(_NONE)
    return " ".join(part for part in parts if _is_worth(part) and _is_meant(part, len(text)))


def _is_meant(part: str, whole: int) -> bool:
    """Whether a part of so many characters is no chance: ASCII, or most of them, as where text was cut within a letter.

    What is by chance in a word that is written again and again, has few letters.
    """
    most = len(part) * 5 >= whole * 4 and len(set(part)) > _FEW
    return most or _is_mostly(str.isascii, part)


def _is_mostly(kind: Callable[[str], bool], text: str) -> bool:
    return sum(map(kind, text)) * 5 >= len(text) * 4


def _encoding(data: bytes) -> str:
    half = len(data) // 2
    if data[1::2].count(0) * 2 > half:
        return "utf-16-le"
    return "utf-16-be" if data[::2].count(0) * 2 > half else "utf-8"


def _is_worth(text: str) -> bool:
    if len(text) < _LEAST:
        return False
    seen = text
    for _ in range(DEPTH if "&" in text or "%" in text or "\\" in text else 0):
        seen = _without_escapes(unquote(unescape(seen)))
    return _is_mostly(lambda c: c.isalpha() or c.isspace(), seen) or _encoded(text)


def _encoded(text: str) -> bool:
    return bool(_BASE64.fullmatch(text) or _HEX.fullmatch(text))
