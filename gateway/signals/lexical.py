"""A deterministic detector: concepts near each other, weighed, less what the words around them take back.

1 words become terms, terms become concepts at positions     2 negated actions and absent humans are told apart
3 concepts in neighbouring blocks of words add up     4 where a signal's needs are met, the sum counts, less its context

One pass over the words with a bounded amount of work for each: linear in the text, whatever the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import or_
from typing import Final

from gateway.memo import Memo
from gateway.signals.concept_weights import highest, mask, union, weigher
from gateway.signals.lexicon import Lexicon, stem

_FAR: Final = -10_000
_REMEMBERED: Final = 65_536
"""Words. None has more than 64 letters."""

_Hit = tuple[int, int]
"""A position in words, and the concepts that begin there."""


@dataclass(slots=True)
class _Node:
    concepts: int = 0
    next: dict[str, _Node] = field(default_factory=dict)


class Lexical:
    """The detector over one lexicon. Immutable after construction. names: the signals that it scores."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._bits = _bits(lexicon)
        terms = _index(lexicon, self._bits)
        self._stems = Memo(stem, _REMEMBERED)
        self._begins: Memo[str, _Node | None] = Memo(lambda word: terms.get(self._stems[word]), _REMEMBERED)
        self._negators = frozenset(map(stem, lexicon.negation.negators))
        self._fillers = frozenset(map(stem, lexicon.negation.fillers))
        self._actions = mask(lexicon.negation.actions, self._bits)
        self._composites = [
            (self._bits[c.first], self._bits[c.then], c.within, self._bits[c.yields], self._bits[c.required])
            for c in lexicon.composites
        ]
        self._composed = mask((name for c in lexicon.composites for name in (c.first, c.then)), self._bits)
        self._signals = {name: weigher(s, self._bits, lexicon.weakens) for name, s in lexicon.signals.items()}
        self.names = tuple(lexicon.signals)

    def score(self, words: Sequence[str]) -> Mapping[str, int]:
        """Thousandths, 0 to 1000, for each signal. words: normalised."""
        blocks = self._place(words, self._find(words))  # 1, 2
        anywhere = union(blocks)
        places = _places(blocks, len(self._bits)) if anywhere else ()  # 3
        return {
            name: highest(places, counts, looked_at, weigh) if anywhere & counts else 0
            for name, (counts, looked_at, weigh) in self._signals.items()
        }  # 4

    def _find(self, words: Sequence[str]) -> list[_Hit]:
        hits = []
        end = len(words)
        for position, first in enumerate(map(self._begins.__getitem__, words)):
            if first is None:
                continue
            node, concepts, following = first, first.concepts, position + 1
            while node.next and following < end and (longer := node.next.get(self._stems[words[following]])):
                node = longer
                concepts |= node.concepts
                following += 1
            if concepts:
                hits.append((position, concepts))
        return hits

    def _place(self, words: Sequence[str], hits: Iterable[_Hit]) -> list[int]:
        """The concepts of each block of words."""
        negation, size = self._lexicon.negation, self._lexicon.block
        blocks = [0] * (len(words) // size + 1)
        refused = _FAR
        last = [_FAR] * len(self._composites)
        for position, found in hits:
            concepts = found
            if concepts & self._actions and self._is_negated(words, position):
                concepts = concepts & ~self._actions | self._bits[negation.yields]
                refused = position
            if concepts & self._composed:
                for index, (first, then, within, yields, required) in enumerate(self._composites):
                    if concepts & then and position - last[index] <= within:
                        governed = refused <= last[index] and position - refused <= negation.governs
                        concepts = concepts & ~required | (required if governed else yields)
                    if concepts & first:
                        last[index] = position
            blocks[position // size] |= concepts
        return blocks

    def _is_negated(self, words: Sequence[str], position: int) -> bool:
        for before in range(position - 1, max(-1, position - 1 - self._lexicon.negation.reach), -1):
            word = self._stems[words[before]]
            if word in self._negators:
                return True
            if word not in self._fillers:
                return False
        return False


def _bits(lexicon: Lexicon) -> dict[str, int]:
    yielded = [
        lexicon.negation.yields,
        *(c.yields for c in lexicon.composites),
        *(c.required for c in lexicon.composites),
    ]
    return {name: 1 << index for index, name in enumerate(sorted({*lexicon.concepts, *yielded}))}


def _index(lexicon: Lexicon, bits: Mapping[str, int]) -> Mapping[str, _Node]:
    root = _Node()
    for concept, terms in lexicon.concepts.items():
        for term in terms:
            node = root
            for word in term.split():
                node = node.next.setdefault(stem(word), _Node())
            node.concepts |= bits[concept]
    return root.next


def _places(blocks: Sequence[int], wide: int) -> set[int]:
    """Where something is in a text: in three neighbouring blocks of words, with two blocks around on either side."""
    row = [0, 0, *blocks, 0, 0]
    near = [*map(or_, map(or_, row, row[1:]), row[2:]), 0, 0]
    return {c | (a | c | e) << wide for a, c, e in zip(near, near[2:], near[4:], strict=False) if c}
