"""Banner lines: what a document says about who may see it. Ground floor: imports nothing of the gateway.

Understood are, in the order of DoDM 5200.01 volume 2 and of 32 CFR 2002.20, exactly as written there, spelled out:

    UNCLASSIFIED
    CUI [// categories] [// dissemination]               CONTROLLED is the same word
    CONFIDENTIAL | SECRET | TOP SECRET [// SCI] [// dissemination]

Everything else is not understood: portion marks ("U", "(S//NF)"), lower case, FOUO and other retired words, unknown or
repeated words, words out of order, and words that contradict each other. SAP, AEA, FGI, NATO and joint markings are not
supported. Not understood is never lower: the policy refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_LEVELS: Final = {"UNCLASSIFIED": 0, "CUI": 1, "CONTROLLED": 1, "CONFIDENTIAL": 2, "SECRET": 3, "TOP SECRET": 4}
_LONGEST: Final = 256

# SCI control systems in their order, with the compartments of each.
_SCI: Final[dict[str, frozenset[str]]] = {
    "HCS": frozenset({"O", "P"}),
    "SI": frozenset({"G"}),
    "TK": frozenset({"BLFH", "IDIT", "KAND"}),
}
_ORDER: Final = (
    "RSEN",
    "ORCON",
    "ORCON-USGOV",
    "IMCON",
    "NOFORN",
    "PROPIN",
    "REL TO",
    "RELIDO",
    "FISA",
    "DISPLAY ONLY",
)
_CUI_DISSEMINATION: Final = frozenset(
    {"AC", "AWP", "DELIBERATIVE", "DISPLAY ONLY", "DL ONLY", "FED ONLY", "FEDCON", "NOCON", "NOFORN", "REL TO"}
)
_CATEGORIES: Final = frozenset(
    # CUI Registry, category markings
    """
    ADJ ADPO AG AIV APP ARCHR ASYL BARG BATT BUDG CCI CEII CENS CHLD CHRI CMPRS COMPT CONREG CONTRACT CONV CRIT
    CRITAN CTI CVI CVIC DCNI DCRIT DREC EMGT EXPT EXPTR FHFANPI FINT FISA FISAB FNC FSEC FSI FUND GENETIC GEO
    HISTP HLTH ID IFNC INF INTEL INTL INV INVENT ISVI IVIC JURY JUV LCOMM LDNA LEI LFNC LMI LNSL LPROT LSCRN
    LVIC MERG MFC MIL NETW NNPI NPSR NUC OCCMTO PCII PERS PEST PHYS POST PRE PRIIG PRIOR PRIVILEGE PROCURE
    PROPIN PROT PRVCY PSEC RAIL RECCOM RESD RTR RWRD SAFE SBIZ SCV SERV SGI SRI SSEL SSI STAT STUD SUB TAX TSCA
    UCNI VISA WATER WHSTL WIT XFER
    """.split()  # noqa: SIM905 - a hundred quoted words would be a hundred lines
)
# Words of which at most one may stand in a banner.
_EXCLUSIVE: Final = (
    frozenset({"NOFORN", "REL TO"}),
    frozenset({"NOFORN", "RELIDO"}),
    frozenset({"NOFORN", "DISPLAY ONLY"}),
    frozenset({"ORCON", "ORCON-USGOV"}),
    frozenset({"FED ONLY", "FEDCON"}),
    frozenset({"FEDCON", "NOCON"}),
)
_COUNTRIES: Final = frozenset(
    # ISO 3166-1 alpha-3, of states
    """
    ABW AFG AGO ALB AND ARE ARG ARM ATG AUS AUT AZE BDI BEL BEN BFA BGD BGR BHR BHS BIH BLR BLZ BOL BRA BRB BRN
    BTN BWA CAF CAN CHE CHL CHN CIV CMR COD COG COL COM CPV CRI CUB CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI
    ESP EST ETH FIN FJI FRA FSM GAB GBR GEO GHA GIN GMB GNB GNQ GRC GRD GTM GUY HND HRV HTI HUN IDN IND IRL IRN
    IRQ ISL ISR ITA JAM JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAR
    MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MOZ MRT MUS MWI MYS NAM NER NGA NIC NLD NOR NPL NRU NZL OMN
    PAK PAN PER PHL PLW PNG POL PRK PRT PRY QAT ROU RUS RWA SAU SDN SEN SGP SLB SLE SLV SMR SOM SRB SSD STP SUR
    SVK SVN SWE SWZ SYC SYR TCD TGO THA TJK TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR URY USA UZB VAT VCT VEN
    VNM VUT WSM YEM ZAF ZMB ZWE
    """.split()  # noqa: SIM905 - two hundred quoted words would be two hundred lines
)
_COALITIONS: Final = frozenset({"ACGU", "FVEY", "NATO", "TEYE"})


@dataclass(frozen=True, slots=True)
class Marking:
    """A banner that was understood. level: 0 UNCLASSIFIED, 1 CUI, 2 CONFIDENTIAL, 3 SECRET, 4 TOP SECRET.

    controls: in the banner's order, each as written there. A list of countries is one control ("REL TO USA, GBR"): two
    different lists are two different controls, so whoever compares controls as words never takes one for the other.
    """

    level: int
    controls: tuple[str, ...]


class _NotUnderstoodError(ValueError):
    """The banner is none of those above."""


def parse(text: str) -> Marking | None:
    """The marking that a banner line states; None when it is not understood. Never raises."""
    if len(text) > _LONGEST:
        return None
    word, *groups = text.split("//")
    level = _LEVELS.get(word)
    if level is None:
        return None
    try:
        return Marking(level, _controls(level, groups))
    except _NotUnderstoodError:
        return None


def facts(marking: Marking) -> dict[str, int | list[str]]:
    """The marking as the policy sees it."""
    return {"level": marking.level, "controls": list(marking.controls)}


def _controls(level: int, groups: list[str]) -> tuple[str, ...]:
    if level == 0:
        _require(not groups)
        return ()
    rest = [group.split("/") for group in groups]
    first: list[str] = []
    if rest and _is_first(level, rest[0]):
        first = _cui_categories(rest.pop(0)) if level == 1 else _sci(rest.pop(0))
    dissemination = _dissemination(level, rest.pop(0)) if rest else []
    _require(not rest)
    if level > 1:
        _sci_needs(level, first, {_word(control) for control in dissemination})
    return (*first, *dissemination)


def _is_first(level: int, group: list[str]) -> bool:
    if level == 1:
        return group[0].removeprefix("SP-") in _CATEGORIES
    return group[0].split("-")[0].split(" ")[0] in _SCI


def _cui_categories(group: list[str]) -> list[str]:
    """Specified categories first, each kind in alphabetical order (32 CFR 2002.20)."""
    _ascending([(not category.startswith("SP-"), category) for category in group])
    _require(all(category.removeprefix("SP-") in _CATEGORIES for category in group))
    return group


def _sci(group: list[str]) -> list[str]:
    """Control systems in alphabetical order, each with compartments after hyphens and their sub-compartments."""
    systems = []
    for control in group:
        system, *compartments = control.split("-")
        _require(system in _SCI)
        systems.append(system)
        names = [compartment.split(" ") for compartment in compartments]
        _ascending([name for name, *_ in names])
        for name, *inner in names:
            _require(name in _SCI[system])
            _ascending(inner)
            _require(
                all(word.isascii() and word.isalnum() and word.upper() == word and len(word) <= 6 for word in inner)
            )
    _ascending(systems)
    return group


def _sci_needs(level: int, sci: list[str], dissemination: set[str]) -> None:
    """SCI is no CONFIDENTIAL but for SI; HCS is NOFORN, HCS-O and gamma are ORCON, gamma is TOP SECRET."""
    for control in sci:
        system, *compartments = control.split("-")
        names = {compartment.split(" ")[0] for compartment in compartments}
        _require(level > 2 or system == "SI")
        _require(system != "HCS" or "NOFORN" in dissemination)
        _require(not names & {"O", "G"} or bool(dissemination & {"ORCON", "ORCON-USGOV"}))
        _require("G" not in names or level == 4)


def _dissemination(level: int, group: list[str]) -> list[str]:
    words = [_word(control) for control in group]
    if level == 1:
        _require(set(words) <= _CUI_DISSEMINATION)
        _ascending(words)
    else:
        _require(set(words) <= set(_ORDER))
        _ascending([_ORDER.index(word) for word in words])
    _require(not any(pair <= set(words) for pair in _EXCLUSIVE))
    return group


def _word(control: str) -> str:
    """The control without its list of countries, which is checked."""
    for word in ("REL TO", "DISPLAY ONLY"):
        if control.startswith(word + " "):
            _countries(control.removeprefix(word + " ").split(", "), own=word == "REL TO")
            return word
    _require(control not in {"REL TO", "DISPLAY ONLY"})
    return control


def _countries(names: list[str], *, own: bool) -> None:
    """USA first where it belongs, countries in alphabetical order, then coalitions in theirs."""
    if own:
        _require(names[0] == "USA" and len(names) > 1)
        names = names[1:]
    _require(all(name in _COUNTRIES | _COALITIONS and name != "USA" for name in names))
    _ascending([(name in _COALITIONS, name) for name in names])


def _ascending(items: list[str] | list[int] | list[tuple[bool, str]]) -> None:
    """In order, and none twice."""
    _require(all(a < b for a, b in pairwise(items)))  # type: ignore[operator]  # both of one kind


def _require(holds: bool) -> None:
    if not holds:
        raise _NotUnderstoodError
