"""One plain form for text that is written to be missed: pure, linear in the length of the text, and bounded.

1 fold every character on its own     2 undo HTML entities and percent-encoding, once     3 fold what came out of it
4 join words broken at a line's end   5 join letters that stand apart                     6 fold white space

Whole passages that are encoded are read by `gateway.signals.decode`, for which case counts.

Because each character folds without looking at its neighbours, no input makes folding slower than linear; the canonical
ordering of Unicode normalisation, which is quadratic in a run of combining marks, never runs over more than one.
"""

from __future__ import annotations

import re
import unicodedata
from html.entities import html5
from string import ascii_lowercase
from typing import Final
from urllib.parse import unquote

from gateway.signals.filled import Filled

# Letters that pass for Latin ones, after case folding: the look-alikes of UTS #39 that keyboards offer, and those of a
# lower-case letter whose capital is a look-alike (small к for K), which UTS #39 leaves out.
_ALIKE: Final = "аαɑвьβƅсϲᴄԁɖеєҽεɛғƒքɡԍցһнηհіιıɩӏꙇјϳкκĸǀⅼмμпոռоοσօрρԛգгᴦѕꜱтτυսʋѵνᴠԝшѡωɯաхχуүγʏᴢʐζ"
_PLAIN: Final = "aaabbbbcccddeeeeefffggghhhhiiiiiijjkkkllmmnnnooooppqqrrssttuuuvvvwwwwwwxxyyyyzzz"
_QUOTES: Final = "\u2019\u2018\u02bc\u2032"
_LATIN: Final = dict(zip(map(ord, _ALIKE + _QUOTES), _PLAIN + "'" * len(_QUOTES), strict=True))
_NAMED: Final = re.compile(
    r"(?:LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?|NEGATIVE (?:SQUARED|CIRCLED) LATIN CAPITAL LETTER "
    r"|REGIONAL INDICATOR SYMBOL LETTER )([A-Z])(?: WITH .*)?"
)
"""Letters that Unicode itself names after a Latin one, small capitals and those with a stroke or a hook among them."""
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters and symbols without ink
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc"})  # marks, format characters (bidi, zero width, tags), controls
_SPACES: Final = frozenset({"Zs", "Zl", "Zp"})
_REMEMBERED: Final = 16_384


def _fold(code: int) -> str:
    character = chr(code)
    if character in "\n\r\v\f\x85\u2028\u2029":
        return "\n"
    if character == "\t" or unicodedata.category(character) in _SPACES:
        return " "
    if character in _INVISIBLE:
        return ""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if len(plain) > 1 and not character.isascii():
        plain = plain.strip("()\u3014\u3015")  # a letter in brackets that is one character
    return "".join(_latin(c) for c in plain if unicodedata.category(c) not in _DROPPED)


def _latin(character: str) -> str:
    alike = _LATIN.get(ord(character))
    if alike is None and not character.isascii():
        named = _NAMED.fullmatch(unicodedata.name(character, ""))
        alike = named and named[1].lower()
    return alike or character


def _letters(code: int) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", chr(code)) if c.isspace() or _is_kept(c))


def _is_kept(character: str) -> bool:
    return unicodedata.category(character) not in _DROPPED and character not in _INVISIBLE


_TABLE: Final = Filled(_fold, _REMEMBERED)
_CASED: Final = Filled(_letters, _REMEMBERED)
_ODD: Final = re.compile("([^\0-\x7f]+)")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]+")
_ENTITY: Final = re.compile(r"&(?:#0{0,64}([0-9]{1,7})|#x0{0,64}([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));?")
_ENTITIES: Final = {name.rstrip(";").lower(): text for name, text in sorted(html5.items(), reverse=True)}
_BROKEN: Final = re.compile(r"(?<=[a-z])-\n[ ]*(?=[a-z])")
_BETWEEN: Final = (" ", r"  (?![a-z] [a-z])", r"\n", r"\n\n(?![a-z]\n[a-z])", r"[.*_\-/|+~,:]")
"""What letters stand apart by, each the same between all letters of a word: where one space does, two part words."""
_PERHAPS_APART: Final = (b" a a ", b" a  a ")  # inside all that is apart, and sooner seen
_APART_KINDS: Final = bytes(
    ord("a" if c in ascii_lowercase else " " if c in " \n.*_-/|+~,:" else "0") for c in map(chr, range(256))
)


def _apart(times: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])[a-z](?:{'|'.join(f'(?:{b}[a-z]){times}' for b in _BETWEEN)})(?![a-z0-9])")


_APART: Final = _apart("{3,}")
_LETTERS_APART: Final = _apart("+")
"""Where four letters stand apart, two that do are a word, too."""


def normalise(text: str) -> str:
    """The text as detectors read it: lower-case, Latin where it passes for Latin, single spaces."""
    plain = _fold_all(text)  # 1
    if ("&" in plain or "%" in plain) and (clear := _unescape(plain)) != plain:
        plain = _fold_all(clear)  # 2, 3
    if "-\n" in plain:
        plain = _BROKEN.sub("", plain)  # 4
    if any(map(kinds(plain, _APART_KINDS).__contains__, _PERHAPS_APART)) and _APART.search(plain):
        plain = _LETTERS_APART.sub(_join, plain)  # 5
    return " ".join(plain.split())  # 6


def letters(text: str) -> str:
    """The text with its case, without what nobody sees, and with plain letters for styled ones."""
    return _translated(text, _CASED)


def kinds(text: str, table: bytes) -> bytes:
    """What each character is by a table of ASCII, which takes no time to search; all others are a question mark."""
    return text.encode("ascii", "replace").translate(table)


def is_tag(character: str) -> bool:
    """Whether it is a tag character, which spells text that nobody sees."""
    return bool(_TAGS.match(character))


def plain_letters(word: str) -> str:
    """A folded word with Latin letters for those that look like them."""
    return word.translate(_LATIN)


def _fold_all(text: str) -> str:
    if text.isascii():
        return text.translate(_TABLE)
    plain = _translated(text, _TABLE)
    # Tag characters spell text that no person sees and a model may read: they are also read out, after the rest.
    hidden = ["".join(chr(ord(c) - 0xE0000) for c in run) for run in _TAGS.findall(text)]
    return " ".join([plain, *(run.translate(_TABLE) for run in hidden)])


def _translated(text: str, table: Filled[int, str]) -> str:
    """The text by a table; ASCII apart, which takes no time when it is by itself."""
    return "".join([piece.translate(table) for piece in _ODD.split(text)])


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
