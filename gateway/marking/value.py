"""A marking as a value, and the banner line that states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.marking.compartments import PROGRAMS

LONGEST: Final = 1024
"""In characters. The wire has a tighter bound; a marking made of several may be longer than each."""

LEVELS: Final = ("UNCLASSIFIED", "CUI", "CONFIDENTIAL", "SECRET", "TOP SECRET")


@dataclass(frozen=True, slots=True)
class Marking:
    """A banner line that was understood, each group as the Register writes it, in order and with abbreviations.

    level: index of LEVELS. classification: the first group, "//" included. owners: of a classification of others or a
    joint one, none of the United States'. fgi, cui: None where the banner has no such group, empty where it names no
    country, no category.
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
