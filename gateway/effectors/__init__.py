"""Finds apparent effectors: what a tool can do by its own name, description and schema, whatever it declares.

1 a name counts by its verbs and their objects, unless it begins with a looking-up verb or ends with a kind of record
2 a sentence counts by its verbs and the objects near them, unless it begins with a verb that only looks
3 the actions that a schema offers as choices apply to the objects in name and description

A schema contributes its descriptions and titles and those of any part, at any depth. Its choices are `enum` and
`const`, in any part of a property and in what that part refers to.

This compares words, not meaning. It finds a tool that declares less than its text says, and not a tool that hides what
it does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache, reduce
from itertools import chain, pairwise
from operator import or_
from typing import Final, NamedTuple, get_args

from gateway.confusables import letters
from gateway.effectors.words import BEFORE, BEGINS, CHOICES, DEEDS, LOOKS, PERHAPS, RECORDS
from gateway.types import Effector, Tool

__all__ = ["apparent", "beyond"]

_NEAR: Final = 6
"""How many words before or after a verb its object may be."""
_SHORT: Final = 4096
_WORD: Final = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+")
_END: Final = re.compile(r"[;:!?\n\r\v\f\x1c-\x1e\x85\u2028\u2029]|(?<!e\.g)(?<!i\.e)\.(?!\w)")
_ORDER: Final[tuple[Effector, ...]] = get_args(Effector)
_GRAVITY: Final[Mapping[str, int]] = {effector: rank for rank, effector in enumerate(_ORDER)}
_NAMING: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Members of a schema whose keys are names of schemas."""
_VOWELS: Final = frozenset("aeiouwxy")


class _Deed(NamedTuple):
    """What a tool may do. verbs: apply to objects. alone: verbs that need no object."""

    effector: Effector
    verbs: set[str]
    objects: set[str]
    alone: set[str]


def _plurals(things: str) -> set[str]:
    return {form.replace("-", " ") for word in things.split() for form in (word, word + "s")}


def _all_forms(verbs: str) -> set[str]:
    return {form for verb in verbs.split() for form in _forms(verb)}


def _forms(verb: str) -> set[str]:
    """The possible inflections of a verb. Some of them are not words."""
    stem = verb.removesuffix("e")
    doubled = verb + verb[-1] if verb[-1] not in _VOWELS and verb[-2] in _VOWELS else verb
    soft = verb[:-1] + "i" if verb.endswith("y") else verb
    return {
        verb,
        verb + "s",
        verb + "es",
        soft + "es",
        soft + "ed",
        stem + "ing",
        stem + "ed",
        doubled + "ing",
        doubled + "ed",
    }


def _bits(sets: Iterable[AbstractSet[str]]) -> dict[str, int]:
    """For each word the set of deeds that it belongs to, as a bit mask."""
    found: dict[str, int] = {}
    for number, some in enumerate(sets):
        for word in some:
            found[word] = found.get(word, 0) | 1 << number
    return found


_DEEDS: Final = [
    _Deed(effector, _all_forms(verbs), _plurals(objects), _all_forms(alone))
    for effector, verbs, objects, alone in DEEDS
]
_VERBS: Final = _bits(deed.verbs for deed in _DEEDS)
_OBJECTS: Final = _bits(deed.objects for deed in _DEEDS)
_ALONE: Final = _bits(deed.alone for deed in _DEEDS)
_GRAVE: Final = sum(1 << number for number, deed in enumerate(_DEEDS) if _GRAVITY[deed.effector] >= _GRAVITY["cyber"])
"""The deeds that count even if the name says that the tool only looks."""
_LOOKS: Final = _all_forms(LOOKS)
_MODELS: Final = frozenset({"sim", "simulate", "simulated", "simulation", "simulator"})
_SEEN: Final = frozenset(RECORDS.split()) | _LOOKS
_BEFORE: Final = frozenset(BEFORE.split())
_BEGINS: Final = _BEFORE.union(BEGINS.split())
_PERHAPS: Final = frozenset(PERHAPS.split())
_BEEN: Final = frozenset({"are", "be", "been", "being", "get", "gets", "is", "was", "were"})
_CHOICES: Final = _plurals(CHOICES)


def apparent(name: str, description: str, input_schema: str) -> tuple[Effector, ...]:
    """The effectors that a tool's own words speak of, in the order of `Effector`. Pure, and linear in its texts.

    Results for short texts are cached, because applications offer the same tools with every call.
    """
    short = len(name) + len(description) + len(input_schema) <= _SHORT
    return _remembered(name, description, input_schema) if short else _apparent(name, description, input_schema)


def _apparent(name: str, description: str, input_schema: str) -> tuple[Effector, ...]:
    called, sentences, chosen = _words(name), [*_sentences(description)], []
    spoken = [*called]
    parts = [*_schemas(input_schema)]
    referred = {str(part["$ref"]).rpartition("/")[2] for key, part in parts if "$ref" in part and _is_choice(key)}
    for key, schema in parts:
        for word in ("title", "description"):
            sentences += _sentences(str(schema.get(word, "")))
        values = schema.get("enum")
        offered = [*(values if isinstance(values, list) else ()), schema.get("const", "")]
        choices = [word for value in offered for word in _words(str(value))]
        spoken += choices
        if _is_choice(key) or key in referred or not _SEEN.isdisjoint(choices):
            chosen += choices
    spoken += chain(*sentences)
    found = _together(_ALONE, chosen) | _together(_VERBS, chosen) & _together(_OBJECTS, spoken)
    for sentence in sentences:
        found |= _of_sentence(sentence)
    found = found & _GRAVE if _looks(called) else found | _together(_ALONE, called) | _near(called, _doing(called))
    effectors = {deed.effector for number, deed in enumerate(_DEEDS) if found >> number & 1}
    return tuple(effector for effector in _ORDER if effector in effectors)


_remembered: Final = lru_cache(maxsize=1024)(_apparent)


def beyond(tool: Tool) -> str:
    """The gravest effector that the tool's words speak of, if it is graver than the declared one; otherwise empty."""
    if tool.effector == "unspecified" or not tool.apparent:
        return ""
    gravest = max(tool.apparent, key=_GRAVITY.__getitem__)
    return gravest if _GRAVITY[gravest] > _GRAVITY[tool.effector] else ""


def _words(text: str) -> list[str]:
    return _in_lower_case(letters(text))


def _sentences(text: str) -> Iterator[list[str]]:
    return filter(None, map(_in_lower_case, _END.split(letters(text))))


def _in_lower_case(plain: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(plain)]


def _schemas(schema: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every part of a JSON schema, with the name of the enclosing property. Nothing for an invalid schema.

    The name of a property or definition applies to everything within it.
    """
    try:
        waiting: list[tuple[str, object]] = [("", json.loads(schema))]
    except (ValueError, RecursionError):
        return
    while waiting:
        match waiting.pop():
            case name, dict(part):
                yield name, part
                for key, value in part.items():
                    named = key in _NAMING and isinstance(value, dict)
                    waiting += value.items() if named else [(name, value)]
            case name, list(items):
                waiting += [(name, item) for item in items]


def _is_choice(key: str) -> bool:
    return not _CHOICES.isdisjoint(_words(key))


def _looks(name: Sequence[str]) -> bool:
    """Whether a name begins or ends with a looking-up verb, ends with a kind of record, or is of a simulation."""
    return bool(name) and (name[0] in _LOOKS or name[-1] in _SEEN or not _MODELS.isdisjoint(name))


def _doing(words: Sequence[str]) -> list[int]:
    return [_VERBS.get(word, 0) for word in words]


def _of_sentence(words: Sequence[str]) -> int:
    first = next((at for at, word in enumerate(words) if word not in _BEGINS), 0)
    if words[first] in _LOOKS or words[0] in _PERHAPS:
        return 0
    acting = [at == first or words[at - 1] in _BEFORE or _done(words, at) for at in range(len(words))]
    deeds = [deed if acts else 0 for deed, acts in zip(_doing(words), acting, strict=True)]
    return _ALONE.get(words[first], 0) | _near(words, deeds)


def _near(words: Sequence[str], deeds: Sequence[int]) -> int:
    """The deeds whose verb has an object near it."""
    found, objects = 0, [*_each(_OBJECTS, words)]
    for at, deed in enumerate(deeds):
        if deed:
            found |= deed & reduce(or_, objects[max(0, at - _NEAR) : at] + objects[at + 1 : at + 1 + _NEAR], 0)
    return found


def _done(words: Sequence[str], at: int) -> bool:
    return words[at - 1] in _BEEN and words[at].endswith(("ed", "en", "nt"))


def _each(known: Mapping[str, int], words: Sequence[str]) -> Iterator[int]:
    """The deeds of each word, and of the pair of words that it ends."""
    for before, word in pairwise(["", *words]):
        yield known.get(word, 0) | known.get(f"{before} {word}", 0)


def _together(known: Mapping[str, int], words: Sequence[str]) -> int:
    return reduce(or_, _each(known, words), 0)
