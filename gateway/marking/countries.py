"""Lists of countries and organisations.

The order (countries, then organisations, each alphabetical) and the members of FVEY and ACGU were read first hand in
the IC Markings System Register and Manual (2016), A.6, H.3, H.7 and H.8. The Register's annexes of codes are not
public. Countries are therefore the ISO 3166-1 alpha-3 codes of states [general knowledge], and organisations are those
in the Manual's examples. The members of TEYE are [general knowledge]. NATO and ISAF are never expanded: a release to an
organisation is not a release to each of its members.
"""

from __future__ import annotations

from typing import Final

from gateway.marking.fault import ascending, require

COUNTRIES: Final = frozenset(
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
ORGANISATIONS: Final = frozenset({"ACGU", "FVEY", "ISAF", "NATO", "TEYE"})

_MEMBERS: Final = {
    "ACGU": ("AUS", "CAN", "GBR", "USA"),
    "FVEY": ("AUS", "CAN", "GBR", "NZL", "USA"),
    "TEYE": ("AUS", "GBR", "USA"),
}


def read(names: list[str]) -> tuple[str, ...]:
    """The codes of a list, in order. Raises MarkingError."""
    known = COUNTRIES | ORGANISATIONS
    require(
        all(name in known for name in names),
        "a list names countries by three capital letters (ISO 3166-1) and of organisations "
        f"{', '.join(sorted(ORGANISATIONS))}",
    )
    ascending(list(map(_place, names)), "a list has countries first, then organisations, both in alphabetical order")
    return tuple(names)


def ordered(names: set[str]) -> tuple[str, ...]:
    """The names in the order of a list."""
    return tuple(sorted(names, key=_place))


def spelled_out(names: tuple[str, ...]) -> set[str]:
    """The countries and organisations of a list, with FVEY, ACGU and TEYE expanded to their members."""
    return {member for name in names for member in _MEMBERS.get(name, (name,))}


def _place(name: str) -> tuple[bool, str]:
    return name in ORGANISATIONS, name
