"""Banner lines that are understood, one defect each that is not, and any text at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.marking import Marking, facts, parse

UNDERSTOOD = {
    "UNCLASSIFIED": Marking(0, ()),
    "CUI": Marking(1, ()),
    "CONTROLLED": Marking(1, ()),
    "CUI//SP-PRVCY": Marking(1, ("SP-PRVCY",)),
    "CUI//SP-CTI/SP-EXPT/PRVCY//FEDCON": Marking(1, ("SP-CTI", "SP-EXPT", "PRVCY", "FEDCON")),
    "CUI//NOFORN": Marking(1, ("NOFORN",)),
    "CUI//FED ONLY/REL TO USA, GBR": Marking(1, ("FED ONLY", "REL TO USA, GBR")),
    "CONFIDENTIAL": Marking(2, ()),
    "CONFIDENTIAL//SI": Marking(2, ("SI",)),
    "SECRET": Marking(3, ()),
    "SECRET//NOFORN": Marking(3, ("NOFORN",)),
    "SECRET//REL TO USA, AUS, GBR, FVEY": Marking(3, ("REL TO USA, AUS, GBR, FVEY",)),
    "SECRET//ORCON/NOFORN/PROPIN": Marking(3, ("ORCON", "NOFORN", "PROPIN")),
    "SECRET//DISPLAY ONLY AFG, IRQ": Marking(3, ("DISPLAY ONLY AFG, IRQ",)),
    "TOP SECRET": Marking(4, ()),
    "TOP SECRET//SI//REL TO USA, GBR": Marking(4, ("SI", "REL TO USA, GBR")),
    "TOP SECRET//SI/TK//NOFORN": Marking(4, ("SI", "TK", "NOFORN")),
    "TOP SECRET//HCS-O-P/SI-G ABCD EFGH/TK//ORCON/NOFORN": Marking(
        4, ("HCS-O-P", "SI-G ABCD EFGH", "TK", "ORCON", "NOFORN")
    ),
}

NOT_UNDERSTOOD = {
    "empty": "",
    "portion mark": "U",
    "portion mark in brackets": "(S//NF)",
    "abbreviated level": "TS//SI//NOFORN",
    "lower case": "secret",
    "white space around": " SECRET",
    "single slash after the level": "SECRET/NOFORN",
    "unknown level": "RESTRICTED",
    "unknown control": "SECRET//EYESONLY",
    "retired FOUO": "UNCLASSIFIED//FOUO",
    "controls on UNCLASSIFIED": "UNCLASSIFIED//NOFORN",
    "empty group": "SECRET//",
    "empty control": "SECRET//NOFORN/",
    "two empty groups": "SECRET////",
    "repeated control": "SECRET//NOFORN/NOFORN",
    "dissemination out of order": "SECRET//NOFORN/ORCON",
    "SCI out of order": "TOP SECRET//TK/SI//NOFORN",
    "SCI after dissemination": "TOP SECRET//NOFORN//SI",
    "SCI repeated": "TOP SECRET//SI/SI//NOFORN",
    "compartments out of order": "TOP SECRET//TK-KAND-BLFH//NOFORN",
    "unknown compartment": "TOP SECRET//SI-Z//NOFORN",
    "empty compartment": "TOP SECRET//SI-//NOFORN",
    "sub-compartments out of order": "TOP SECRET//SI-G EFGH ABCD//ORCON/NOFORN",
    "sub-compartment that is no word": "TOP SECRET//SI-G AB_D//ORCON/NOFORN",
    "three groups": "TOP SECRET//SI//NOFORN//ORCON",
    "NOFORN against REL TO": "SECRET//NOFORN/REL TO USA, GBR",
    "NOFORN against RELIDO": "SECRET//NOFORN/RELIDO",
    "NOFORN against DISPLAY ONLY": "SECRET//NOFORN/DISPLAY ONLY AFG",
    "ORCON twice in two forms": "SECRET//ORCON/ORCON-USGOV",
    "REL TO without a list": "SECRET//REL TO",
    "REL TO USA alone": "SECRET//REL TO USA",
    "REL TO without USA": "SECRET//REL TO AUS, GBR",
    "REL TO with USA twice": "SECRET//REL TO USA, USA",
    "REL TO out of order": "SECRET//REL TO USA, GBR, AUS",
    "REL TO with a coalition before a country": "SECRET//REL TO USA, FVEY, GBR",
    "REL TO with an unknown country": "SECRET//REL TO USA, XYZ",
    "REL TO without the space": "SECRET//REL TO USA,GBR",
    "HCS without NOFORN": "TOP SECRET//HCS-P",
    "gamma below TOP SECRET": "SECRET//SI-G//ORCON/NOFORN",
    "gamma without ORCON": "TOP SECRET//SI-G//NOFORN",
    "TK on CONFIDENTIAL": "CONFIDENTIAL//TK",
    "SAP, not supported": "SECRET//SAR-BP//NOFORN",
    "CUI category on SECRET": "SECRET//SP-PRVCY",
    "SCI on CUI": "CUI//SI",
    "unknown CUI category": "CUI//SP-NOPE",
    "CUI basic before specified": "CUI//PRVCY/SP-CTI",
    "CUI categories out of order": "CUI//SP-PRVCY/SP-CTI",
    "CUI dissemination out of order": "CUI//NOFORN/FEDCON",
    "CUI contradiction": "CUI//FED ONLY/FEDCON",
    "CUI categories after dissemination": "CUI//NOFORN//SP-PRVCY",
    "classified dissemination on CUI": "CUI//ORCON",
    "look-alike letter": "SECRE\u0422",
    "too long": "SECRET//" + "A" * 300,
}

WORDS = "// / - \x00 SECRET TOP CUI SI G TK HCS NOFORN ORCON REL TO DISPLAY ONLY USA GBR FVEY SP- PRVCY CTI FEDCON é"
PIECES = st.sampled_from([*WORDS.split(" "), " ", ", ", "TOP SECRET", "REL TO USA, ", "UNCLASSIFIED"])


@pytest.mark.parametrize("banner", UNDERSTOOD)
def test_a_valid_banner_is_understood(banner: str) -> None:
    """A banner line in the supported grammar yields its level and its controls, in order and as written."""
    assert parse(banner) == UNDERSTOOD[banner]


@pytest.mark.parametrize("defect", NOT_UNDERSTOOD)
def test_a_defective_banner_is_not_understood(defect: str) -> None:
    """A banner with one defect is not understood, rather than understood as something lower."""
    assert parse(NOT_UNDERSTOOD[defect]) is None


@given(st.text() | st.lists(PIECES, max_size=20).map("".join))
def test_any_text_is_understood_or_not(text: str) -> None:
    """No text raises, and what is understood is one of five levels whose word begins the text."""
    marking = parse(text)
    assert marking is None or (0 <= marking.level <= 4 and all(control in text for control in marking.controls))


@given(st.lists(PIECES, max_size=8).map(lambda pieces: "SECRET//" + "".join(pieces)))
def test_an_understood_banner_has_one_spelling(text: str) -> None:
    """Joining what was understood gives the banner again: nothing in it was skipped."""
    marking = parse(text)
    if marking is not None:
        assert text.replace("//", "/") == "/".join(["SECRET", *marking.controls])


def test_facts_are_what_the_policy_reads() -> None:
    """The policy sees a level and a list of controls."""
    assert facts(Marking(3, ("NOFORN",))) == {"level": 3, "controls": ["NOFORN"]}
