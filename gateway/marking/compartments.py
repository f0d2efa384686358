"""SCI control systems and special access programs: a name, compartments after hyphens, subcompartments after spaces.

    HCS-O-P JJJ / RSV-ABC / SI-G ABCD EFGH-XYZ / TK-KAND 1234         SAR-BP-123/CA-XYZ YYY

Read first hand in the IC Markings System Register and Manual (2016), A.6, H.4, H.5. HCS without a compartment is the
older form, which DoDM 5200.01 vol. 2 encl. 4 still shows [second hand]. Unpublished control systems are not known here.
Compartments of SI and RSV are recognised by pattern, because the Register defines the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.marking.fault import MarkingError, ascending, require

PROGRAMS: Final = "SAR-"
_PROGRAMS_TITLE: Final = "SPECIAL ACCESS REQUIRED-"


class _Rule(NamedTuple):
    """The pattern of a compartment's name, its lowest level and the controls it requires; inner: of subcompartments."""

    name: str
    level: int
    needs: frozenset[str] = frozenset()
    inner: str | None = None
    inner_level: int = 2
    inner_needs: frozenset[str] = frozenset()


_NOFORN: Final = frozenset({"NOFORN"})
_ORCON: Final = frozenset({"ORCON"})
_ANY: Final = r"[A-Z0-9]{1,6}"
_SYSTEMS: Final = {
    "HCS": (
        _Rule("", 3, _NOFORN),
        _Rule("O", 3, _ORCON | _NOFORN),
        _Rule("P", 3, _NOFORN, _ANY, 4, _ORCON | _NOFORN),
    ),
    "RSV": (_Rule(r"[A-Z0-9]{3}", 3),),
    "SI": (_Rule("", 2), _Rule("G", 4, _ORCON, "[A-Z]{4}"), _Rule("[A-Z]{2,3}", 4, inner=_ANY)),
    "TK": (_Rule("", 3), _Rule("BLFH", 4, _NOFORN, _ANY), _Rule("IDIT|KAND", 3, _NOFORN, _ANY)),
}
_TITLES: Final = {
    "TALENT KEYHOLE": "TK",
    "RESERVE": "RSV",
    "GAMMA": "G",
    "ECRU": "EU",
    "NONBOOK": "NK",
    "BLUEFISH": "BLFH",
    "IDITAROD": "IDIT",
    "KANDIK": "KAND",
}
_PUBLISHED: Final = frozenset({"O", "P", *_TITLES.values()})


def is_sci(word: str) -> bool:
    """Whether the word begins a group of SCI control systems."""
    system = word.partition("-")[0]
    return _TITLES.get(system, system) in _SYSTEMS


def read_sci(words: list[str]) -> tuple[str, ...]:
    """The control systems of a group, with the Register's abbreviations. Raises MarkingError."""
    controls = tuple(map(_short, words))
    for control in controls:
        system, compartments = _split(control)
        require(system in _SYSTEMS, f"of SCI control systems {', '.join(_SYSTEMS)} are known")
        require(bool(compartments) or _SYSTEMS[system][0].name == "", f"{system} stands with a compartment")
        for name, inner in compartments:
            require(bool(name), f"a compartment of {system} has a name")
            _compartment(system, name, inner)
        ascending([name for name, _ in compartments], f"compartments of {system} stand in alphabetical order")
    ascending([_split(control)[0] for control in controls], "SCI control systems stand in alphabetical order")
    return controls


def check_sci(level: int, sci: tuple[str, ...], dissemination: set[str]) -> None:
    """Raise MarkingError unless the level and the dissemination controls are those that each control requires."""
    for control in sci:
        system, compartments = _split(control)
        for name, inner in compartments or [("", [])]:
            rule = _rule(system, name)
            lowest = max(rule.level, rule.inner_level if inner else 0)
            needs = rule.needs | (rule.inner_needs if inner else frozenset())
            what = f"{system}-{name}" if name in _PUBLISHED else system
            words = {2: "CONFIDENTIAL", 3: "SECRET", 4: "TOP SECRET"}
            require(level >= lowest, f"{what} stands with {words[lowest]}" + (" or higher" if lowest < 4 else ""))
            require(needs <= dissemination, f"{what} needs {' and '.join(sorted(needs))}")


def is_program(word: str) -> bool:
    """Whether the word begins a group of special access programs."""
    return word.startswith((PROGRAMS, _PROGRAMS_TITLE))


def read_programs(words: list[str]) -> tuple[str, ...]:
    """The programs of a group, without the SAR- before the first. Raises MarkingError."""
    programs = (words[0].removeprefix(PROGRAMS).removeprefix(_PROGRAMS_TITLE), *words[1:])
    for program in programs:
        name, compartments = _split(program)
        require(re.fullmatch(r"[A-Z0-9]+( [A-Z0-9]+)*", name) is not None, "a program has a name of capitals or digits")
        require(name != "SAR", "SAR- stands once, before the first program")
        for compartment, inner in compartments:
            require(
                all(re.fullmatch("[A-Z0-9]+", n) for n in (compartment, *inner)), "compartments are capitals or digits"
            )
            ascending(inner, "what is in a compartment stands in alphabetical order")
        ascending([c for c, _ in compartments], "compartments of a program stand in alphabetical order")
    ascending([_split(program)[0] for program in programs], "programs stand in alphabetical order")
    return programs


def atoms(control: str) -> list[str]:
    """The control and all that enclose it: SI-G ABCD is in SI and in SI-G."""
    name, compartments = _split(control)
    found = [name]
    for compartment, inner in compartments:
        found += [f"{name}-{compartment}", *(f"{name}-{compartment} {i}" for i in inner)]
    return found


def merged(controls: Iterable[str]) -> tuple[str, ...]:
    """The union of the controls, each name once, in order."""
    tree: dict[str, dict[str, set[str]]] = {}
    for control in controls:
        name, compartments = _split(control)
        branch = tree.setdefault(name, {})
        for compartment, inner in compartments:
            branch.setdefault(compartment, set()).update(inner)
    return tuple(
        "-".join([name, *(" ".join([c, *sorted(inner)]) for c, inner in sorted(branch.items()))])
        for name, branch in sorted(tree.items())
    )


def _split(control: str) -> tuple[str, list[tuple[str, list[str]]]]:
    name, *compartments = control.split("-")
    parts = [compartment.split(" ") for compartment in compartments]
    return name, [(part[0], part[1:]) for part in parts]


def _short(word: str) -> str:
    """The control with abbreviations in place of titles."""
    name, compartments = _split(word)
    return "-".join([_TITLES.get(name, name), *(" ".join([_TITLES.get(c, c), *inner]) for c, inner in compartments)])


def _compartment(system: str, name: str, inner: list[str]) -> None:
    rule = _rule(system, name)
    pattern = rule.inner
    require(
        not inner or (pattern is not None and all(re.fullmatch(pattern, i) for i in inner)),
        f"what is in a compartment of {system} is not written like that, or there can be nothing in it",
    )
    ascending(inner, "what is in a compartment stands in alphabetical order")


def _rule(system: str, name: str) -> _Rule:
    for rule in _SYSTEMS[system]:
        if re.fullmatch(rule.name, name) and (name or not rule.name):
            return rule
    raise MarkingError(f"{system} has no such compartment")
