"""The lattice of markings: which marking dominates another, and the lowest one that dominates several.

A marking dominates another if its level is at least as high, it has all of the other's controls, and everyone to whom
it is released is also someone to whom the other is released. Markings of documents and ceilings of places are compared
alike: an enclave cleared for SECRET//REL TO USA, GBR has readers of both countries, so it may hold what both may see.

The rules are those of the banner line's roll-up, read first hand in the IC Markings System Register and Manual (2016),
D.2 and its table 3. Release is to those whom all markings have in common. If some markings state a release and others
don't, the result is NOFORN. ORCON takes precedence over ORCON-USGOV, NODIS over EXDIS, RD over FRD and TFNI. SBU,
LIMDIS and UCNI are omitted beside classified information, which protects them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.marking import compartments, countries, cui, dissemination, nuclear, together
from gateway.marking.fault import MarkingError
from gateway.marking.value import LEVELS, LONGEST, Marking, write

UNSTATED: Final = "UNSTATED"
"""Part of a release if nobody stated whether foreigners may have the material."""

PROTECTED: Final = frozenset({"DOD UCNI", "DOE UCNI", "LIMDIS", "SBU"})
"""Controls of unclassified information that any classification covers."""

_INCLUDED: Final = {
    "ORCON": ("ORCON", "ORCON-USGOV"),
    "NODIS": ("EXDIS", "NODIS"),
    "FED ONLY": ("FEDCON", "NOCON"),
    "SBU NOFORN": ("SBU",),
    "LES NOFORN": ("LES",),
}
_PLAIN: Final = Marking(0, LEVELS[0])
_RELEASE: Final = frozenset({"NOFORN", "REL TO", "RELIDO", "DISPLAY ONLY"})


def controls(marking: Marking) -> list[str]:
    """Every control except those of release, each with what encloses it, in the banner's order."""
    foreign = (*marking.owners, *(marking.fgi or ()))
    words = [w for w in marking.dissemination if dissemination.name(w) not in _RELEASE] + list(marking.others)
    found = [
        *(atom for control in marking.sci for atom in compartments.atoms(control)),
        *(compartments.PROGRAMS + atom for program in marking.programs for atom in compartments.atoms(program)),
        *(atom for word in marking.nuclear for atom in nuclear.atoms(word)),
        *marking.nato,
        *(["FGI"] if marking.owners or marking.fgi is not None else []),
        *(["FGI NATO"] if "NATO" in foreign else []),
        *(f"CUI {category}" for category in marking.cui or ()),
        *(atom for word in words for atom in _INCLUDED.get(word, (word,))),
    ]
    return list(dict.fromkeys(found))


def release_to(marking: Marking) -> list[str] | None:
    """The recipients: countries, USA first, and organisations; None means everybody.

    DISPLAY and a country: the country may be shown it. RELIDO: a disclosure official may release it.
    """
    found = {dissemination.name(word): word for word in marking.dissemination}
    if "NOFORN" in found or {"SBU NOFORN", "LES NOFORN"} & set(marking.others):
        return ["USA"]
    if not _RELEASE & found.keys():
        return None if marking == _PLAIN else ["USA", UNSTATED]
    given = countries.spelled_out(dissemination.listed(found["REL TO"])) if "REL TO" in found else {"USA"}
    shown = countries.spelled_out(dissemination.listed(found["DISPLAY ONLY"])) if "DISPLAY ONLY" in found else set()
    others = [name for name in countries.ordered(given) if name != "USA"]
    displays = [f"DISPLAY {name}" for name in countries.ordered(shown - given)]
    return ["USA", *others, *(["RELIDO"] if "RELIDO" in found else []), *displays]


def dominates(high: Marking, low: Marking) -> bool:
    """Whether everyone who may hold material of `high` may hold material of `low`."""
    covered = {*controls(high), *(PROTECTED if high.level >= 2 else ())}
    readers, wanted = release_to(low), release_to(high)
    return (
        low.level <= high.level
        and set(controls(low)) <= covered
        and (readers is None or (wanted is not None and set(wanted) <= _shown(readers)))
    )


def highest(markings: Iterable[Marking]) -> Marking | None:
    """The lowest marking that dominates all of these, for what is made from them; None if no banner line states it.

    A single marking is returned as written, and FVEY stays FVEY if all are released to it. The highest of several
    markings is a marking of the United States. Unclassified markings without controls are ignored.
    """
    distinct = sorted(set(markings) - {_PLAIN}, key=write)
    if len(distinct) < 2:
        return distinct[0] if distinct else _PLAIN
    made = _merged(distinct)
    for marking in distinct:
        if replace(marking, dissemination=made.dissemination) == made and dominates(marking, made):
            return marking
    try:
        together.check(made)
    except MarkingError:
        return None
    return made if len(write(made)) <= LONGEST else None


def _merged(markings: list[Marking]) -> Marking:
    level = max((marking.level for marking in markings), default=0)
    made = Marking(
        level,
        LEVELS[level],
        sci=compartments.merged(control for m in markings for control in m.sci),
        programs=compartments.merged(program for m in markings for program in m.programs),
        nuclear=nuclear.merged((word for m in markings for word in m.nuclear), level),
        nato=tuple(sorted({word for m in markings for word in m.nato})),
        fgi=_sources(markings),
    )
    categories = [m.cui for m in markings if m.cui is not None]
    found = {atom for m in markings for atom in controls(m)}
    if {"FEDCON", "NOCON"} <= found:
        found = found - {"FEDCON", "NOCON"} | {"FED ONLY"}
    for above, below in (("ORCON", "ORCON-USGOV"), ("NODIS", "EXDIS")):
        found -= {below} if above in found else set()
    others = {word for word in found if dissemination.is_other(word) and not (level >= 2 and word in PROTECTED)}
    own = {word for word in found if dissemination.is_control(word)} | _release(markings)
    return replace(
        made,
        cui=cui.merged(category for group in categories for category in group) if categories else None,
        dissemination=dissemination.ordered(own, cui_alone=level == 1),
        others=dissemination.others_ordered(others),
    )


def _sources(markings: list[Marking]) -> tuple[str, ...] | None:
    """Foreign sources by name, unless one is concealed.

    NATO is always named, because reading it requires a briefing.
    """
    foreign = [m for m in markings if m.owners or m.fgi is not None]
    if not foreign:
        return None
    names = {name for m in foreign for name in (*m.owners, *(m.fgi or ()))} - {"USA"}
    return countries.ordered(names & {"NATO"} if any(m.fgi == () for m in foreign) else names)


def _shown(readers: list[str]) -> set[str]:
    """The readers; whoever may have the material may also be shown it."""
    return {*readers, *(f"DISPLAY {name}" for name in readers if name.isalpha())}


def _release(markings: list[Marking]) -> set[str]:
    """The release words that apply to all of the markings."""
    limits = [_shown(limit) for limit in map(release_to, markings) if limit is not None]
    if not limits:
        return set()
    common = set.intersection(*limits)
    if UNSTATED in common:
        return set()
    shown = {name.removeprefix("DISPLAY ") for name in common if name.startswith("DISPLAY ")}
    given = {name for name in common if not name.startswith("DISPLAY ")} - {"USA", "RELIDO"}
    shown -= {*given, "USA", "RELIDO"}
    words = {"RELIDO"} & common
    if given:
        words.add("REL TO " + ", ".join(["USA", *countries.ordered(given)]))
    if shown:
        words.add("DISPLAY ONLY " + ", ".join(countries.ordered(shown)))
    return words or {"NOFORN"}
