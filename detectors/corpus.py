"""Judges and counts the corpus in detectors/corpus/, and the texts in the other folders of detectors/.

    python detectors/corpus.py check    every line of them reads, ids are unique, no text is nearly another; else 1
    python detectors/corpus.py count    lines by category, kind and language

Two texts are nearly the same when more than half of their runs of five characters are shared (Jaccard), after case,
punctuation, white space and placeholders are taken out. Characters and not words, so that it holds in every script.
"""

from __future__ import annotations

import argparse
import itertools
import math
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

__all__ = [
    "ALL",
    "APART",
    "CATEGORIES",
    "CORPUS",
    "MULTILINGUAL",
    "SETTLING",
    "CorpusError",
    "Line",
    "check",
    "main",
    "read",
]

CORPUS: Final = Path(__file__).parent / "corpus"
APART: Final = Path(__file__).parent / "apart"
INDEPENDENT: Final = Path(__file__).parent / "independent"
LANGUAGES: Final = Path(__file__).parent / "languages"
MULTILINGUAL: Final = Path(__file__).parent / "multilingual"
SETTLING: Final = Path(__file__).parent / "settling"
ALL: Final = (CORPUS, APART, INDEPENDENT, LANGUAGES, MULTILINGUAL, SETTLING)
CATEGORIES: Final = (
    "autonomous_targeting",
    "domestic_surveillance",
    "nuclear_command",
    "cbrn",
    "offensive_cyber",
    "critical_infrastructure",
    "influence_operations",
    "state_censorship",
    "criminal_justice",
    "biometric_scoring",
    "safeguard_tampering",
    "person_tracking",
    "protected_expression",
    "weapons_design",
    "power_seizure",
)
_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)*-[0-9]{2}\.jsonl")
_PLACEHOLDER: Final = re.compile(r"\[[A-Z][A-Z _-]*\]")
_RUN: Final = 5
_ALIKE: Final = 0.5
_FEW: Final = 6

_Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


class CorpusError(ValueError):
    """A file of the corpus can't be read; the message names the file and the line."""


class Line(BaseModel):
    """One text, and what it is about. Empty labels: nothing that a rule forbids."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^c[0-9]+[a-z]?-[0-9]{6}$")]
    kind: Literal["prompt", "output"]
    text: Annotated[str, StringConstraints(min_length=5, max_length=4_000)]
    labels: list[str]
    hard: bool
    style: _Slug
    topic: _Slug
    lang: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if unknown := set(self.labels).difference(CATEGORIES):
            raise ValueError(f"no such label: {', '.join(sorted(unknown))}; there are {', '.join(CATEGORIES)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is there twice")
        if self.hard and self.labels:
            raise ValueError("a hard negative has no labels: it has to pass")
        if self.text != self.text.strip():
            raise ValueError("the text begins or ends with white space")
        return self


def read(folder: Path = CORPUS) -> Iterator[tuple[str, Line]]:
    """Each line with its place, in the order of the files' names. Raises CorpusError."""
    for path in sorted(folder.glob("*.jsonl")):
        if not _NAME.fullmatch(path.name):
            raise CorpusError(f"{path.name}: a file is named <kind>-<nn>.jsonl, as cbrn-01.jsonl")
        try:
            rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path.name}: not UTF-8 at byte {error.start}") from None
        for number, row in enumerate(rows, start=1):
            place = f"{path.name}:{number}"
            try:
                yield place, Line.model_validate_json(row)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(map(str, first["loc"])) or "line"
                raise CorpusError(f"{place}: {field}: {first['msg']}") from None


def check(lines: list[tuple[str, Line]]) -> list[str]:
    """What is wrong between lines that are each well formed: ids used twice, texts that are nearly the same."""
    found = []
    by_id = sorted(lines, key=lambda entry: entry[1].id)
    for name, group in groupby(by_id, key=lambda entry: entry[1].id):
        places = [place for place, _ in group]
        if len(places) > 1:
            found.append(f"{', '.join(places)}: the id {name} is used more than once")
    texts = [(place, line.text) for place, line in lines]
    found += [f"{left}, {right}: nearly the same text ({share:.2f})" for left, right, share in _alike(texts)]
    return found


def _alike(texts: list[tuple[str, str]]) -> Iterator[tuple[str, str, float]]:
    """Each pair over the bound.

    Such a pair shares half of the runs of the longer text, and two thirds of those of the shorter one. So it has a run
    in common among the rarest half of the longer and the rarest third of the shorter, and another one for each run
    beyond these: a pair with fewer in common there is not compared.
    """
    runs = [_runs(text) for _, text in texts]
    frequency = Counter(itertools.chain.from_iterable(runs))
    rank = {run: place for place, run in enumerate(sorted(frequency, key=frequency.__getitem__))}
    seen: defaultdict[int, list[int]] = defaultdict(list)
    for right in sorted(range(len(texts)), key=lambda index: len(runs[index])):
        those = runs[right]
        rarest = sorted(map(rank.__getitem__, those))
        least = min(_FEW, math.ceil(len(those) * _ALIKE))
        longer, shorter = (int(len(those) * (1 - share)) + _FEW for share in (_ALIKE, 2 * _ALIKE / (1 + _ALIKE)))
        shared = Counter(itertools.chain.from_iterable(seen.get(run, ()) for run in rarest[:longer]))
        for left in sorted(index for index, number in shared.items() if number >= least):
            both = len(runs[left] & those)
            share = both / (len(runs[left]) + len(those) - both)
            if share > _ALIKE:
                yield texts[left][0], texts[right][0], share
        for run in rarest[:shorter]:
            seen[run].append(right)


def _runs(text: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", _PLACEHOLDER.sub("", text)).casefold()
    plain = "".join(character for character in folded if character.isalnum())
    return frozenset(plain[start : start + _RUN] for start in range(max(1, len(plain) - _RUN + 1)))


def _count(lines: list[tuple[str, Line]]) -> Iterator[str]:
    """A table of categories, and the languages. A hard negative counts for the category that names its file."""
    files = Counter((place.rsplit("-", 1)[0], line.kind, line.hard) for place, line in lines)
    labels = Counter((label, line.kind) for _, line in lines for label in line.labels)
    yield f"{'category':24}{'prompt':>8}{'output':>8}{'hard':>8}"
    for name in CATEGORIES:
        hard = files[name, "prompt", True] + files[name, "output", True]
        yield f"{name:24}{labels[name, 'prompt']:8}{labels[name, 'output']:8}{hard:8}"
    others = sum(number for (name, _, hard), number in files.items() if hard and name not in CATEGORIES)
    yield f"{'in other files':24}{'':16}{others:8}"
    ordinary = sum(not line.labels and not line.hard for _, line in lines)
    yield f"{len(lines)} lines, {ordinary} ordinary, {sum(line.kind == 'output' for _, line in lines)} outputs"
    languages = Counter(line.lang for _, line in lines)
    yield ", ".join(f"{name} {number}" for name, number in languages.most_common())


def main(arguments: list[str] | None = None) -> int:
    """Run as the module's text says; returns the exit code."""
    parser = argparse.ArgumentParser(description="Judge or count the corpus.")
    parser.add_argument("command", choices=("check", "count"))
    parser.add_argument("--corpus", type=Path, nargs="+", help="the folders (default: detectors/corpus; check: all)")
    chosen = parser.parse_args(arguments)
    folders = chosen.corpus or (ALL if chosen.command == "check" else (CORPUS,))
    try:
        lines = [line for folder in folders for line in read(folder)]
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not lines:
        print(f"error: {', '.join(map(str, folders))}: no lines", file=sys.stderr)
        return 1
    if chosen.command == "count":
        print("\n".join(_count(lines)))
        return 0
    found = check(lines)
    print("\n".join(found) or f"{len(lines)} lines are well formed and unlike each other")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
