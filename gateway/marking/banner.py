"""Parses banner lines.

1 the classification        2 groups after //, each of a different kind, in order        3 valid combinations
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.marking import compartments, cui, dissemination, foreign, nuclear
from gateway.marking.fault import MarkingError, require
from gateway.marking.together import check
from gateway.marking.value import LEVELS, LONGEST, Marking


def read(text: str) -> Marking:
    """The marking that a banner line states. Raises MarkingError."""
    require(len(text) <= LONGEST, f"a banner line has at most {LONGEST} characters")
    require(text == text.strip(), "a banner line has no space before or after it")
    require(text == text.upper(), "a banner line is written in capitals")
    abroad = text.startswith("//")
    head, *groups = text.removeprefix("//").split("//")
    marking = _foreign(head) if abroad else _own(head)  # 1
    rank = 0
    for number, group in enumerate(groups, 2):  # 2
        words = group.split("/")
        found = _kind(words[0], marking, rank)
        require(found > 0, f"group {number} is of no kind that is known here; {_ORDER}")
        if found == rank and _KINDS[rank - 1].name == "dissemination controls":
            dissemination.conflict(dissemination.names(marking.dissemination) | dissemination.names(words))
        require(found > rank, f"group {number}, {_KINDS[found - 1].name}, comes too late or a second time; {_ORDER}")
        rank = found
        try:
            marking = _KINDS[rank - 1].read(marking, words)
        except MarkingError as error:
            raise MarkingError(f"group {number}, {_KINDS[rank - 1].name}: {error}") from None
    check(marking)  # 3
    return marking


def parse(text: str) -> Marking | None:
    """The marking that a banner line states; None when it is not understood. Never raises."""
    try:
        return read(text)
    except MarkingError:
        return None


def _own(head: str) -> Marking:
    if head in {"CUI", "CONTROLLED"}:
        return Marking(1, "CUI", cui=())
    require(
        head in LEVELS,
        "a banner line begins with UNCLASSIFIED, CUI, CONFIDENTIAL, SECRET or TOP SECRET, spelled out and followed by "
        "// or nothing, or with // and a classification of others",
    )
    return Marking(LEVELS.index(head), head)


def _foreign(head: str) -> Marking:
    level, owners = foreign.read_classification(head)
    return Marking(level, f"//{head}", owners)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of group. begins: whether a word starts one. read: adds the group to a marking."""

    name: str
    begins: Callable[[str], bool]
    read: Callable[[Marking, list[str]], Marking]


def _cui(marking: Marking, words: list[str]) -> Marking:
    require(
        words == ["CUI"] and marking.cui is None, "CUI stands once, alone in its group; its categories are the next"
    )
    return replace(marking, cui=())


def _controls(marking: Marking, words: list[str]) -> Marking:
    return replace(marking, dissemination=dissemination.read(words, cui_alone=marking.level == 1))


_KINDS: Final = (
    _Kind("SCI", compartments.is_sci, lambda m, w: replace(m, sci=compartments.read_sci(w))),
    _Kind(
        "special access programs",
        compartments.is_program,
        lambda m, w: replace(m, programs=compartments.read_programs(w)),
    ),
    _Kind("nuclear information", nuclear.is_nuclear, lambda m, w: replace(m, nuclear=nuclear.read(w))),
    _Kind(
        "control markings of NATO",
        foreign.CONTROLS.__contains__,
        lambda m, w: replace(m, nato=foreign.read_controls(w)),
    ),
    _Kind("foreign government information", foreign.is_foreign, lambda m, w: replace(m, fgi=foreign.read(w))),
    _Kind("CUI", lambda word: word in {"CUI", "CONTROLLED"}, _cui),
    _Kind("categories of CUI", cui.is_category, lambda m, w: replace(m, cui=cui.read(w))),
    _Kind("dissemination controls", dissemination.is_control, _controls),
    _Kind(
        "controls of other agencies",
        dissemination.is_other,
        lambda m, w: replace(m, others=dissemination.read_others(w)),
    ),
)
_CATEGORIES: Final = 7
_ORDER: Final = f"after the classification stand, as far as there are any: {', '.join(kind.name for kind in _KINDS)}"


def _kind(word: str, marking: Marking, rank: int) -> int:
    """The rank of the group's kind in the required order, from 1; 0 for none.

    A word that fits two kinds belongs to the one that is still to come.
    """
    places = [place for place, kind in enumerate(_KINDS, 1) if kind.begins(word)]
    if marking.cui is None and _CATEGORIES in places:
        places.remove(_CATEGORIES)
    return next((place for place in places if place > rank), places[0] if places else 0)
