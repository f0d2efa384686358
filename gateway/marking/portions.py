"""Portion marks: the mark of a paragraph, in parentheses and with the Register's short forms.

    (U)  (S//NF)  (TS//SI-G//OC/NF)  (S//RD-SG 14)  (CUI//SP-CTI//NF)  (//GBR S)  (//CTS//BOHEMIA)  (//FGI S//NF)

Read first hand in the IC Markings System Register and Manual (2016), A.6, C and the table in G, and in NARA's CUI
marking handbook (1.1, 2016). A portion mark is translated to the equivalent banner line, which is then parsed. Words
that only banner lines use are not accepted in a portion mark.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from gateway.marking import banner
from gateway.marking.cui import is_category
from gateway.marking.fault import MarkingError
from gateway.marking.value import LONGEST, Marking
from gateway.marking.words import COMMUNITY, LIMITED, OTHERS

_LEVELS: Final = {"U": "UNCLASSIFIED", "CUI": "CUI", "C": "CONFIDENTIAL", "S": "SECRET", "TS": "TOP SECRET"}
_ABROAD: Final = {"R": "RESTRICTED", **_LEVELS}
_NATO: Final = {
    "CTS": "COSMIC TOP SECRET",
    "NS": "NATO SECRET",
    "NC": "NATO CONFIDENTIAL",
    "NR": "NATO RESTRICTED",
    "NU": "NATO UNCLASSIFIED",
}
_WORDS: Final = {word.portion: word.short for word in (*COMMUNITY, *LIMITED, *OTHERS)} | {
    "DCNI": "DOD UCNI",
    "UCNI": "DOE UCNI",
}
_SPELLED: Final = {word.short for word in (*COMMUNITY, *OTHERS)} - set(_WORDS) | {"DOD UCNI", "DOE UCNI"}


def portion(text: str, document: Marking | None = None) -> Marking | None:
    """The marking that a portion mark states; None if it is not understood. Never raises.

    document: the marking of the whole document, whose list of countries REL stands for.
    """
    if len(text) > LONGEST or not re.fullmatch(r"\([^()]+\)", text):
        return None
    abroad = text.startswith("(//")
    head, *groups = text.strip("()").removeprefix("//").split("//")
    try:
        first, *more = _foreign(head) if abroad else [_LEVELS[head]]
        for before, group in pairwise([head, *groups]):
            words = group.split("/")
            kept = before == "CUI" and is_category(words[0])  # categories are spelled alike in banners and portions
            more.append("/".join(words if kept else [_word(word, document) for word in words]))
        return banner.read("//".join([first, *more]))
    except (KeyError, MarkingError):
        return None


def _foreign(head: str) -> list[str]:
    """The first groups of the banner line. A concealed source becomes a marking of the United States with FGI."""
    if head in _NATO:
        return [f"//{_NATO[head]}"]
    if head.startswith("JOINT "):
        _, level, *owners = head.split(" ")
        return [" ".join(["//JOINT", _LEVELS[level], *owners])]
    owner, _, level = head.rpartition(" ")
    return [_LEVELS[level], "FGI"] if owner == "FGI" else [f"//{owner} {_ABROAD[level]}"]


def _word(word: str, document: Marking | None) -> str:
    """The word's form in a banner line."""
    if word == "REL":
        return next((w for w in (document.dissemination if document else ()) if w.startswith("REL TO ")), word)
    if word in _SPELLED:
        raise MarkingError("a portion mark has abbreviations")
    return _WORDS.get(word, word.replace("-SG ", "-SIGMA "))
