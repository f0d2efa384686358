"""Finds markings in content: banner lines that stand alone on a line, and portion marks before a paragraph.

Text is not a declaration and may be garbled. If a mark in capitals is not understood, its level alone counts. A mark in
small letters counts only if all of it is understood. A banner line may be in parentheses. A single (C) is ignored,
because it is more often a copyright sign or the third item of a list; (U) and UNCLASSIFIED are ignored because they
restrict nothing. Line ends of any system and page breaks end a line. Blanks beside slashes and invisible characters are
ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.confusables import letters
from gateway.marking.banner import parse
from gateway.marking.portions import portion
from gateway.marking.value import LONGEST, Marking

_LEVEL: Final = "TOP {1,4}SECRET|SECRET|CONFIDENTIAL|CUI"
_ABROAD: Final = r"(?:UNCLASSIFIED|CONTROLLED|) {0,4}//(?= {0,4}[A-Z])"
_SIGNS: Final = r"[ \t>*#|]{0,16}"
_MORE_SIGNS: Final = r"[ \t>*#|_`~=+\u2022\u00b7\u2013\u2014-]{0,16}"
_NUMBER: Final = r"\(?(?:[0-9]{1,3}|[A-Za-z]|[ivxIVX]{1,5})(?:\.[0-9A-Za-z]{1,3}){0,4}[.)]{1,2}"
_NUMBERED: Final = rf"(?:(?:{_NUMBER}[ \t]{{0,4}}){{1,2}}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{1,4}}[ \t]{{1,4}})?"
_BANNER: Final = re.compile(
    rf"^{_SIGNS}({_LEVEL}){_SIGNS}$|"
    rf"^{_MORE_SIGNS}((?i:{_LEVEL}) {{0,4}}//[^\n]{{1,{LONGEST}}}?"
    rf"|{_ABROAD}[A-Z0-9 ,/-]{{1,{LONGEST}}}?){_MORE_SIGNS}$",
    re.MULTILINE,
)
_PORTION: Final = re.compile(
    rf"^{_MORE_SIGNS}{_NUMBERED}"
    rf"(\( ?(?:(?i:TS|S|CUI|C|U|{_LEVEL}|UNCLASSIFIED)|) ?//[^()\n]{{1,100}}\)"
    r"|\((?:TS|S|CUI)\)(?=[ \t])|\((?:TOP {1,4}SECRET|SECRET)\)(?=[ \t]|$))",
    re.MULTILINE,
)
_BLANKS: Final = re.compile(r" *(//?|[()]) *| {2,}")
_NOTHING: Final = parse("UNCLASSIFIED")


def borne(text: str) -> Iterator[Marking]:
    """Each marking in the text that says more than UNCLASSIFIED, once for each spelling."""
    return filter(None, map(said, marks(text)))


def marks(text: str) -> dict[str, None]:
    """Everything in the text that looks like a marking, without repetitions: first banner lines, then portion marks."""
    lines = "\n".join(letters(text).splitlines())
    found = [line[1] or line[2] for line in _BANNER.finditer(lines)]
    found += [mark[1] for mark in _PORTION.finditer(lines)]
    return dict.fromkeys(_BLANKS.sub(lambda blanks: blanks[1] or " ", mark) for mark in found)


def said(mark: str) -> Marking | None:
    """The marking of a mark, or its level alone if the rest is not understood; None if neither applies.

    A mark in small letters has to be understood as a whole.
    """
    head = mark.partition("//")[0]
    marking = _read(mark.upper())
    if marking is None and head.isupper():
        marking = _read(f"{head.rstrip(')')})" if mark[0] == "(" else head)
    return None if marking == _NOTHING else marking


def _read(mark: str) -> Marking | None:
    """Parse a banner line or a portion mark. A mark in parentheses may be either."""
    return portion(mark) or parse(mark[1:-1]) if mark[0] == "(" else parse(mark)
