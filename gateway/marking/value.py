"""A marking as a value, and the banner line that states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.marking.compartments import PROGRAMS

LONGEST: Final = 1024
"""In characters. The wire has a tighter limit; a combined marking may be longer than each of its parts."""

LEVELS: Final = ("UNCLASSIFIED", "CUI", "CONFIDENTIAL", "SECRET", "TOP SECRET")


@dataclass(frozen=True, slots=True)
class Marking:
    """A valid banner line: each group in order, in the Register's form and with its abbreviations.

    level: index in LEVELS. classification: the first group, "//" included. owners: of a foreign or joint
    classification; empty for the United States'. fgi, cui: None if the banner has no such group, empty if the group
    names no country or category.
    """

    level: int
    classification: str
    owners: tuple[str, ...] = ()
    sci: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    nuclear: tuple[str, ...] = ()
    nato: tuple[str, ...] = ()
    fgi: tuple[str, ...] | None = None
    cui: tuple[str, ...] | None = None
    dissemination: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def write(marking: Marking) -> str:
    """The banner line."""
    fgi = None if marking.fgi is None else [" ".join(["FGI", *marking.fgi])]
    programs = PROGRAMS + "/".join(marking.programs) if marking.programs else ""
    groups = [
        marking.classification,
        "/".join(marking.sci),
        programs,
        "/".join(marking.nuclear),
        "/".join(marking.nato),
        "/".join(fgi or []),
        "CUI" if marking.cui is not None and marking.level != 1 else "",
        "/".join(marking.cui or []),
        "/".join(marking.dissemination),
        "/".join(marking.others),
    ]
    return "//".join(filter(None, groups))
