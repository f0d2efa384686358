"""Foreign, NATO and joint classifications, and foreign government information in documents of the United States.

    //GBR SECRET      //NATO SECRET      //COSMIC TOP SECRET      //JOINT SECRET CAN GBR USA      FGI      FGI GBR NATO

Read first hand in the IC Markings System Register and Manual (2016), A.6, G, H.3, H.7 and its examples. The Manual's
appendices on non-US, NATO and UN markings were not read, so only those markings are known that the Register and the
examples show. That RESTRICTED counts as CONFIDENTIAL, and that BALK and BOHEMIA require TOP SECRET, is [general
knowledge]. Activities of the North Atlantic Council (NATO ISAF SECRET) and UN markings are not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.marking import countries
from gateway.marking.fault import ascending, require

CONTROLS: Final = {"ATOMAL": 2, "BALK": 4, "BOHEMIA": 4}
"""Control markings of NATO, with the lowest level of each."""

_LEVELS: Final = {"UNCLASSIFIED": 0, "RESTRICTED": 2, "CONFIDENTIAL": 2, "SECRET": 3, "TOP SECRET": 4}
_TITLE: Final = "FOREIGN GOVERNMENT INFORMATION"


def read_classification(text: str) -> tuple[int, tuple[str, ...]]:
    """Level and owners of a classification after "//". Raises MarkingError."""
    if text == "COSMIC TOP SECRET":
        return 4, ("NATO",)
    if text.startswith("JOINT "):
        return _joint(text.removeprefix("JOINT "))
    owner, _, word = text.partition(" ")
    if owner == "NATO":
        require(word in _LEVELS and word != "TOP SECRET", "write //COSMIC TOP SECRET, or //NATO and a lower level")
        return _LEVELS[word], ("NATO",)
    word = next((level for level in sorted(_LEVELS, key=len, reverse=True) if text.endswith(f" {level}")), "")
    owners = countries.read(text.removesuffix(f" {word}").split(" ")) if word else ()
    require(
        bool(owners) and owners[-1] in countries.COUNTRIES and "USA" not in owners,
        "after // write countries and a level, such as //GBR SECRET, NATO's, such as //NATO SECRET, or "
        "//JOINT SECRET with countries; a classification of the United States has no // before it",
    )
    return _LEVELS[word], owners


def read(words: list[str]) -> tuple[str, ...]:
    """The countries of a group of foreign government information; none if they are concealed. Raises MarkingError."""
    require(len(words) == 1, "foreign government information is one word FGI, and countries after spaces")
    text = words[0].replace(_TITLE, "FGI")
    names = countries.read(text.split(" ")[1:])
    require("USA" not in names, "foreign government information is not of USA")
    return names


def is_foreign(word: str) -> bool:
    """Whether the word begins a group of foreign government information."""
    return word.replace(_TITLE, "FGI").partition(" ")[0] == "FGI"


def read_controls(words: list[str]) -> tuple[str, ...]:
    """NATO's control markings. Raises MarkingError."""
    require(set(words) <= CONTROLS.keys(), f"of control markings of NATO {', '.join(CONTROLS)} are known")
    ascending(words, "control markings of NATO stand in alphabetical order")
    return tuple(words)


def check_controls(level: int, controls: Sequence[str], sources: Sequence[str]) -> None:
    """Raise MarkingError unless the controls are on NATO information of a level that permits them."""
    for control in controls:
        require("NATO" in sources, f"{control} stands with a classification of NATO, or with FGI NATO")
        lowest = "TOP SECRET" if CONTROLS[control] == 4 else "CONFIDENTIAL or higher"
        require(level >= CONTROLS[control], f"{control} stands with {lowest}")


def _joint(text: str) -> tuple[int, tuple[str, ...]]:
    word = next((level for level in sorted(_LEVELS, key=len, reverse=True) if text.startswith(f"{level} ")), "")
    require(
        bool(word) and word != "RESTRICTED",
        "//JOINT is followed by TOP SECRET, SECRET, CONFIDENTIAL or UNCLASSIFIED, and then by countries after spaces",
    )
    owners = countries.read(text.removeprefix(f"{word} ").split(" "))
    require("USA" in owners and len(owners) > 1, "owners of a joint classification are USA, in its place, and others")
    return _LEVELS[word], owners
