"""Properties of markings: one spelling, no order but one, nothing raises, and dominance with its join."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.marking import borne, dominates, explain, facts, highest, marks, parse, portion, write
from gateway.marking.value import LONGEST, Marking
from tests.support.markings import FEW, banners, markings, mutations, understood

WORDS = (
    "// / - , ( ) \x00 SECRET TOP CUI SI G TK HCS SAR- RD SIGMA 14 FGI NATO JOINT NOFORN ORCON REL TO DISPLAY ONLY USA "
    "GBR FVEY SP- PRVCY CTI FEDCON LES SBU S NF OC é İ ß"
)
PIECES = st.sampled_from(
    [*WORDS.split(" "), " ", ", ", "TOP SECRET", "REL TO USA, ", "UNCLASSIFIED", "//COSMIC TOP SECRET"]
)
NOISE = st.text() | st.lists(PIECES, max_size=20).map("".join)


@given(banners())
def test_a_valid_banner_prints_itself(banner: str) -> None:
    """Every banner of the grammar is understood, and printed as it was written: nothing in it was skipped."""
    marking = parse(banner)
    assert marking is not None, explain(banner)
    assert write(marking) == banner


@given(banners(), st.sampled_from(["", "> ", "**", " | "]), st.sampled_from(["", "\r", " **"]))
def test_a_banner_on_a_line_of_its_own_is_found(banner: str, before: str, after: str) -> None:
    """Whatever banner stands by itself on a line, in a quotation or in bold too, is what the text bears."""
    said = parse(banner)
    assert [*borne(f"As agreed:\n{before}{banner}{after}\nMore.")] == ([] if banner == "UNCLASSIFIED" else [said])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(S//NF) The convoy leaves.", ["SECRET//NOFORN"]),
        ("1. (TS//SI//NF) First.\n   (U) Second.", ["TOP SECRET//SI//NOFORN"]),
        ("SECRET//SAUCE", ["SECRET"]),
        ("(S//SAUCE) The convoy leaves.", ["SECRET"]),
        ("CONTROLLED//NOFORN", ["CUI//NOFORN"]),
        ("The SECRET//NOFORN line stands above.", []),
        ("CONFIDENTIAL INFORMATION", []),
        ("(SECRET) The convoy leaves.\n(TOP SECRET)\nMore.", ["SECRET", "TOP SECRET"]),
        ("(SECRET//SAUCE) The convoy leaves.", ["SECRET"]),
        ("confidential // do not share\nsecret//data/path\n(s//he) writes\n(c//d) and\n(secret) love", []),
        ("(C) 2026 Acme\n(c) third\n(U) fine\n//TODO\nsecret\nUNCLASSIFIED", []),
    ],
)
def test_marks_in_a_text_are_told_from_words(text: str, found: list[str]) -> None:
    """A mark counts where it stands as one, a garbled one by its level; what only looks like one does not."""
    assert [write(marking) for marking in borne(text)] == found


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\f", "\v", "\n\f", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_as_on_any_system(end: str) -> None:
    """A mark at the beginning of a line or of a page is found, whatever parts it from what stands before it."""
    text = f"Plan{end}SECRET//NOFORN{end}More.{end}(TS//SI//NF) Of it.{end}"
    assert [*map(write, borne(text))] == ["SECRET//NOFORN", "TOP SECRET//SI//NOFORN"]


@pytest.mark.parametrize(
    "line",
    [
        "SECRET // NOFORN",
        "SECRET //NOFORN ",
        "`SECRET//NOFORN`",
        "- SECRET//NOFORN -",
        "___SECRET//NOFORN___",
        "- (S//NF) The convoy leaves.",
        "\u2022 (S//NF) The convoy leaves.",
        "(1) (S//NF) The convoy leaves.",
        "A. (S//NF) The convoy leaves.",
        "1.a. (S//NF) The convoy leaves.",
        "3.2 (S//NF) The convoy leaves.",
        "(iv) (S//NF) The convoy leaves.",
        "( S // NF ) The convoy leaves.",
        "(S//NF): The convoy leaves.",
        "(S//NF)\nThe convoy leaves.",
        "(S//NF)The convoy leaves.",
        "secret//noforn",
        "Secret // Noforn",
        "(s//nf) The convoy leaves.",
        "(SECRET//NOFORN) The convoy leaves.",
        "(secret//noforn) The convoy leaves.",
        "\u0405ECR\u0415T//N\u041eFORN",
        "(\u0405//NF) The convoy leaves.",
    ],
)
def test_no_way_to_set_a_mark_hides_it(line: str) -> None:
    """A mark with its strokes counts in lists, under any number, in code, and with blanks beside its strokes."""
    assert [*map(write, borne(line))] == ["SECRET//NOFORN"]


@pytest.mark.parametrize("line", ["\n(S//NF) a", "\n(S//-) ", "\nSECRET//-", "\n//GBR SECRET"])
def test_what_is_written_alike_is_read_once(line: str) -> None:
    """A mark that stands in a text a thousand times is read as often as one that stands there once."""
    once, often = ([*borne(line * times)] for times in (1, 1000))
    assert once == often
    assert len(marks(line * 1000)) == 1


@given(st.text() | st.lists(st.sampled_from(["\n", "(", ")", " "]) | PIECES, max_size=40).map("".join))
def test_any_text_may_be_searched_for_marks(text: str) -> None:
    """Nothing raises, and what is found is a marking that can be written."""
    assert all(parse(write(marking)) == marking for marking in borne(text))


@given(banners())
def test_no_order_but_one_is_understood(banner: str) -> None:
    """Two neighbours changed about, or anything said twice, is refused: groups, words of one, countries of one."""
    for mutation in mutations(banner):
        assert mutation == banner or parse(mutation) is None, mutation


@given(NOISE)
def test_any_text_is_understood_or_explained(text: str) -> None:
    """No text raises; a text is understood and prints what is understood alike, or something is said against it."""
    marking = parse(text)
    assert (marking is None) == bool(explain(text))
    assert marking is None or parse(write(marking)) == marking


@given(st.lists(PIECES, max_size=12).map("".join), markings())
def test_any_portion_mark_is_understood_or_not(text: str, document: Marking) -> None:
    """No text raises as a portion mark, in a document or without."""
    for mark in (text, f"({text})"):
        for whole in (None, document):
            found = portion(mark, whole)
            assert found is None or parse(write(found)) == found


@given(st.text(alphabet="qzjx", min_size=3))
def test_what_is_said_repeats_nothing(secret: str) -> None:
    """An explanation names words of the Register alone, so that it can be told to anybody."""
    for text in (secret, secret.upper(), f"SECRET//{secret.upper()}", f"SECRET//NOFORN/{secret.upper()}X"):
        assert secret not in explain(text)
        assert secret.upper() not in explain(text)


def calls(work: Callable[[], object]) -> int:
    """How many calls the work makes: the same on any machine."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("piece", ["/", "//", "//SI", "/NOFORN", ", GBR", "-A", " A", "//CUI", "(", "FGI "])
def test_long_text_takes_linear_time(piece: str) -> None:
    """Twice the text is at most a little more than twice the work, and a text over the limit is not read."""
    for start in ("", "SECRET//", "SECRET//SAR-", "SECRET//REL TO USA", "//JOINT SECRET "):
        short, long = (start + piece * (size // len(piece)) for size in (400, 800))
        once, twice = (calls(lambda text=text: explain(text)) for text in (short, long))
        assert twice <= 2.2 * once + 100
        assert calls(lambda text=start + piece * LONGEST: explain(text)) < 40


# --- dominance ----------------------------------------------------------------------------------------------------


@given(markings())
def test_a_marking_dominates_itself(marking: Marking) -> None:
    """Dominance is reflexive."""
    assert dominates(marking, marking)


@given(markings(), markings())
def test_two_that_dominate_each_other_are_the_same_to_the_policy(one: Marking, other: Marking) -> None:
    """Dominance is antisymmetric in what the policy sees."""
    same = {k: sorted(v) if isinstance(v, list) else v for k, v in facts(one).items()} == {
        k: sorted(v) if isinstance(v, list) else v for k, v in facts(other).items()
    }
    assert (dominates(one, other) and dominates(other, one)) == same


@given(markings(), markings(), markings())
def test_dominance_goes_on(one: Marking, two: Marking, three: Marking) -> None:
    """Dominance is transitive."""
    assert not (dominates(one, two) and dominates(two, three)) or dominates(one, three)


def test_dominance_goes_on_through_all_of_a_few() -> None:
    """Transitivity, and that a marking is above something and below something, on every triple of the few."""
    few = [understood(banner) for banner in FEW]
    above = {(a, b) for a in few for b in few if dominates(a, b)}
    assert all((a, c) in above for a, b in above for b_, c in above if b == b_)
    assert all((few[-1], b) in above or b.level < 4 for b in few if not b.programs and "FGI" not in write(b))
    assert all((a, few[0]) in above for a in few)


@given(st.lists(markings(), max_size=4), st.lists(markings(), max_size=3))
def test_the_highest_is_the_join(given_: list[Marking], others: list[Marking]) -> None:
    """The highest dominates all of them, is dominated by whatever does, and does not depend on their order."""
    top = highest(given_)
    bounds = [other for other in [*others, *map(understood, FEW)] if all(dominates(other, m) for m in given_)]
    if top is None:
        return
    assert all(dominates(top, marking) for marking in given_)
    assert all(dominates(bound, top) for bound in bounds)
    assert highest(reversed(given_)) == top == highest([*given_, *given_])
    assert any(m.cui is not None for m in given_) == (top.cui is not None)
    assert parse(write(top)) == top


@given(st.lists(markings(), min_size=1, max_size=4))
def test_what_has_no_banner_is_unclassified(given_: list[Marking]) -> None:
    """Only CUI beside controls that CUI has no place for has no highest marking."""
    if highest(given_) is None:
        assert max(marking.level for marking in given_) == 1
        assert any(marking.level == 0 for marking in given_)


@given(markings())
def test_one_marking_is_its_own_highest(marking: Marking) -> None:
    """What is made of one marking has it, as it was written; what is unclassified beside it changes nothing."""
    assert highest([marking]) == marking
    assert highest([marking, understood("UNCLASSIFIED")]) == marking


ROLL_UP = {
    # [R] D.2, table 3, by rule number
    1: (("SECRET//NOFORN", "SECRET"), "SECRET//NOFORN"),
    2: (("SECRET//NOFORN", "SECRET//REL TO USA, GBR"), "SECRET//NOFORN"),
    3: (("UNCLASSIFIED//NOFORN", "UNCLASSIFIED//SBU NOFORN"), "UNCLASSIFIED//NOFORN//SBU"),
    4: (("SECRET", "UNCLASSIFIED//SBU NOFORN"), "SECRET//NOFORN"),
    7: (("SECRET", "UNCLASSIFIED//LES NOFORN"), "SECRET//NOFORN//LES"),
    9: (("SECRET//REL TO USA, GBR", "SECRET//REL TO USA, JPN"), "SECRET//NOFORN"),
    10: (("SECRET//REL TO USA, GBR", "SECRET//RELIDO"), "SECRET//NOFORN"),
    11: (("SECRET//REL TO USA, GBR", "SECRET//DISPLAY ONLY AFG"), "SECRET//NOFORN"),
    12: (("SECRET//REL TO USA, GBR/RELIDO", "SECRET"), "SECRET//NOFORN"),
    14: (("SECRET//REL TO USA, GBR", "UNCLASSIFIED//SBU NOFORN"), "SECRET//NOFORN"),
    16: (("SECRET//REL TO USA, GBR", "SECRET"), "SECRET//NOFORN"),
    17: (("SECRET//RELIDO", "SECRET"), "SECRET//NOFORN"),
    18: (("SECRET//RELIDO", "SECRET//DISPLAY ONLY AFG"), "SECRET//NOFORN"),
    19: (("SECRET//DISPLAY ONLY AFG", "SECRET"), "SECRET//NOFORN"),
    20: (("SECRET//DISPLAY ONLY AFG", "SECRET//DISPLAY ONLY IRQ"), "SECRET//NOFORN"),
    21: (("SECRET//REL TO USA, GBR, JPN", "SECRET//REL TO USA, AUS, GBR"), "SECRET//REL TO USA, GBR"),
    23: (("SECRET//REL TO USA, FVEY", "SECRET//REL TO USA, GBR, JPN"), "SECRET//REL TO USA, GBR"),
    24: (("SECRET//RELIDO", "CONFIDENTIAL//RELIDO"), "SECRET//RELIDO"),
    25: (("SECRET//DISPLAY ONLY AFG, IRQ", "SECRET//DISPLAY ONLY AFG, PAK"), "SECRET//DISPLAY ONLY AFG"),
    26: (("SECRET//DISPLAY ONLY AFG, GBR", "SECRET//REL TO USA, GBR, JPN"), "SECRET//DISPLAY ONLY GBR"),
    27: (
        ("SECRET//REL TO USA, GBR/DISPLAY ONLY AFG", "SECRET//REL TO USA, GBR, JPN/DISPLAY ONLY AFG, IRQ"),
        "SECRET//REL TO USA, GBR/DISPLAY ONLY AFG",
    ),
    # [R] H, precedence rules
    "unclassified is neutral": (("UNCLASSIFIED", "SECRET//REL TO USA, GBR"), "SECRET//REL TO USA, GBR"),
    "ORCON over ORCON-USGOV": (("SECRET//ORCON", "SECRET//ORCON-USGOV"), "SECRET//ORCON"),
    "NODIS over EXDIS": (("SECRET//NOFORN//NODIS", "TOP SECRET//NOFORN//EXDIS"), "TOP SECRET//NOFORN//NODIS"),
    "RD over FRD, with all numbers": (
        ("SECRET//RD-SIGMA 20//NOFORN", "SECRET//FRD-SIGMA 14//NOFORN"),
        "SECRET//RD-SIGMA 14 20//NOFORN",
    ),
    "every compartment": (
        ("TOP SECRET//SI-G ABCD//ORCON/NOFORN", "TOP SECRET//SI-G EFGH/TK//ORCON/NOFORN"),
        "TOP SECRET//SI-G ABCD EFGH/TK//ORCON/NOFORN",
    ),
    "every program": (("SECRET//SAR-CA//NOFORN", "SECRET//SAR-BP-1//NOFORN"), "SECRET//SAR-BP-1/CA//NOFORN"),
    "a concealed source conceals the others": (
        ("SECRET//FGI//NOFORN", "SECRET//FGI GBR//NOFORN"),
        "SECRET//FGI//NOFORN",
    ),
    "foreign sources become FGI": (
        ("//GBR SECRET//REL TO USA, GBR", "CONFIDENTIAL//REL TO USA, GBR"),
        "SECRET//FGI GBR//REL TO USA, GBR",
    ),
    "joint becomes FGI": (
        ("//JOINT SECRET CAN GBR USA//REL TO USA, CAN, GBR", "TOP SECRET//REL TO USA, FVEY"),
        "TOP SECRET//FGI CAN GBR//REL TO USA, CAN, GBR",
    ),
    "SBU, LIMDIS and UCNI are protected": (
        ("UNCLASSIFIED//SBU", "UNCLASSIFIED//LIMDIS", "UNCLASSIFIED//DOD UCNI", "SECRET"),
        "SECRET",
    ),
    # [H] 35 to 39
    "CUI is named beside what is classified": (("CUI", "SECRET"), "SECRET//CUI"),
    "with its categories and controls": (
        ("CUI//SP-CTI//FEDCON", "CUI//PRVCY//NOCON", "SECRET//NOFORN"),
        "SECRET//CUI//SP-CTI/PRVCY//NOFORN/FED ONLY",
    ),
    "CUI with all that is CUI": (("CUI//SP-CTI//NOFORN", "CUI//LEI//DL ONLY"), "CUI//SP-CTI/LEI//DL ONLY/NOFORN"),
    "CUI has no place for FISA": (("CUI", "UNCLASSIFIED//FISA"), None),
    "but what is classified has": (("CUI", "UNCLASSIFIED//FISA", "CONFIDENTIAL"), "CONFIDENTIAL//CUI//FISA"),
}


@pytest.mark.parametrize("rule", ROLL_UP)
def test_the_highest_is_the_banners_roll_up(rule: int | str) -> None:
    """The highest of several markings is the banner line that the manual and the handbook make of them."""
    given_, expected = ROLL_UP[rule]
    top = highest(map(understood, given_))
    assert (top and write(top)) == expected


# --- portion marks ------------------------------------------------------------------------------------------------

PORTIONS = {
    "(U)": "UNCLASSIFIED",
    "(C)": "CONFIDENTIAL",
    "(S)": "SECRET",
    "(TS)": "TOP SECRET",
    "(CUI)": "CUI",
    "(S//NF)": "SECRET//NOFORN",
    "(TS//SI//NF)": "TOP SECRET//SI//NOFORN",
    "(TS//SI-G ABCD EFGH-XYZ//OC/NF)": "TOP SECRET//SI-G ABCD EFGH-XYZ//ORCON/NOFORN",
    "(TS//SI-G/TK//RS/OC/NF)": "TOP SECRET//SI-G/TK//RSEN/ORCON/NOFORN",
    "(S//HCS-P//OC-USGOV/NF)": "SECRET//HCS-P//ORCON-USGOV/NOFORN",
    "(TS//SAR-BP-123/CA-XYZ YYY//NF)": "TOP SECRET//SAR-BP-123/CA-XYZ YYY//NOFORN",
    "(TS//RD-CNWDI//NF)": "TOP SECRET//RD-CNWDI//NOFORN",
    "(S//FRD-SG 14 18//REL TO USA, ACGU)": "SECRET//FRD-SIGMA 14 18//REL TO USA, ACGU",
    "(U//DCNI)": "UNCLASSIFIED//DOD UCNI",
    "(U//UCNI)": "UNCLASSIFIED//DOE UCNI",
    "(S//FGI AUS GBR)": "SECRET//FGI AUS GBR",
    "(TS//FGI)": "TOP SECRET//FGI",
    "(//FGI S//NF)": "SECRET//FGI//NOFORN",
    "(//GBR S)": "//GBR SECRET",
    "(//CAN GBR R)": "//CAN GBR RESTRICTED",
    "(//DEU S//REL TO USA, DEU)": "//DEU SECRET//REL TO USA, DEU",
    "(//CTS//BOHEMIA)": "//COSMIC TOP SECRET//BOHEMIA",
    "(//NS//ATOMAL//OC)": "//NATO SECRET//ATOMAL//ORCON",
    "(//NR)": "//NATO RESTRICTED",
    "(//JOINT S AUS USA//REL TO USA, AUS)": "//JOINT SECRET AUS USA//REL TO USA, AUS",
    "(S//IMC/REL TO USA, AUS, CAN, GBR, NZL)": "SECRET//IMCON/REL TO USA, AUS, CAN, GBR, NZL",
    "(S//NF/PR)": "SECRET//NOFORN/PROPIN",
    "(U//DSEN)": "UNCLASSIFIED//DEA SENSITIVE",
    "(U//FISA)": "UNCLASSIFIED//FISA",
    "(C//DISPLAY ONLY AFG, IRQ)": "CONFIDENTIAL//DISPLAY ONLY AFG, IRQ",
    "(S//REL TO USA, DEU/RELIDO)": "SECRET//REL TO USA, DEU/RELIDO",
    "(U//DS)": "UNCLASSIFIED//LIMDIS",
    "(S//NF//XD)": "SECRET//NOFORN//EXDIS",
    "(S//NF//ND)": "SECRET//NOFORN//NODIS",
    "(U//SBU)": "UNCLASSIFIED//SBU",
    "(U//SBU-NF)": "UNCLASSIFIED//SBU NOFORN",
    "(U//LES-NF)": "UNCLASSIFIED//LES NOFORN",
    "(U//SSI)": "UNCLASSIFIED//SSI",
    "(CUI//SP-CTI)": "CUI//SP-CTI",
    "(CUI//UCNI)": "CUI//UCNI",
    "(CUI//SP-CTI/PRVCY//FED ONLY/NF)": "CUI//SP-CTI/PRVCY//FED ONLY/NOFORN",
    "(CUI//PRIVILEGE//AC)": "CUI//PRIVILEGE//AC",
    "(S//CUI//SP-CTI//NF)": "SECRET//CUI//SP-CTI//NOFORN",
}

NO_PORTIONS = {
    "no parentheses": "S//NF",
    "half of them": "(S//NF",
    "two pairs": "((S//NF))",
    "nothing": "()",
    "lower case": "(s//nf)",
    "a banner's level": "(SECRET//NF)",
    "a banner's control": "(S//NOFORN)",
    "a banner's hyphenless NOFORN": "(U//SBU NOFORN)",
    "a banner's nuclear information": "(U//DOD UCNI)",
    "the banner's CUI": "(CONTROLLED)",
    "out of order": "(S//NF/OC)",
    "contradicting": "(S//NF/REL TO USA, GBR)",
    "FOUO": "(U//FOUO)",
    "unknown": "(S//XX)",
    "REL without its document": "(S//REL)",
    "a foreign level that is none": "(//GBR X)",
    "a joint one without a level": "(//JOINT )",
    "empty groups": "(S////NF)",
    "text after it": "(S//NF) The body.",
    "too long": f"({'S' * 2000})",
}


@pytest.mark.parametrize("mark", PORTIONS)
def test_a_portion_mark_says_what_its_banner_says(mark: str) -> None:
    """A portion mark states the marking of the banner line with the same words in full."""
    assert portion(mark) == understood(PORTIONS[mark])


@pytest.mark.parametrize("why", NO_PORTIONS)
def test_what_is_no_portion_mark_is_not_understood(why: str) -> None:
    """One defect is enough."""
    assert portion(NO_PORTIONS[why]) is None


def test_rel_stands_for_the_documents_list() -> None:
    """REL is the list of the document's banner, and nothing where that has none."""
    document = understood("TOP SECRET//SI//REL TO USA, AUS, GBR")
    assert portion("(S//REL)", document) == understood("SECRET//REL TO USA, AUS, GBR")
    assert portion("(//JOINT S AUS USA//REL)", document) == understood("//JOINT SECRET AUS USA//REL TO USA, AUS, GBR")
    assert portion("(S//REL)", understood("SECRET//NOFORN")) is None
