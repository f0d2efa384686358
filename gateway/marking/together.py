"""Checks which groups may occur together in a banner line, beyond the rules of each group.

Read first hand in the IC Markings System Register and Manual (2016), H, under each marking's relationships to others,
and for CUI in NARA's CUI marking handbook (1.1, 2016).
"""

from __future__ import annotations

from dataclasses import replace

from gateway.marking import compartments, countries, cui, dissemination, foreign, nuclear
from gateway.marking.fault import require
from gateway.marking.value import Marking
from gateway.marking.words import LIMITED


def check(marking: Marking) -> None:
    """Raise MarkingError unless the groups are valid together and at the level."""
    controls = dissemination.names(marking.dissemination)
    _check_cui(marking, controls)
    compartments.check_sci(marking.level, marking.sci, controls)
    require(not marking.programs or marking.level >= 2, "special access programs stand with CONFIDENTIAL or higher")
    nuclear.check(marking.level, marking.nuclear)
    foreign.check_controls(marking.level, marking.nato, (*marking.owners, *(marking.fgi or ())))
    dissemination.check(marking.level, controls | set(marking.others))
    require("WAIVED" not in controls or bool(marking.programs), "WAIVED stands with special access programs")
    if "USA" in marking.owners:
        _check_joint(marking)
    elif marking.owners:
        others = replace(marking, nato=(), dissemination=())
        require(
            others == Marking(marking.level, marking.classification, marking.owners)
            and controls <= {"ORCON", "REL TO"},
            "after a classification of others stand control markings of NATO, ORCON and REL TO",
        )


def _check_cui(marking: Marking, controls: set[str]) -> None:
    limited = controls & {word.short for word in LIMITED}
    require(marking.cui is not None or not limited, "limited dissemination controls of CUI stand with CUI")
    require(
        not controls & {"AC", "AWP"} or "PRIVILEGE" in (marking.cui or ()),
        "AC and AWP stand with the category PRIVILEGE",
    )
    if marking.level == 1:
        plain = Marking(1, "CUI", cui=marking.cui, dissemination=marking.dissemination)
        require(
            marking == plain and controls <= dissemination.OF_CUI,
            "after CUI stand categories and limited dissemination controls alone",
        )
    elif marking.cui is not None:
        require(marking.level > 1, "CUI stands alone, or after CONFIDENTIAL or higher; write CUI for UNCLASSIFIED//CUI")
        first = marking.dissemination[:1]
        require(bool(marking.cui) or not (first and cui.is_category(first[0])), "name the category of CUI")
        require(
            not controls & set(marking.cui), "a category of CUI and a dissemination control of one name stand apart"
        )


def _check_joint(marking: Marking) -> None:
    require(not any(control.startswith("HCS") for control in marking.sci), "HCS does not stand with JOINT")
    released = [dissemination.listed(c) for c in marking.dissemination if dissemination.name(c) == "REL TO"]
    require(
        bool(released) and countries.spelled_out(marking.owners) <= countries.spelled_out(released[0]),
        "JOINT needs REL TO with all its owners",
    )
    require(marking.cui is None, "CUI does not stand with JOINT")
