"""Dissemination controls of the intelligence community, of other agencies, and of CUI.

Valid combinations were read first hand in the IC Markings System Register and Manual (2016), H.8 and H.9; the
alphabetical order of CUI's controls in NARA's CUI marking handbook (1.1, 2016). Beside classified information CUI's
controls follow the community's in one group, as in ISM's vocabulary [second hand].
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.marking import countries
from gateway.marking.fault import MarkingError, ascending, require
from gateway.marking.words import COMMUNITY, LIMITED, OTHERS

LISTED: Final = ("REL TO", "DISPLAY ONLY")
OF_CUI: Final = frozenset({"NOFORN", "REL TO", "RELIDO", "DISPLAY ONLY", *(word.short for word in LIMITED)})
_ORDER: Final = tuple(word.short for word in (*COMMUNITY, *LIMITED))
_OTHER_ORDER: Final = tuple(word.short for word in OTHERS)
_WORDS: Final = {word.short: word for word in (*COMMUNITY, *LIMITED, *OTHERS)}
_SHORT: Final = {form: word.short for word in _WORDS.values() for form in (word.short, word.title)}
_PORTIONS: Final = {word.portion: word.title for word in _WORDS.values() if word.portion not in _SHORT}
_RETIRED: Final = {"FOUO": "FOUO was replaced by CUI", "FOR OFFICIAL USE ONLY": "FOUO was replaced by CUI"}

_CONFLICTS: Final = (
    ("NOFORN", ("REL TO", "RELIDO", "DISPLAY ONLY", "SBU NOFORN", "LES NOFORN")),
    ("SBU NOFORN", ("REL TO", "RELIDO", "DISPLAY ONLY", "SBU")),
    ("LES NOFORN", ("REL TO", "RELIDO", "DISPLAY ONLY", "LES")),
    ("RELIDO", ("DISPLAY ONLY", "ORCON", "ORCON-USGOV")),
    ("ORCON", ("ORCON-USGOV",)),
    ("EXDIS", ("NODIS",)),
    ("FEDCON", ("FED ONLY", "NOCON")),
)


def name(control: str) -> str:
    """The control without its list of countries."""
    return next((word for word in LISTED if control.startswith(f"{word} ")), control)


def names(controls: Iterable[str]) -> set[str]:
    """The controls without lists."""
    return set(map(name, controls))


def listed(control: str) -> tuple[str, ...]:
    """The countries and organisations of a control that has a list."""
    return tuple(control.removeprefix(f"{name(control)} ").split(", "))


def is_control(word: str) -> bool:
    """Whether the word begins a group of dissemination controls of the intelligence community or of CUI.

    Portion marks and retired words count too, so that the error can name their replacement.
    """
    return name(_short(word)) in _ORDER or word in _PORTIONS or word in _RETIRED


def is_other(word: str) -> bool:
    """Whether the word begins a group of controls of other agencies."""
    return _SHORT.get(word) in _OTHER_ORDER


def read(words: list[str], *, cui_alone: bool) -> tuple[str, ...]:
    """The controls of a group, with the Register's abbreviations. Raises MarkingError."""
    controls = tuple(_control(word) for word in words)
    found = [name(control) for control in controls]
    conflict(set(found))
    if cui_alone:
        require(set(found) <= OF_CUI, f"limited dissemination controls of CUI are {', '.join(sorted(OF_CUI))}")
        ascending(found, "limited dissemination controls stand in alphabetical order")
    else:
        ascending(
            [_ORDER.index(word) for word in found], f"dissemination controls stand in the order {', '.join(_ORDER)}"
        )
    return controls


def read_others(words: list[str]) -> tuple[str, ...]:
    """The controls of other agencies. Raises MarkingError."""
    controls = [_SHORT.get(word, "") for word in words]
    require(all(control in _OTHER_ORDER for control in controls), f"in this group stand {', '.join(_OTHER_ORDER)}")
    ascending([_OTHER_ORDER.index(c) for c in controls], f"these controls stand in the order {', '.join(_OTHER_ORDER)}")
    return tuple(controls)


def conflict(found: set[str]) -> None:
    """Raise MarkingError when two of the controls contradict each other. found: without lists."""
    for one, against in _CONFLICTS:
        for other in against:
            require(
                not {one, other} <= found,
                f"{one} and {other} contradict each other; write the one that holds, and the other not at all",
            )


def check(level: int, found: set[str]) -> None:
    """Raise MarkingError unless each control is valid at this level and none contradicts another."""
    conflict(found)
    levels = ("UNCLASSIFIED", "CUI", "CONFIDENTIAL", "SECRET", "TOP SECRET")
    for word in sorted(found):
        lowest, highest = _WORDS[word].lowest, _WORDS[word].highest
        require(level >= lowest, f"{word} stands with {levels[lowest]} or higher")
        require(level <= highest, f"{word} stands with {levels[highest]} alone")
    for word in sorted(found & {"EXDIS", "NODIS"}):
        require("NOFORN" in found, f"{word} needs NOFORN, in the group before it")


def ordered(controls: Iterable[str], *, cui_alone: bool) -> tuple[str, ...]:
    """The controls in the order of a group."""
    return tuple(sorted(controls, key=name if cui_alone else lambda control: _ORDER.index(name(control))))


def others_ordered(controls: Iterable[str]) -> tuple[str, ...]:
    """The controls of other agencies in the order of a group."""
    return tuple(sorted(controls, key=_OTHER_ORDER.index))


def _short(word: str) -> str:
    for title in ("REL TO", "AUTHORIZED FOR RELEASE TO", "DISPLAY ONLY"):
        if word.startswith(f"{title} "):
            return f"{_SHORT[title]} {word.removeprefix(f'{title} ')}"
    return _SHORT.get(word, word)


def _control(word: str) -> str:
    control = _short(word)
    kind = name(control)
    if kind in LISTED and control != kind:
        _countries(kind, list(listed(control)))
        return control
    require(
        kind not in LISTED, f"{kind} is followed by a list, such as {kind} {'USA, ' if kind == 'REL TO' else ''}GBR"
    )
    if word in _RETIRED:
        raise MarkingError(_RETIRED[word])
    require(word not in _PORTIONS, f"a banner line has {_PORTIONS.get(word)} or its abbreviation, not the portion mark")
    require(control in _ORDER, f"dissemination controls are {', '.join(_ORDER)}")
    return control


def _countries(kind: str, codes: list[str]) -> None:
    if kind == "REL TO":
        require(codes[0] == "USA" and len(codes) > 1, "REL TO names USA first and then others, such as REL TO USA, GBR")
        codes = codes[1:]
    require("USA" not in countries.read(codes), f"{kind} names USA " + ("once" if kind == "REL TO" else "not at all"))
