"""Markings that content bears: banner lines by themselves on a line, and portion marks before a paragraph.

What stands in a text is no declaration and may be garbled: of a mark that is not understood its level alone counts. A
single (C) is more often a copyright or a third choice than a mark, and (U) and UNCLASSIFIED say nothing that matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.marking.banner import parse
from gateway.marking.portions import portion
from gateway.marking.value import LONGEST, Marking

_LEVEL: Final = "TOP SECRET|SECRET|CONFIDENTIAL|CUI"
_REST: Final = rf"//[^\n]{{1,{LONGEST}}}?"
_BEFORE: Final = r"^[ \t>*#|]{0,16}"
_BANNER: Final = re.compile(
    rf"{_BEFORE}((?:{_LEVEL})(?:{_REST})?|(?:UNCLASSIFIED|CONTROLLED|){_REST})[ \t*|]{{0,16}}\r?$", re.MULTILINE
)
_PORTION: Final = re.compile(
    rf"{_BEFORE}(?:[0-9]{{1,3}}[.)][ \t]?|[a-z][.)][ \t]?)?"
    r"(\((?:TS|S|CUI|C(?=//)|U(?=//)|(?=//))(?://[^()\n]{1,100})?\))(?=[ \t])",
    re.MULTILINE,
)
_NOTHING: Final = parse("UNCLASSIFIED")


def borne(text: str) -> Iterator[Marking]:
    """Each marking in the text that says more than UNCLASSIFIED."""
    for line in _BANNER.finditer(text):
        yield from _said(parse(line[1]) or parse(line[1].partition("//")[0]))
    for mark in _PORTION.finditer(text):
        yield from _said(portion(mark[1]) or portion(f"{mark[1].partition('//')[0].rstrip(')')})"))


def _said(marking: Marking | None) -> Iterator[Marking]:
    if marking is not None and marking != _NOTHING:
        yield marking
