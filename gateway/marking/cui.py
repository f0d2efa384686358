"""Controlled unclassified information: categories and limited dissemination controls.

    CUI//SP-CTI/SP-EXPT/PRVCY//FEDCON/NOFORN              SECRET//CUI//SP-CTI//NOFORN

The form, also beside classified information, was read first hand in NARA's CUI marking handbook (1.1, 2016). Categories
and limited dissemination controls, RELIDO among them, are those of the CUI Registry as NIEM 6.0's CUI code lists give
them [second hand]. That AC and AWP need PRIVILEGE was read first hand in the Registry's page on legal privilege.
Provisional categories are not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.marking.fault import ascending, require

_BASIC: Final = frozenset(
    """
    ADJ ADPO AG APP ASYL BARG BATT CMPRS COMPT CONREG CONV CRIT CVI CVIC DCNI DCRIT DREC EMGT EXPT EXPTR FHFANPI
    FINT FNC FSEC FSI GENETIC HLTH ID INF INTEL INV INVENT ISVI IVIC JURY JUV LCOMM LEI LMI LNSL LPROT LSCRN LVIC
    MERG MIL NETW NNPI NUC OCCMTO OPSEC PERS PEST PHYS POST PRE PRIIG PRIOR PRIVILEGE PROPIN PROT PRVCY PSEC RAIL
    RECCOM RESD RTR RWRD SAFE SBIZ SCV SERV SRI SSEL STAT STUD SURV TAI TRACE UCNI VISA WATER WHSTL WIT XFER
    """.split()  # noqa: SIM905 - eighty quoted words would be eighty lines
)
_SPECIFIED: Final = frozenset(
    """
    ADPO AIV ARCHR BUDG CCI CEII CENS CHLD CHRI CONTRACT CRITAN CTI CVI DCNI EXPT FISA FISAB FNC FSEC FUND GENETIC
    GEO HISTP HLTH ID IFNC INF INTEL INTL INV JURY LDNA LFNC LPROT MFC NNPI NPSR NUC PCII PERS PRIIG PROCURE PROPIN
    PRVCY SGI SRI SSEL SSI STAT STUD SUB TAX TSCA UCNI WDT WHSTL WIT
    """.split()  # noqa: SIM905 - fifty quoted words would be fifty lines
)
_NAMES: Final = _BASIC | _SPECIFIED - {"FISA", "SSI"}
"""Without those that are dissemination controls beside classified information."""

_UNKNOWN: Final = "after CUI stand categories of the CUI Registry, then limited dissemination controls"


def is_category(word: str) -> bool:
    """Whether the word begins a group of categories.

    A specified category without SP- counts too, so that the error can say that SP- is missing.
    """
    return word in _NAMES or word.startswith("SP-")


def read(words: list[str]) -> tuple[str, ...]:
    """The categories of a group: specified ones first, each kind in alphabetical order. Raises MarkingError."""
    for word in words:
        name = word.removeprefix("SP-")
        if word == name:
            require(
                name in _BASIC, f"{name} is a specified category; write SP-{name}" if name in _SPECIFIED else _UNKNOWN
            )
        else:
            require(
                name in _SPECIFIED, f"{name} is a basic category; write it without SP-" if name in _BASIC else _UNKNOWN
            )
    ascending(list(map(_place, words)), "specified categories stand first, then basic ones, both in alphabetical order")
    return tuple(words)


def merged(categories: Iterable[str]) -> tuple[str, ...]:
    """The union of the categories, in order."""
    return tuple(sorted(set(categories), key=_place))


def _place(category: str) -> tuple[bool, str]:
    return not category.startswith("SP-"), category
