"""Markings that content bears: banner lines by themselves on a line, and portion marks before a paragraph.

What stands in a text is no declaration and may be garbled: of a mark that is not understood its level alone counts, if
it is in capitals; one in small letters counts where all of it is understood. A banner line may stand in parentheses. A
single (C) is more often a copyright or a third choice than a mark, and (U) and UNCLASSIFIED say nothing that matters.
Lines end as files of any system end them, pages too. Blanks beside strokes are nothing, nor is what nobody sees.
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
    """Each marking in the text that says more than UNCLASSIFIED, once for each way in which it is written."""
    return filter(None, map(said, marks(text)))


def marks(text: str) -> dict[str, None]:
    """What looks like a marking in the text, each once, in order of banner lines and then portion marks."""
    lines = "\n".join(letters(text).splitlines())
    found = [line[1] or line[2] for line in _BANNER.finditer(lines)]
    found += [mark[1] for mark in _PORTION.finditer(lines)]
    return dict.fromkeys(_BLANKS.sub(lambda blanks: blanks[1] or " ", mark) for mark in found)


def said(mark: str) -> Marking | None:
    """What a mark says: all of it, or its level alone; None where that is nothing. Small letters have to say all."""
    head = mark.partition("//")[0]
    marking = _read(mark.upper())
    if marking is None and head.isupper():
        marking = _read(f"{head.rstrip(')')})" if mark[0] == "(" else head)
    return None if marking == _NOTHING else marking


def _read(mark: str) -> Marking | None:
    """A banner line or a portion mark; in parentheses either."""
    return portion(mark) or parse(mark[1:-1]) if mark[0] == "(" else parse(mark)
