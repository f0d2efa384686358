"""The words for dissemination controls of the intelligence community, of other agencies, and of CUI, in order.

The first two tables were read first hand in the IC Markings System Register and Manual (2016), G, H.8 and H.9. CUI's
are those of the CUI Registry as NIEM 6.0's CUI code lists give them [second hand]. WAIVED, for special access programs
that are not reported to Congress, is from DoDM 5200.01 vol. 2 encl. 4 [second hand]. Retired words (FOUO, EYES ONLY)
are not known.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Word(NamedTuple):
    """A control: its long and short forms in a banner, its portion mark, and its lowest and highest level."""

    short: str
    title: str
    portion: str
    lowest: int = 0
    highest: int = 4


COMMUNITY: Final = (
    Word("RSEN", "RISK SENSITIVE", "RS", 3),
    Word("ORCON", "ORIGINATOR CONTROLLED", "OC", 2),
    Word("ORCON-USGOV", "ORIGINATOR CONTROLLED-USGOV", "OC-USGOV", 2),
    Word("IMCON", "CONTROLLED IMAGERY", "IMC", 3),
    Word("NOFORN", "NOT RELEASABLE TO FOREIGN NATIONALS", "NF"),
    Word("PROPIN", "CAUTION-PROPRIETARY INFORMATION INVOLVED", "PR"),
    Word("REL TO", "AUTHORIZED FOR RELEASE TO", "REL TO"),
    Word("RELIDO", "RELEASABLE BY INFORMATION DISCLOSURE OFFICIAL", "RELIDO"),
    Word("DEA SENSITIVE", "DEA SENSITIVE", "DSEN"),
    Word("FISA", "FOREIGN INTELLIGENCE SURVEILLANCE ACT", "FISA"),
    Word("DISPLAY ONLY", "DISPLAY ONLY", "DISPLAY ONLY"),
    Word("WAIVED", "WAIVED", "WAIVED", 2),
)
OTHERS: Final = (
    Word("LIMDIS", "LIMITED DISTRIBUTION", "DS", 0, 0),
    Word("EXDIS", "EXCLUSIVE DISTRIBUTION", "XD"),
    Word("NODIS", "NO DISTRIBUTION", "ND"),
    Word("SBU", "SENSITIVE BUT UNCLASSIFIED", "SBU", 0, 0),
    Word("SBU NOFORN", "SENSITIVE BUT UNCLASSIFIED NOFORN", "SBU-NF", 0, 0),
    Word("LES", "LAW ENFORCEMENT SENSITIVE", "LES"),
    Word("LES NOFORN", "LAW ENFORCEMENT SENSITIVE NOFORN", "LES-NF"),
    Word("SSI", "SENSITIVE SECURITY INFORMATION", "SSI"),
)
LIMITED: Final = (
    Word("AC", "ATTORNEY-CLIENT", "AC"),
    Word("AWP", "ATTORNEY-WP", "AWP"),
    Word("DL ONLY", "DL ONLY", "DL ONLY"),
    Word("FED ONLY", "FED ONLY", "FED ONLY"),
    Word("FEDCON", "FEDCON", "FEDCON"),
    Word("NOCON", "NOCON", "NOCON"),
)
"""CUI's, beside NOFORN, REL TO, RELIDO and DISPLAY ONLY."""
