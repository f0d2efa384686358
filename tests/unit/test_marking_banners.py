"""Banner lines by hand: what is understood, with what the policy sees of it, and what is not, with what is said of it.

Sources: [R] the IC Markings System Register and Manual (2016) with its section, [H] NARA's CUI marking handbook with
its page, [D] DoDM 5200.01 vol. 2 encl. 4, read second hand; without one, a consequence of the form.
"""

from __future__ import annotations

import pytest

from gateway.marking import explain, facts, parse, write

EVERYBODY = None
USA = ["USA"]
UNSTATED = ["USA", "UNSTATED"]

# --- understood ---------------------------------------------------------------------------------------------------

# banner: (level, controls, released to, why)
UNDERSTOOD: dict[str, tuple[int, list[str], list[str] | None, str]] = {
    # classification alone
    "UNCLASSIFIED": (0, [], EVERYBODY, "[R] H.1; no limit is stated"),
    "CONFIDENTIAL": (2, [], UNSTATED, "[R] H.1"),
    "SECRET": (3, [], UNSTATED, "[R] H.1; J, dissemination example 2"),
    "TOP SECRET": (4, [], UNSTATED, "[R] H.1"),
    # CUI
    "CUI": (1, [], UNSTATED, "[H] 7"),
    "CUI//SP-CTI": (1, ["CUI SP-CTI"], UNSTATED, "[H] 10"),
    "CUI//PRVCY": (1, ["CUI PRVCY"], UNSTATED, "[H] 9: a basic category may be named"),
    "CUI//SP-PRVCY//NOFORN": (1, ["CUI SP-PRVCY"], USA, "[H] 12"),
    "CUI//SP-CTI/SP-EXPT/PRVCY//FEDCON": (
        1,
        ["CUI SP-CTI", "CUI SP-EXPT", "CUI PRVCY", "FEDCON"],
        UNSTATED,
        "[H] 11: specified before basic, both in alphabetical order",
    ),
    "CUI//NOFORN": (1, [], USA, "[H] 12: a control without a category"),
    "CUI//FED ONLY/NOFORN": (1, ["FEDCON", "NOCON"], USA, "[H] 12: several, in alphabetical order"),
    "CUI//NOCON/REL TO USA, GBR": (1, ["NOCON"], ["USA", "GBR"], "[H] 12"),
    "CUI//DL ONLY": (1, ["DL ONLY"], UNSTATED, "the Registry's control for a list of recipients"),
    "CUI//RELIDO": (1, [], ["USA", "RELIDO"], "NIEM 6.0 has it among the Registry's controls"),
    "CUI//PRIVILEGE//AC/AWP": (1, ["CUI PRIVILEGE", "AC", "AWP"], UNSTATED, "the Registry's page on legal privilege"),
    "CUI//DISPLAY ONLY AFG/REL TO USA, GBR": (1, [], ["USA", "GBR", "DISPLAY AFG"], "alphabetical: D before R"),
    # SCI
    "CONFIDENTIAL//SI": (2, ["SI"], UNSTATED, "[R] H.4: SI stands with CONFIDENTIAL"),
    "SECRET//SI/TK//RELIDO": (3, ["SI", "TK"], ["USA", "RELIDO"], "[D] figure 33"),
    "SECRET//TK": (3, ["TK"], UNSTATED, "[R] H.4"),
    "TOP SECRET//SI-G//ORCON": (4, ["SI", "SI-G", "ORCON", "ORCON-USGOV"], UNSTATED, "[R] H.4: gamma needs ORCON"),
    "TOP SECRET//SI-G ABCD EFGH-XYZ//ORCON/NOFORN": (
        4,
        ["SI", "SI-G", "SI-G ABCD", "SI-G EFGH", "SI-XYZ", "ORCON", "ORCON-USGOV"],
        USA,
        "[R] J, sub-compartments example",
    ),
    "TOP SECRET//SI-ABC-DEF//ORCON/NOFORN": (
        4,
        ["SI", "SI-ABC", "SI-DEF", "ORCON", "ORCON-USGOV"],
        USA,
        "[R] J, compartments example",
    ),
    "TOP SECRET//SI-EU": (4, ["SI", "SI-EU"], UNSTATED, "[R] H.4, ECRU"),
    "TOP SECRET//SI-NK": (4, ["SI", "SI-NK"], UNSTATED, "[R] H.4, NONBOOK"),
    "SECRET//HCS-O//ORCON/NOFORN": (3, ["HCS", "HCS-O", "ORCON", "ORCON-USGOV"], USA, "[R] H.4"),
    "SECRET//HCS-P//NOFORN": (3, ["HCS", "HCS-P"], USA, "[R] H.4"),
    "SECRET//HCS-P//ORCON-USGOV/NOFORN": (3, ["HCS", "HCS-P", "ORCON-USGOV"], USA, "[R] H.4: P may be ORCON-USGOV"),
    "TOP SECRET//HCS-O-P JJJ XYZ//ORCON/NOFORN": (
        4,
        ["HCS", "HCS-O", "HCS-P", "HCS-P JJJ", "HCS-P XYZ", "ORCON", "ORCON-USGOV"],
        USA,
        "[R] H.4",
    ),
    "TOP SECRET//HCS//NOFORN": (4, ["HCS"], USA, "[D] figure 33, the older form"),
    "TOP SECRET//RSV-123-ABC": (4, ["RSV", "RSV-123", "RSV-ABC"], UNSTATED, "[R] H.4: numbers before letters"),
    "TOP SECRET//TK-BLFH ABCD//NOFORN": (4, ["TK", "TK-BLFH", "TK-BLFH ABCD"], USA, "[R] H.4"),
    "SECRET//TK-IDIT-KAND 1A//NOFORN": (3, ["TK", "TK-IDIT", "TK-KAND", "TK-KAND 1A"], USA, "[R] H.4"),
    "TOP SECRET//TK//RSEN": (4, ["TK", "RSEN"], UNSTATED, "[R] H.8"),
    # special access programs
    "TOP SECRET//SAR-BP//NOFORN": (4, ["SAR-BP"], USA, "[R] H.5"),
    "CONFIDENTIAL//SAR-BP": (2, ["SAR-BP"], UNSTATED, "[R] H.5: with CONFIDENTIAL too"),
    "TOP SECRET//SAR-BUTTER POPCORN/SODA": (4, ["SAR-BUTTER POPCORN", "SAR-SODA"], UNSTATED, "[R] H.5"),
    "TOP SECRET//SAR-BP-123/CA-XYZ YYY//NOFORN": (
        4,
        ["SAR-BP", "SAR-BP-123", "SAR-CA", "SAR-CA-XYZ", "SAR-CA-XYZ YYY"],
        USA,
        "[R] J, SAP example",
    ),
    "SECRET//SAR-ABC-DEF 123/SDA-121//NOFORN": (
        3,
        ["SAR-ABC", "SAR-ABC-DEF", "SAR-ABC-DEF 123", "SAR-SDA", "SAR-SDA-121"],
        USA,
        "[R] A.6",
    ),
    "TOP SECRET//TK//SAR-BP": (4, ["TK", "SAR-BP"], UNSTATED, "[D] figure 34: SCI before SAP"),
    "TOP SECRET//SAR-TIN BAKER//WAIVED": (4, ["SAR-TIN BAKER", "WAIVED"], UNSTATED, "[D] figure 34"),
    "SECRET//SAR-MULTIPLE PROGRAMS": (3, ["SAR-MULTIPLE PROGRAMS"], UNSTATED, "[D] 7.e; a name like another"),
    # nuclear information
    "SECRET//RD//NOFORN": (3, ["RD", "FRD", "TFNI"], USA, "[R] H.6"),
    "CONFIDENTIAL//FRD//NOFORN": (2, ["FRD", "TFNI"], USA, "[R] H.6"),
    "SECRET//TFNI//REL TO USA, ACGU": (3, ["TFNI"], ["USA", "AUS", "CAN", "GBR"], "[R] H.6"),
    "SECRET//RD-CNWDI//REL TO USA, GBR": (3, ["RD", "FRD", "TFNI", "CNWDI"], ["USA", "GBR"], "[R] A.6"),
    "SECRET//RD-SIGMA 18 20": (3, ["RD", "FRD", "TFNI", "SIGMA 18", "SIGMA 20"], UNSTATED, "[R] H.6"),
    "TOP SECRET//RD-CNWDI-SIGMA 1 2//NOFORN": (
        4,
        ["RD", "FRD", "TFNI", "CNWDI", "SIGMA 1", "SIGMA 2"],
        USA,
        "[R] H.6; [D] 8.d: numbers from 1 to 99",
    ),
    "SECRET//FRD-SIGMA 14 18//REL TO USA, ACGU": (
        3,
        ["FRD", "TFNI", "SIGMA 14", "SIGMA 18"],
        ["USA", "AUS", "CAN", "GBR"],
        "[R] J, AEA example",
    ),
    "UNCLASSIFIED//DOD UCNI": (0, ["DOD UCNI"], UNSTATED, "[R] H.6"),
    "UNCLASSIFIED//DOD UCNI/DOE UCNI": (0, ["DOD UCNI", "DOE UCNI"], UNSTATED, "[R] H.6: in the Register's order"),
    # foreign government information, NATO, joint
    "TOP SECRET//FGI DEU GBR//REL TO USA, DEU, GBR": (4, ["FGI"], ["USA", "DEU", "GBR"], "[R] J, FGI example"),
    "SECRET//TK//FGI//NOFORN": (3, ["TK", "FGI"], USA, "[R] J: a concealed source"),
    "SECRET//FGI GBR JPN NATO//REL TO USA, GBR, JPN, NATO": (
        3,
        ["FGI", "FGI NATO"],
        ["USA", "GBR", "JPN", "NATO"],
        "[R] A.6",
    ),
    "TOP SECRET//BOHEMIA//FGI AUS CAN DEU NATO//NOFORN": (4, ["BOHEMIA", "FGI", "FGI NATO"], USA, "[R] H.7"),
    "UNCLASSIFIED//FGI GBR": (0, ["FGI"], UNSTATED, "[R] H.7: with UNCLASSIFIED too"),
    "//GBR SECRET": (3, ["FGI"], UNSTATED, "[R] A.6"),
    "//DEU SECRET//REL TO USA, DEU": (3, ["FGI"], ["USA", "DEU"], "[R] J, non-US example"),
    "//CAN GBR RESTRICTED": (2, ["FGI"], UNSTATED, "[R] H.7; RESTRICTED counts as CONFIDENTIAL"),
    "//COSMIC TOP SECRET//BOHEMIA": (4, ["BOHEMIA", "FGI", "FGI NATO"], UNSTATED, "[R] J, non-US example"),
    "//NATO SECRET//ATOMAL//ORCON": (
        3,
        ["ATOMAL", "FGI", "FGI NATO", "ORCON", "ORCON-USGOV"],
        UNSTATED,
        "[R] J, non-US example",
    ),
    "//NATO CONFIDENTIAL": (2, ["FGI", "FGI NATO"], UNSTATED, "[R] G"),
    "//NATO RESTRICTED": (2, ["FGI", "FGI NATO"], UNSTATED, "[R] G; counts as CONFIDENTIAL"),
    "//NATO UNCLASSIFIED": (0, ["FGI", "FGI NATO"], UNSTATED, "[R] G"),
    "//JOINT SECRET CAN GBR USA//REL TO USA, CAN, GBR": (3, ["FGI"], ["USA", "CAN", "GBR"], "[R] H.3"),
    "//JOINT SECRET GBR USA//REL TO USA, FVEY": (
        3,
        ["FGI"],
        ["USA", "AUS", "CAN", "GBR", "NZL"],
        "[R] H.3: released to more than the owners",
    ),
    "//JOINT SECRET GBR USA//FGI NZL//REL TO USA, GBR": (3, ["FGI"], ["USA", "GBR"], "[R] H.3"),
    "//JOINT TOP SECRET CAN ISR USA//SI//REL TO USA, CAN, ISR": (4, ["SI", "FGI"], ["USA", "CAN", "ISR"], "[R] H.3"),
    "//JOINT UNCLASSIFIED GBR USA//REL TO USA, GBR": (0, ["FGI"], ["USA", "GBR"], "[R] H.3"),
    # dissemination
    "SECRET//NOFORN": (3, [], USA, "[R] H.8"),
    "SECRET//REL TO USA, FVEY/RELIDO": (
        3,
        [],
        ["USA", "AUS", "CAN", "GBR", "NZL", "RELIDO"],
        "[R] J, basic example",
    ),
    "SECRET//REL TO USA, GBR, JPN, ISAF, NATO": (3, [], ["USA", "GBR", "JPN", "ISAF", "NATO"], "[R] A.6"),
    "SECRET//REL TO USA, TEYE": (3, [], ["USA", "AUS", "GBR"], "[R] H.8"),
    "UNCLASSIFIED//REL TO USA, FVEY": (0, [], ["USA", "AUS", "CAN", "GBR", "NZL"], "[R] J: it limits all the same"),
    "SECRET//ORCON/REL TO USA, GBR": (3, ["ORCON", "ORCON-USGOV"], ["USA", "GBR"], "[R] H.8: ORCON may be REL TO"),
    "SECRET//ORCON-USGOV": (3, ["ORCON-USGOV"], UNSTATED, "[R] H.8"),
    "SECRET//IMCON/NOFORN": (3, ["IMCON"], USA, "[R] H.8"),
    "TOP SECRET//SI-G/TK//RSEN/ORCON/NOFORN": (
        4,
        ["SI", "SI-G", "TK", "RSEN", "ORCON", "ORCON-USGOV"],
        USA,
        "[R] J, SCI example",
    ),
    "SECRET//NOFORN/PROPIN": (3, ["PROPIN"], USA, "[R] J"),
    "SECRET//NOFORN/DEA SENSITIVE": (3, ["DEA SENSITIVE"], USA, "[R] H.8"),
    "TOP SECRET//NOFORN/FISA": (4, ["FISA"], USA, "[R] H.8"),
    "UNCLASSIFIED//FISA": (0, ["FISA"], UNSTATED, "[R] H.8: controlled, though unclassified"),
    "UNCLASSIFIED//DEA SENSITIVE": (0, ["DEA SENSITIVE"], UNSTATED, "[R] H.8"),
    "CONFIDENTIAL//DISPLAY ONLY AFG, IRQ": (2, [], ["USA", "DISPLAY AFG", "DISPLAY IRQ"], "[R] H.8"),
    "SECRET//REL TO USA, GBR/DISPLAY ONLY AFG": (3, [], ["USA", "GBR", "DISPLAY AFG"], "[R] H.8"),
    "SECRET//REL TO USA, GBR/DISPLAY ONLY AFG, GBR": (3, [], ["USA", "GBR", "DISPLAY AFG"], "who has it may see it"),
    "SECRET//RELIDO": (3, [], ["USA", "RELIDO"], "[R] H.8"),
    # of other agencies
    "UNCLASSIFIED//LIMDIS": (0, ["LIMDIS"], UNSTATED, "[R] H.9"),
    "SECRET//NOFORN//EXDIS": (3, ["EXDIS"], USA, "[R] H.9"),
    "SECRET//NOFORN//NODIS": (3, ["EXDIS", "NODIS"], USA, "[R] H.9: NODIS has priority over EXDIS"),
    "UNCLASSIFIED//SBU": (0, ["SBU"], UNSTATED, "[R] H.9"),
    "UNCLASSIFIED//SBU NOFORN": (0, ["SBU"], USA, "[R] H.9"),
    "UNCLASSIFIED//NOFORN//SBU": (0, ["SBU"], USA, "[R] H.1, example page 4: the same"),
    "UNCLASSIFIED//LES NOFORN": (0, ["LES"], USA, "[R] H.9"),
    "SECRET//NOFORN//LES": (3, ["LES"], USA, "[R] H.9"),
    "SECRET//REL TO USA, ACGU//SSI": (3, ["SSI"], ["USA", "AUS", "CAN", "GBR"], "[R] H.9, example page 2"),
    "UNCLASSIFIED//LES/SSI": (0, ["LES", "SSI"], UNSTATED, "[R] G: in the Register's order"),
    # CUI beside classified information
    "SECRET//CUI": (3, [], UNSTATED, "[H] 38"),
    "SECRET//CUI//SP-CTI/PRVCY//NOFORN": (3, ["CUI SP-CTI", "CUI PRVCY"], USA, "[H] 37"),
    "SECRET//HCS-P/TK//FGI GBR//CUI//SP-CTI//NOFORN": (
        3,
        ["HCS", "HCS-P", "TK", "FGI", "CUI SP-CTI"],
        USA,
        "[H] 35",
    ),
    "SECRET//CUI//NOFORN/FEDCON": (3, ["FEDCON"], USA, "[H] 37: the community's controls first"),
    "SECRET//CUI//PRVCY//PROPIN": (3, ["CUI PRVCY", "PROPIN"], UNSTATED, "a word of two kinds is of the one to come"),
    "SECRET//CUI//FISA": (3, ["FISA"], UNSTATED, "FISA is no basic category, so it is the control"),
    # everything at once
    "TOP SECRET//HCS-P/SI-G/TK//SAR-BP//RD-CNWDI//ATOMAL//FGI NATO//CUI//SP-CTI//RSEN/ORCON/IMCON/NOFORN/FISA//LES": (
        4,
        [
            *("HCS", "HCS-P", "SI", "SI-G", "TK", "SAR-BP", "RD", "FRD", "TFNI", "CNWDI", "ATOMAL", "FGI", "FGI NATO"),
            *("CUI SP-CTI", "RSEN", "ORCON", "ORCON-USGOV", "IMCON", "FISA", "LES"),
        ],
        USA,
        "[R] A.6, every category in its order",
    ),
}

# Other spellings: what is written, and how it is printed.
SPELLINGS = {
    "CONTROLLED": "CUI",
    "CONTROLLED//SP-CTI": "CUI//SP-CTI",
    "TOP SECRET//SI-GAMMA/TALENT KEYHOLE//RISK SENSITIVE/ORIGINATOR CONTROLLED/NOFORN": (
        "TOP SECRET//SI-G/TK//RSEN/ORCON/NOFORN"
    ),
    "TOP SECRET//HCS-P//SPECIAL ACCESS REQUIRED-BUTTER POPCORN//NOT RELEASABLE TO FOREIGN NATIONALS": (
        "TOP SECRET//HCS-P//SAR-BUTTER POPCORN//NOFORN"
    ),
    "SECRET//RESTRICTED DATA": "SECRET//RD",
    "SECRET//RESTRICTED DATA-N": "SECRET//RD-CNWDI",
    "SECRET//RD-N": "SECRET//RD-CNWDI",
    "SECRET//FORMERLY RESTRICTED DATA-SIGMA 14": "SECRET//FRD-SIGMA 14",
    "SECRET//TRANSCLASSIFIED FOREIGN NUCLEAR INFORMATION": "SECRET//TFNI",
    "UNCLASSIFIED//DOE UNCLASSIFIED CONTROLLED NUCLEAR INFORMATION": "UNCLASSIFIED//DOE UCNI",
    "SECRET//FOREIGN GOVERNMENT INFORMATION GBR": "SECRET//FGI GBR",
    "SECRET//AUTHORIZED FOR RELEASE TO USA, GBR": "SECRET//REL TO USA, GBR",
    "SECRET//CONTROLLED IMAGERY": "SECRET//IMCON",
    "UNCLASSIFIED//LIMITED DISTRIBUTION": "UNCLASSIFIED//LIMDIS",
    "SECRET//NOFORN//NO DISTRIBUTION": "SECRET//NOFORN//NODIS",
    "UNCLASSIFIED//SENSITIVE BUT UNCLASSIFIED": "UNCLASSIFIED//SBU",
    "CUI//PRIVILEGE//ATTORNEY-CLIENT/ATTORNEY-WP": "CUI//PRIVILEGE//AC/AWP",
}

# --- not understood -----------------------------------------------------------------------------------------------

# why: (banner, what is said of it)
NOT_UNDERSTOOD: dict[str, tuple[str, str]] = {
    # the form
    "empty": ("", "begins with"),
    "lower case": ("secret", "capitals"),
    "mixed case": ("Secret//Noforn", "capitals"),
    "space before": (" SECRET", "no space"),
    "space after": ("SECRET//NOFORN ", "no space"),
    "a line end": ("SECRET\n", "no space"),
    "too long": ("SECRET//SAR-" + "A" * 1024, "at most 1024 characters"),
    "unknown level": ("RESTRICTED", "begins with"),
    "misspelled level": ("SECRTE", "begins with"),
    "look-alike letter": ("SECRE\u0422", "begins with"),
    "abbreviated level": ("TS//SI//NOFORN", "spelled out"),
    "portion mark": ("(S//NF)", "begins with"),
    "single slash after the level": ("SECRET/NOFORN", "begins with"),
    "empty group": ("SECRET//", "group 2 is of no kind"),
    "two empty groups": ("SECRET////NOFORN", "group 2 is of no kind"),
    "empty control": ("SECRET//NOFORN/", "dissemination controls are"),
    "space around a slash": ("SECRET // NOFORN", "begins with"),
    "space in a group": ("SECRET// NOFORN", "group 2 is of no kind"),
    "unknown control": ("SECRET//SPECAT", "group 2 is of no kind"),
    "unknown control after a known one": ("SECRET//NOFORN/SPECAT", "dissemination controls are"),
    "declassification value, gone since 2008": ("SECRET//NOFORN//25X1", "group 3 is of no kind"),
    # order and repetition
    "SCI after dissemination": ("TOP SECRET//NOFORN//SI", "comes too late"),
    "SAP before SCI": ("TOP SECRET//SAR-BP//TK", "comes too late"),
    "nuclear before SAP": ("SECRET//RD//SAR-BP", "comes too late"),
    "FGI after dissemination": ("SECRET//NOFORN//FGI GBR", "comes too late"),
    "other agencies before dissemination": ("SECRET//LES//NOFORN", "comes too late"),
    "CUI before FGI": ("SECRET//CUI//FGI GBR", "comes too late"),
    "two groups of dissemination": ("TOP SECRET//SI//NOFORN//ORCON", "a second time"),
    "two groups of SCI": ("TOP SECRET//SI//TK//NOFORN", "a second time"),
    "SCI out of order": ("TOP SECRET//TK/SI//NOFORN", "alphabetical order"),
    "SCI repeated": ("TOP SECRET//SI/SI//NOFORN", "each once"),
    "compartments out of order": ("SECRET//TK-KAND-IDIT//NOFORN", "compartments of TK stand in alphabetical order"),
    "sub-compartments out of order": ("TOP SECRET//SI-G EFGH ABCD//ORCON/NOFORN", "alphabetical order"),
    "letters before numbers": ("TOP SECRET//RSV-ABC-123", "alphabetical order"),
    "programs out of order": ("SECRET//SAR-SDA/ABC", "programs stand in alphabetical order"),
    "dissemination out of order": ("SECRET//NOFORN/ORCON", "in the order RSEN, ORCON"),
    "repeated control": ("SECRET//NOFORN/NOFORN", "each once"),
    "controls of other agencies out of order": ("UNCLASSIFIED//SSI/LES", "in the order LIMDIS"),
    "FGI out of order": ("SECRET//FGI JPN GBR", "countries first, then organisations"),
    "FGI with an organisation before a country": ("SECRET//FGI NATO GBR", "countries first, then organisations"),
    # contradictions
    "NOFORN against REL TO": (
        "SECRET//NOFORN/REL TO USA, GBR",
        "NOFORN and REL TO contradict each other; write the one",
    ),
    "the same in two groups": (
        "SECRET//NOFORN//REL TO USA, GBR",
        "NOFORN and REL TO contradict each other; write the one",
    ),
    "the same the other way round": ("SECRET//REL TO USA, GBR//NOFORN", "NOFORN and REL TO contradict each other"),
    "the same in CUI": ("CUI//NOFORN/REL TO USA, GBR", "NOFORN and REL TO contradict each other"),
    "NOFORN against RELIDO": ("SECRET//NOFORN/RELIDO", "NOFORN and RELIDO contradict"),
    "NOFORN against DISPLAY ONLY": ("SECRET//NOFORN/DISPLAY ONLY AFG", "NOFORN and DISPLAY ONLY contradict"),
    "RELIDO against DISPLAY ONLY": ("SECRET//RELIDO/DISPLAY ONLY AFG", "RELIDO and DISPLAY ONLY contradict"),
    "ORCON against RELIDO": ("SECRET//ORCON/RELIDO", "RELIDO and ORCON contradict"),
    "ORCON twice in two forms": ("SECRET//ORCON/ORCON-USGOV", "ORCON and ORCON-USGOV contradict"),
    "EXDIS against NODIS": ("SECRET//NOFORN//EXDIS/NODIS", "EXDIS and NODIS contradict"),
    "NOFORN twice": ("UNCLASSIFIED//NOFORN//SBU NOFORN", "NOFORN and SBU NOFORN contradict"),
    "LES NOFORN against REL TO": ("UNCLASSIFIED//REL TO USA, GBR//LES NOFORN", "LES NOFORN and REL TO contradict"),
    "SBU twice": ("UNCLASSIFIED//SBU/SBU NOFORN", "SBU NOFORN and SBU contradict"),
    "FED ONLY against FEDCON": ("CUI//FED ONLY/FEDCON", "FEDCON and FED ONLY contradict"),
    "FEDCON against NOCON": ("CUI//FEDCON/NOCON", "FEDCON and NOCON contradict"),
    "RD beside FRD": ("SECRET//RD/FRD//NOFORN", "takes precedence"),
    "RD beside TFNI": ("SECRET//RD/TFNI//NOFORN", "takes precedence"),
    # lists
    "REL TO without a list": ("SECRET//REL TO", "followed by a list, such as REL TO USA, GBR"),
    "REL TO USA alone": ("SECRET//REL TO USA", "REL TO names USA first"),
    "REL TO without USA": ("SECRET//REL TO AUS, GBR", "REL TO names USA first"),
    "REL TO with USA later": ("SECRET//REL TO GBR, USA", "REL TO names USA first"),
    "REL TO with USA twice": ("SECRET//REL TO USA, USA", "names USA once"),
    "REL TO out of order": ("SECRET//REL TO USA, GBR, AUS", "countries first, then organisations"),
    "REL TO with a country twice": ("SECRET//REL TO USA, GBR, GBR", "each once"),
    "REL TO with an organisation before a country": ("SECRET//REL TO USA, FVEY, GBR", "countries first"),
    "REL TO with an unknown country": ("SECRET//REL TO USA, XYZ", "three capital letters (ISO 3166-1)"),
    "REL TO with two letters": ("SECRET//REL TO USA, GB", "three capital letters"),
    "REL TO with an unknown organisation": ("SECRET//REL TO USA, ABCD", "organisations ACGU, FVEY, ISAF, NATO, TEYE"),
    "REL TO without the space": ("SECRET//REL TO USA,GBR", "REL TO names USA first"),
    "REL TO with and": ("SECRET//REL TO USA, AUS AND GBR", "three capital letters"),
    "DISPLAY ONLY without a list": ("SECRET//DISPLAY ONLY", "followed by a list, such as DISPLAY ONLY GBR"),
    "DISPLAY ONLY with USA": ("SECRET//DISPLAY ONLY AFG, USA", "names USA not at all"),
    # what a control needs
    "HCS without NOFORN": ("TOP SECRET//HCS", "HCS needs NOFORN"),
    "HCS-P without NOFORN": ("TOP SECRET//HCS-P", "HCS-P needs NOFORN"),
    "HCS-O without ORCON": ("SECRET//HCS-O//NOFORN", "HCS-O needs NOFORN and ORCON"),
    "HCS-P sub-compartment with ORCON-USGOV": ("TOP SECRET//HCS-P JJJ//ORCON-USGOV/NOFORN", "needs NOFORN and ORCON"),
    "HCS-P sub-compartment below TOP SECRET": ("SECRET//HCS-P JJJ//ORCON/NOFORN", "HCS-P stands with TOP SECRET"),
    "HCS-O with a sub-compartment": ("TOP SECRET//HCS-O XYZ//ORCON/NOFORN", "there can be nothing in it"),
    "HCS on CONFIDENTIAL": ("CONFIDENTIAL//HCS//NOFORN", "HCS stands with SECRET or higher"),
    "RSV without a compartment": ("SECRET//RSV", "RSV stands with a compartment"),
    "gamma below TOP SECRET": ("SECRET//SI-G//ORCON/NOFORN", "SI-G stands with TOP SECRET"),
    "gamma without ORCON": ("TOP SECRET//SI-G//NOFORN", "SI-G needs ORCON"),
    "gamma with ORCON-USGOV": ("TOP SECRET//SI-G//ORCON-USGOV", "SI-G needs ORCON"),
    "gamma sub-compartment of five letters": ("TOP SECRET//SI-G ABCDE//ORCON", "not written like that"),
    "sub-compartment that is no word": ("TOP SECRET//SI-G AB_D//ORCON", "not written like that"),
    "compartment of SI of one letter": ("TOP SECRET//SI-Z//NOFORN", "SI has no such compartment"),
    "compartment of SI below TOP SECRET": ("SECRET//SI-ABC//NOFORN", "SI stands with TOP SECRET"),
    "empty compartment": ("TOP SECRET//SI-//NOFORN", "a compartment of SI has a name"),
    "space for a hyphen": ("TOP SECRET//SI GAMMA//NOFORN", "group 2 is of no kind"),
    "TK on CONFIDENTIAL": ("CONFIDENTIAL//TK", "TK stands with SECRET or higher"),
    "TK-BLFH below TOP SECRET": ("SECRET//TK-BLFH//NOFORN", "TK-BLFH stands with TOP SECRET"),
    "TK-IDIT without NOFORN": ("SECRET//TK-IDIT", "TK-IDIT needs NOFORN"),
    "unpublished control system": ("TOP SECRET//ANB//NOFORN", "group 2 is of no kind"),
    "retired control system": ("TOP SECRET//KDK//NOFORN", "group 2 is of no kind"),
    "unpublished control system beside a published one": ("TOP SECRET//SI/XNB//NOFORN", "HCS, RSV, SI, TK are known"),
    "SCI on UNCLASSIFIED": ("UNCLASSIFIED//SI", "SI stands with CONFIDENTIAL or higher"),
    "SCI on CUI": ("CUI//SI", "limited dissemination controls alone"),
    "SAP on UNCLASSIFIED": ("UNCLASSIFIED//SAR-BP", "stand with CONFIDENTIAL or higher"),
    "SAR for each program": ("SECRET//SAR-BP/SAR-CA", "SAR- stands once"),
    "a program without a name": ("SECRET//SAR-", "a name of capitals or digits"),
    "a program with an odd name": ("SECRET//SAR-B_P", "a name of capitals or digits"),
    "WAIVED without a program": ("SECRET//WAIVED", "WAIVED stands with special access programs"),
    "RD on UNCLASSIFIED": ("UNCLASSIFIED//RD", "RD stands with CONFIDENTIAL or higher"),
    "CNWDI on CONFIDENTIAL": ("CONFIDENTIAL//RD-CNWDI", "CNWDI and SIGMA stand with SECRET or higher"),
    "CNWDI with FRD": ("SECRET//FRD-CNWDI", "write RD, RD-CNWDI"),
    "CNWDI alone": ("SECRET//CNWDI", "group 2 is of no kind"),
    "SIGMA without a number": ("SECRET//RD-SIGMA", "SIGMA with numbers"),
    "SIGMA out of order": ("SECRET//RD-SIGMA 20 18", "numbers of SIGMA ascend"),
    "SIGMA of three digits": ("SECRET//RD-SIGMA 100", "SIGMA with numbers"),
    "UCNI on SECRET": ("SECRET//DOD UCNI", "DOD UCNI stands with UNCLASSIFIED"),
    "RSEN on CONFIDENTIAL": ("CONFIDENTIAL//RSEN", "RSEN stands with SECRET or higher"),
    "IMCON on CONFIDENTIAL": ("CONFIDENTIAL//IMCON", "IMCON stands with SECRET or higher"),
    "ORCON on UNCLASSIFIED": ("UNCLASSIFIED//ORCON", "ORCON stands with CONFIDENTIAL or higher"),
    "LIMDIS on SECRET": ("SECRET//NOFORN//LIMDIS", "LIMDIS stands with UNCLASSIFIED alone"),
    "SBU on SECRET": ("SECRET//SBU", "SBU stands with UNCLASSIFIED alone"),
    "EXDIS without NOFORN": ("SECRET//EXDIS", "EXDIS needs NOFORN"),
    "NODIS with REL TO": ("SECRET//REL TO USA, GBR//NODIS", "NODIS needs NOFORN"),
    # of others
    "// before a level of the United States": ("//SECRET", "has no // before it"),
    "USA as a foreign country": ("//USA SECRET", "has no // before it"),
    "unknown country": ("//XYZ SECRET", "three capital letters"),
    "an organisation that is not NATO": ("//FVEY SECRET", "after // write countries"),
    "a level before the country": ("//SECRET GBR", "after // write countries"),
    "NATO TOP SECRET": ("//NATO TOP SECRET", "write //COSMIC TOP SECRET"),
    "an activity of the council": ("//NATO ISAF SECRET", "write //COSMIC TOP SECRET"),
    "UN RESTRICTED": ("//UN RESTRICTED", "three capital letters"),
    "BOHEMIA below TOP SECRET": ("//NATO SECRET//BOHEMIA", "BOHEMIA stands with TOP SECRET"),
    "ATOMAL on UNCLASSIFIED": ("//NATO UNCLASSIFIED//ATOMAL", "ATOMAL stands with CONFIDENTIAL or higher"),
    "ATOMAL without NATO": ("SECRET//ATOMAL//FGI GBR", "with FGI NATO"),
    "the older form of BOHEMIA": ("//COSMIC TOP SECRET BOHEMIA", "after // write countries"),
    "SCI after a foreign classification": ("//GBR SECRET//SI", "after a classification of others stand"),
    "NOFORN after a foreign classification": ("//GBR SECRET//NOFORN", "after a classification of others stand"),
    "FGI of USA": ("SECRET//FGI USA", "is not of USA"),
    "FGI twice": ("SECRET//FGI/FGI GBR", "one word FGI"),
    "JOINT without REL TO": ("//JOINT SECRET GBR USA", "JOINT needs REL TO with all its owners"),
    "JOINT released to fewer than its owners": (
        "//JOINT SECRET CAN GBR USA//REL TO USA, GBR",
        "JOINT needs REL TO with all its owners",
    ),
    "JOINT with NOFORN": ("//JOINT SECRET GBR USA//NOFORN", "JOINT needs REL TO"),
    "JOINT with USA first": ("//JOINT SECRET USA GBR//REL TO USA, GBR", "countries first"),
    "JOINT without USA": ("//JOINT SECRET CAN GBR//REL TO USA, CAN, GBR", "owners of a joint classification are USA"),
    "JOINT of USA alone": ("//JOINT SECRET USA//REL TO USA, GBR", "owners of a joint classification are USA"),
    "JOINT RESTRICTED": ("//JOINT RESTRICTED GBR USA//REL TO USA, GBR", "//JOINT is followed by"),
    "JOINT with HCS": ("//JOINT SECRET GBR USA//HCS-P//REL TO USA, GBR", "HCS-P needs NOFORN"),
    "JOINT with CUI": ("//JOINT SECRET GBR USA//CUI//REL TO USA, GBR", "CUI does not stand with JOINT"),
    # CUI
    "unknown category": ("CUI//SP-NOPE", "categories of the CUI Registry"),
    "a specified category without SP": ("CUI//CTI", "CTI is a specified category; write SP-CTI"),
    "a basic category with SP": ("CUI//SP-LEI", "LEI is a basic category; write it without SP-"),
    "basic before specified": ("CUI//PRVCY/SP-CTI", "specified categories stand first"),
    "categories out of order": ("CUI//SP-PRVCY/SP-CTI", "alphabetical order"),
    "dissemination of CUI out of order": ("CUI//NOFORN/FEDCON", "alphabetical order"),
    "categories after dissemination": ("CUI//NOFORN//SP-PRVCY", "comes too late"),
    "the community's control on CUI": ("CUI//ORCON", "limited dissemination controls of CUI are"),
    "other agencies on CUI": ("CUI//LES", "limited dissemination controls alone"),
    "FGI on CUI": ("CUI//FGI GBR", "limited dissemination controls alone"),
    "CUI's control on SECRET without CUI": ("SECRET//FEDCON", "stand with CUI"),
    "CUI's controls before the community's": ("SECRET//CUI//FEDCON/NOFORN", "in the order RSEN"),
    "a category on SECRET without CUI": ("SECRET//SP-PRVCY", "group 2 is of no kind"),
    "CONTROLLED beside a classification": ("SECRET//CONTROLLED", "CUI stands once"),
    "CUI beside UNCLASSIFIED": ("UNCLASSIFIED//CUI", "CUI stands alone, or after CONFIDENTIAL or higher"),
    "AC without legal privilege": ("CUI//PRVCY//AC", "AC and AWP stand with the category PRIVILEGE"),
    "a supplemental administrative marking": ("CUI//DELIBERATIVE", "group 2 is of no kind"),
    # what stands in portion marks, and what is retired
    "portion mark of NOFORN": ("SECRET//NF", "NOT RELEASABLE TO FOREIGN NATIONALS or its abbreviation"),
    "portion mark of ORCON": ("SECRET//OC/NF", "ORIGINATOR CONTROLLED or its abbreviation"),
    "REL": ("SECRET//REL", "group 2 is of no kind"),
    "FOUO": ("UNCLASSIFIED//FOUO", "FOUO was replaced by CUI"),
    "FOUO spelled out": ("UNCLASSIFIED//FOR OFFICIAL USE ONLY", "FOUO was replaced by CUI"),
    "EYES ONLY": ("SECRET//USA/CAN/GBR EYES ONLY", "group 2 is of no kind"),
    "HVSACO, a handling instruction": ("SECRET//HVSACO", "group 2 is of no kind"),
    "ACCM, of DoD alone": ("SECRET//ACCM-FICTITIOUS EFFORT", "group 2 is of no kind"),
}


@pytest.mark.parametrize("banner", UNDERSTOOD)
def test_a_banner_is_understood(banner: str) -> None:
    """The banner yields its level, its controls with what they include, whom it is released to; it prints itself."""
    level, controls, release_to, why = UNDERSTOOD[banner]
    marking = parse(banner)
    assert marking is not None, explain(banner)
    assert facts(marking) == {"level": level, "controls": controls, "release_to": release_to}, why
    assert write(marking) == banner
    assert explain(banner) == ""


@pytest.mark.parametrize("banner", SPELLINGS)
def test_what_is_spelled_out_is_the_same(banner: str) -> None:
    """A title and its abbreviation are one marking, printed with the abbreviation."""
    marking = parse(banner)
    assert marking == parse(SPELLINGS[banner])
    assert marking is not None
    assert write(marking) == SPELLINGS[banner]


@pytest.mark.parametrize("why", NOT_UNDERSTOOD)
def test_a_banner_with_one_defect_is_not_understood(why: str) -> None:
    """One defect is enough; what is said of it names what is wrong or what is accepted."""
    banner, said = NOT_UNDERSTOOD[why]
    assert parse(banner) is None
    assert said in explain(banner)
