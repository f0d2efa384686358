"""Atomic Energy Act information.

    RD[-CNWDI][-SIGMA 14 18] | FRD[-SIGMA 14] | TFNI             with CONFIDENTIAL or higher
    DOD UCNI[/DOE UCNI]                                          with UNCLASSIFIED

Read first hand in the IC Markings System Register and Manual (2016), H.6: RD takes precedence over FRD, and both over
TFNI, so a banner has only one of them. RD-N for RD-CNWDI, and SIGMA numbers from 1 to 99, are from DoDM 5200.01 vol. 2
encl. 4 [second hand].
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gateway.marking.fault import ascending, require

UNCLASSIFIED: Final = ("DOD UCNI", "DOE UCNI")
_PRECEDENCE: Final = ("RD", "FRD", "TFNI")
_FORM: Final = re.compile(r"(RD|FRD)(-CNWDI)?(?:-SIGMA((?: [1-9][0-9]?)+))?", re.ASCII)
_TITLES: Final = (
    ("DOD UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION", "DOD UCNI"),
    ("DOE UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION", "DOE UCNI"),
    ("TRANSCLASSIFIED FOREIGN NUCLEAR INFORMATION", "TFNI"),
    ("CRITICAL NUCLEAR WEAPON DESIGN INFORMATION", "CNWDI"),
    ("FORMERLY RESTRICTED DATA", "FRD"),
    ("RESTRICTED DATA", "RD"),
)


def is_nuclear(word: str) -> bool:
    """Whether the word begins a group of Atomic Energy Act information."""
    return _short(word).partition("-")[0] in {*_PRECEDENCE, *UNCLASSIFIED}


def read(words: list[str]) -> tuple[str, ...]:
    """The group, with the Register's abbreviations. Raises MarkingError."""
    found = tuple(map(_short, words))
    if found[0] in UNCLASSIFIED:
        require(set(found) <= set(UNCLASSIFIED), "with DOD UCNI and DOE UCNI stands no other nuclear information")
        ascending(found, "DOD UCNI stands before DOE UCNI")
        return found
    require(len(found) == 1, "RD takes precedence over FRD, and both over TFNI; write the first of them alone")
    matched = _FORM.fullmatch(found[0])
    require(
        found[0] == "TFNI" or (matched is not None and not (matched[1] == "FRD" and matched[2])),
        "write RD, RD-CNWDI, RD-SIGMA with numbers, FRD, FRD-SIGMA with numbers, or TFNI",
    )
    ascending(_numbers(found[0]), "the numbers of SIGMA ascend")
    return found


def check(level: int, nuclear: tuple[str, ...]) -> None:
    """Raise MarkingError unless the group is valid at this level."""
    for word in nuclear:
        if word in UNCLASSIFIED:
            require(level == 0, f"{word} stands with UNCLASSIFIED")
        else:
            require(level >= 2, f"{word.partition('-')[0]} stands with CONFIDENTIAL or higher")
            require(level >= 3 or "-" not in word, "CNWDI and SIGMA stand with SECRET or higher")


def atoms(word: str) -> list[str]:
    """The word with everything over which it takes precedence: RD includes FRD and TFNI."""
    if word in UNCLASSIFIED:
        return [word]
    found = list(_PRECEDENCE[_PRECEDENCE.index(word.partition("-")[0]) :])
    if "-CNWDI" in word:
        found.append("CNWDI")
    return [*found, *(f"SIGMA {number}" for number in _numbers(word))]


def merged(words: Iterable[str], level: int) -> tuple[str, ...]:
    """The union as one group. Unclassified nuclear information is omitted beside classified material (H.6)."""
    found = {atom for word in words for atom in atoms(word)}
    first = next((word for word in _PRECEDENCE if word in found), None)
    if first is None:
        return tuple(word for word in UNCLASSIFIED if word in found and level < 2)
    numbers = sorted(int(atom.removeprefix("SIGMA ")) for atom in found if atom.startswith("SIGMA "))
    sigma = " ".join(["-SIGMA", *map(str, numbers)]) if numbers else ""
    return (first + ("-CNWDI" if "CNWDI" in found else "") + sigma,)


def _numbers(word: str) -> list[int]:
    matched = _FORM.fullmatch(word)
    return [int(number) for number in (matched[3] or "").split()] if matched else []


def _short(word: str) -> str:
    for title, short in _TITLES:
        word = word.replace(title, short)
    return "RD-CNWDI" if word == "RD-N" else word
