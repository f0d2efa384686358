"""Markings for tests.

banners()     # a hypothesis strategy: valid banner lines, made from the grammar's parts and not by the parser
markings()    # markings from a small vocabulary, so that many of them dominate each other
mutations(b)  # the banner with two neighbours swapped, or an element repeated
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import strategies as st

from gateway.marking import Marking, parse

LEVELS = ("UNCLASSIFIED", "CUI", "CONFIDENTIAL", "SECRET", "TOP SECRET")

# In order, each with its lowest level and whether it needs NOFORN and ORCON.
SCI = (
    (("HCS-P", 3, True, False), ("HCS-O-P 1A JJJ", 4, True, True)),
    (("RSV-123-ABC", 3, False, False),),
    (("SI", 2, False, False), ("SI-G", 4, False, True), ("SI-ABC XYZ-G ABCD EFGH", 4, False, True)),
    (("TK", 3, False, False), ("TK-BLFH", 4, True, False), ("TK-IDIT-KAND 42", 3, True, False)),
)
PROGRAMS = ("123", "BP", "BUTTER POPCORN-1-XYZ ABC DEF", "CA-XYZ YYY")
NUCLEAR = ("RD", "RD-CNWDI-SIGMA 14 18", "FRD", "FRD-SIGMA 1 99", "TFNI")
COUNTRIES = ("AUS", "CAN", "DEU", "GBR", "JPN")
ORGANISATIONS = ("FVEY", "NATO")
CATEGORIES = ("SP-CTI", "SP-PRVCY", "LEI", "PRVCY")
LIMITED = ("DL ONLY", "FED ONLY")


def subsets(words: tuple[str, ...], least: int = 0) -> st.SearchStrategy[list[str]]:
    """Some of the words, in their order."""
    return st.sets(st.sampled_from(words), min_size=least).map(lambda chosen: [w for w in words if w in chosen])


@st.composite
def lists(draw: st.DrawFn) -> str:
    """Countries, then organisations; at least one."""
    countries = draw(subsets(COUNTRIES))
    return ", ".join([*countries, *draw(subsets(ORGANISATIONS, 0 if countries else 1))])


@st.composite
def releases(draw: st.DrawFn) -> list[str]:
    """NOFORN, or the recipients of a release or display, or nothing."""
    given = [f"REL TO USA, {draw(lists())}"] if draw(st.booleans()) else []
    more = draw(st.sampled_from(["", "RELIDO", "DISPLAY"]))
    if not given and draw(st.booleans()):
        return ["NOFORN"]
    return given + {"": [], "RELIDO": ["RELIDO"], "DISPLAY": [f"DISPLAY ONLY {draw(lists())}"]}[more]


@st.composite
def cui(draw: st.DrawFn) -> str:
    """A banner of CUI alone."""
    controls = sorted(draw(releases()) + draw(subsets(LIMITED)))
    groups = ["CUI", "/".join(draw(subsets(CATEGORIES))), "/".join(controls)]
    return "//".join(filter(None, groups))


@st.composite
def own(draw: st.DrawFn) -> str:
    """A banner of the United States, except CUI alone."""
    level = draw(st.sampled_from([0, 2, 3, 4]))
    fitting = [[c for c in system if c[1] <= level] for system in SCI]
    sci = [draw(st.sampled_from(system)) for system in fitting if system and draw(st.integers(0, 3)) == 0]
    release = ["NOFORN"] if any(c[2] for c in sci) else draw(releases())
    originator = ["ORCON"] if any(c[3] for c in sci) else draw(st.sampled_from([[], ["ORCON"], ["ORCON-USGOV"]]))
    if "RELIDO" in release and any(c[3] for c in sci):
        release = [word for word in release if word != "RELIDO"]
    programs = draw(subsets(PROGRAMS)) if level and draw(st.booleans()) else []
    nuclear = draw(
        st.sampled_from(NUCLEAR if level > 2 else NUCLEAR[::4] if level else ("DOD UCNI", "DOD UCNI/DOE UCNI"))
    )
    sources = draw(st.sampled_from(["", "FGI", "FGI GBR", "FGI CAN JPN NATO"]))
    commingled = level and draw(st.booleans())
    controls = {
        "RSEN": level > 2 and draw(st.booleans()),
        "IMCON": level > 2 and draw(st.booleans()),
        "PROPIN": draw(st.booleans()),
        "DEA SENSITIVE": draw(st.booleans()),
        "FISA": draw(st.booleans()),
        "WAIVED": bool(programs) and draw(st.booleans()),
    }
    chosen = {name for name, there in controls.items() if there} | set(release)
    if level and "RELIDO" not in chosen:
        chosen |= set(originator)
    if commingled:
        chosen |= set(draw(subsets(LIMITED)))
    order = ("RSEN", "ORCON", "ORCON-USGOV", "IMCON", "NOFORN", "PROPIN", "REL TO", "RELIDO", "DEA SENSITIVE", "FISA")
    order += ("DISPLAY ONLY", "WAIVED", *LIMITED)
    dissemination = sorted(chosen, key=lambda word: order.index(next(o for o in reversed(order) if word.startswith(o))))
    others = draw(subsets(("LES", "SSI") if level else ("LIMDIS", "SBU", "LES", "SSI")))
    if "NOFORN" in release and draw(st.booleans()):
        others = [draw(st.sampled_from(["EXDIS", "NODIS"])), *(word for word in others if word != "LIMDIS")]
    groups = [
        LEVELS[level],
        "/".join(c[0] for c in sci),
        "SAR-" + "/".join(programs) if programs else "",
        nuclear if draw(st.booleans()) else "",
        "ATOMAL" if "NATO" in sources and level and draw(st.booleans()) else "",
        sources,
        "CUI" if commingled else "",
        "/".join(draw(subsets(CATEGORIES, 1))) if commingled else "",
        "/".join(dissemination),
        "/".join(others),
    ]
    return "//".join(filter(None, groups))


@st.composite
def foreign(draw: st.DrawFn) -> str:
    """A foreign or joint banner."""
    level = draw(st.sampled_from(["UNCLASSIFIED", "CONFIDENTIAL", "SECRET"]))
    if draw(st.booleans()):
        owners = [*draw(subsets(COUNTRIES, 1)), "USA"]
        return f"//JOINT {level} {' '.join(owners)}//REL TO USA, {', '.join(owners[:-1])}"
    owner = draw(st.sampled_from(["NATO", "GBR", "CAN GBR"]))
    controls = draw(subsets(("ORCON",))) if level != "UNCLASSIFIED" else []
    if draw(st.booleans()):
        controls.append(f"REL TO USA, {draw(lists())}")
    return "//".join(filter(None, [f"//{owner} {level}", "/".join(controls)]))


def banners() -> st.SearchStrategy[str]:
    """Valid banner lines."""
    return cui() | own() | foreign()


FEW = (
    *(
        "UNCLASSIFIED",
        "UNCLASSIFIED//SBU",
        "UNCLASSIFIED//REL TO USA, GBR",
        "UNCLASSIFIED//FISA",
        "UNCLASSIFIED//DOD UCNI",
    ),
    *("CUI", "CUI//SP-CTI", "CUI//FEDCON", "CUI//NOCON", "CUI//NOFORN", "CUI//SP-CTI//FED ONLY/NOFORN", "CUI//RELIDO"),
    *("CONFIDENTIAL", "SECRET", "SECRET//NOFORN", "SECRET//REL TO USA, GBR", "SECRET//REL TO USA, FVEY"),
    *("SECRET//REL TO USA, NATO", "SECRET//DISPLAY ONLY GBR", "SECRET//DISPLAY ONLY AFG, GBR", "SECRET//RELIDO"),
    *("SECRET//REL TO USA, GBR/DISPLAY ONLY AFG", "SECRET//REL TO USA, GBR/RELIDO", "SECRET//CUI", "SECRET//TK"),
    *("SECRET//CUI//SP-CTI//NOFORN", "SECRET//ORCON", "SECRET//ORCON-USGOV", "SECRET//NOFORN//EXDIS", "SECRET//FGI"),
    *("SECRET//NOFORN//NODIS", "SECRET//RD//NOFORN", "SECRET//FRD-SIGMA 14", "SECRET//RD-CNWDI", "SECRET//SAR-BP"),
    *("SECRET//SAR-BP-1", "//NATO SECRET", "//GBR RESTRICTED", "//JOINT SECRET GBR USA//REL TO USA, GBR"),
    *("TOP SECRET//SI", "TOP SECRET//SI-G//ORCON", "TOP SECRET//SI-G ABCD//ORCON/NOFORN", "SECRET//FGI GBR NATO"),
    "TOP SECRET//SI-G ABCD/TK//RD//CUI//SP-CTI//ORCON/NOFORN/FED ONLY//NODIS",
)


def markings() -> st.SearchStrategy[Marking]:
    """Markings of which many dominate others."""
    return (st.sampled_from(FEW) | st.sampled_from(FEW) | banners()).map(understood)


def understood(banner: str) -> Marking:
    """The marking of a valid banner."""
    marking = parse(banner)
    assert marking is not None, banner
    return marking


def mutations(banner: str, separators: tuple[str, ...] = ("//", "/", ", ")) -> Iterator[str]:
    """The banner with two neighbours swapped or one element repeated: groups, words of a group, countries of a word."""
    separator, *inner = separators
    start = separator if banner.startswith(separator) else ""
    parts = banner.removeprefix(start).split(separator)
    for changed in disturbed(parts):
        yield start + separator.join(changed)
    for place, part in enumerate(parts):
        for changed in mutations(part, tuple(inner)) if inner else ():
            yield start + separator.join([*parts[:place], changed, *parts[place + 1 :]])


def disturbed(items: list[str]) -> Iterator[list[str]]:
    """The items with each pair of neighbours swapped, and with each item repeated."""
    for place, (one, other) in enumerate(pairwise(items)):
        yield [*items[:place], other, one, *items[place + 2 :]]
    for place, item in enumerate(items):
        yield [*items[:place], item, item, *items[place + 1 :]]
