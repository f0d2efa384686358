"""Banner lines: the markings that say who may see a document. This package imports nothing else of the gateway.

It understands these forms, with categories in this order, in capitals, spelled out or abbreviated as in the Register:

    UNCLASSIFIED [// AEA] [// FGI] [// dissemination] [// of other agencies]
    CUI [// categories] [// dissemination]                                          CONTROLLED is the same word
    CONFIDENTIAL | SECRET | TOP SECRET
        [// SCI] [// SAP] [// AEA] [// NATO] [// FGI] [// CUI [// categories]] [// dissemination] [// of other agencies]
    //JOINT level owners, the same groups                     //GBR SECRET, //NATO SECRET [// NATO] [// dissemination]

It does not understand lower case, portion marks, FOUO and other retired words, unknown or repeated words, words out of
order, or words that contradict each other. A line that is not understood never counts as a lower marking: the policy
refuses it.

Sources: the IC Markings System Register and Manual (ODNI, 2016, the successor of CAPCO's) for the grammar and all
tables except CUI's. NARA's CUI marking handbook (1.1, 2016) and 32 CFR 2002.20 for CUI, alone and beside classified
information. Each module says which facts were read in the source itself ("first hand"), in another text that cites it
("second hand"), and which are general knowledge. DoDM 5200.01 vol. 2 was read second hand: of its own rules, only those
that a module mentions are known.

    fault            MarkingError                    compartments     SCI, SAP
    words            words of dissemination          nuclear          AEA
    countries        lists                           foreign          FGI, NATO, JOINT
    dissemination                                    cui
    value            Marking, write                  banner           read
    together         valid combinations              lattice          dominance, the highest
    portions         portion marks                   content          both, in a text
"""

from __future__ import annotations

from gateway.marking.banner import parse, read
from gateway.marking.content import borne, marks, said
from gateway.marking.fault import MarkingError
from gateway.marking.lattice import controls, dominates, highest, release_to
from gateway.marking.portions import portion
from gateway.marking.value import Marking, write

__all__ = ["Marking", "borne", "dominates", "explain", "facts", "highest", "marks", "parse", "portion", "said", "write"]


def explain(text: str) -> str:
    """What is wrong with a banner line and what would be accepted; empty if it is valid. Quotes none of it."""
    try:
        read(text)
    except MarkingError as error:
        return str(error)
    return ""


def facts(marking: Marking) -> dict[str, int | list[str] | None]:
    """The marking as rules see it in the input."""
    return {"level": marking.level, "controls": [*controls(marking)], "release_to": release_to(marking)}
