"""The words that the lexical detector knows, by concept, as typed and checked data.

A concept is a list of terms; a term is one or more words, and matches every inflection of them. Everything else refers
to concepts by name. See `Lexicon` for what each part means; gateway/assets/lexicon.json is the data.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import StartError

Concept = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Term = Annotated[str, Field(pattern=r"^[a-z0-9]+( [a-z0-9]+)*$", max_length=48)]
Thousandths = Annotated[int, Field(ge=1, le=1000)]
Words = Annotated[int, Field(ge=1, le=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Composite(_Part):
    """`first` and then `then` within so many words yield a concept: "without … approval". When a refused action governs
    both ("never engages without approval") they yield `required` instead.
    """

    first: Concept
    then: Concept
    within: Words
    yields: Concept
    required: Concept


class Negation(_Part):
    """An action right after a negator, with nothing but fillers between, yields another concept and not the action.

    reach: how many words the negator may stand before the action. governs: for how many words after the action an
    absence is a requirement.
    """

    negators: frozenset[Term]
    fillers: frozenset[Term]
    actions: tuple[Concept, ...]
    reach: Words
    governs: Words
    yields: Concept


class Signal(_Part):
    """What a signal adds up: the weight of each concept nearby, if every list of `needs` has one there, less
    what the context around it lowers.
    """

    weights: dict[Concept, Thousandths]
    needs: tuple[tuple[Concept, ...], ...] = Field(min_length=1)
    lowers: dict[Concept, Thousandths]


class Languages(_Part):
    """Common words that tell English from other languages in Latin letters."""

    english: frozenset[Term]
    other: frozenset[Term]


class Lexicon(_Part):
    """The whole data. block: the words of a block; concepts of neighbouring blocks are read together.

    weakens: a concept (of making something, say) that, among those that are scored, halves what these lower.
    """

    format: int = Field(ge=1, le=1)
    block: Words
    concepts: dict[Concept, frozenset[Term]]
    composites: tuple[Composite, ...]
    negation: Negation
    weakens: dict[Concept, tuple[Concept, ...]]
    signals: dict[Concept, Signal] = Field(min_length=1)
    languages: Languages

    @model_validator(mode="after")
    def _whole(self) -> Self:
        known = {*self.concepts, self.negation.yields}
        for composite in self.composites:
            known |= {composite.yields, composite.required}
        used = {
            *self.weakens,
            *(concept for group in self.weakens.values() for concept in group),
            *self.negation.actions,
        }
        for composite in self.composites:
            used |= {composite.first, composite.then}
        for signal in self.signals.values():
            used |= {*signal.weights, *signal.lowers, *(concept for group in signal.needs for concept in group)}
        if used - known:
            raise ValueError(f"no such concept: {', '.join(sorted(used - known))}")
        return self


def load() -> tuple[Lexicon, str]:
    """The lexicon that travels with the package, and its version. Raises StartError."""
    data = (files("gateway") / "assets" / "lexicon.json").read_bytes()
    return parse(data), f"lexical-2-{hashlib.sha256(data).hexdigest()[:12]}"


def parse(data: bytes) -> Lexicon:
    """The lexicon in `data`. Raises StartError."""
    try:
        return Lexicon.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "lexicon"
        raise StartError(f"lexicon.json: {where}: {first['msg']}; reinstall the package") from None


_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxyz")


def stem(word: str) -> str:
    """What the inflections of an English word share; no word of any dictionary, only equal where they are equal."""
    if len(word) < 4:
        return word
    word = _uninflected(word)
    word = word.removesuffix("ly") if len(word) > 6 else word
    word = word.removesuffix("e")
    return word[:-1] if word[-2:-1] == word[-1:] and word[-1:] in _CONSONANTS else word


def _uninflected(word: str) -> str:
    if word.endswith(("ies", "ied")):
        return word[:-3] + "y"
    if word.endswith("s"):
        return word[:-2] if word.endswith("sses") else word if word[-2] in "su" else word[:-1]
    if word.endswith("ing") and len(word) > 5 and word[-6:-3].isalpha():
        return word[:-3]
    if word.endswith("ed") and len(word) > 4 and word[-5:-2].isalpha():
        return word[:-2]
    return word
