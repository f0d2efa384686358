"""Labelled texts as lines of JSON, and which part of them a text belongs to.

Two lines that share a style or a topic are linked, and so is whatever links to them: no split tears what is linked. The
largest such group is for training. The others go by digest: what is trained, tuned and tested never shares a style or
a topic, and stays where it is when texts are added that share neither.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from gateway.errors import StartError

__all__ = ["SPLITS", "Split", "Text", "groups", "read", "split"]

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")
_TEST: Final = 128
_VALIDATION: Final = 60
"""How many of 256 digests go to each; the rest are for training."""


class Text(BaseModel):
    """A text, and what it is about. Empty labels: it has to pass; hard: though it is near the line."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    id: Annotated[str, StringConstraints(min_length=1)]
    kind: Literal["prompt", "output"] = "prompt"
    text: Annotated[str, StringConstraints(min_length=1)]
    labels: list[str]
    hard: bool = False
    style: str = ""
    topic: str = ""
    lang: str = "en"

    @property
    def ordinary(self) -> bool:
        """Whether it has to pass and is far from any line."""
        return not self.labels and not self.hard


def read(place: Path) -> list[Text]:
    """The texts of a file, or of a folder's files *.jsonl in the order of their names. Raises StartError."""
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    if not files:
        raise StartError(f"{place}: no files *.jsonl; give a folder or a file of labelled texts")
    return [text for file in files for text in _file(file)]


def split(texts: Iterable[Text]) -> dict[Split, list[Text]]:
    """The texts of each split, in their order."""
    found: dict[Split, list[Text]] = {name: [] for name in SPLITS}
    whole = list(texts)
    for text, group in zip(whole, groups(whole), strict=True):
        found[_by_digest(group) if group else "train"].append(text)
    return found


def groups(texts: Sequence[Text]) -> list[str]:
    """The group of each text: the least id of those that it is linked to; empty for the largest group."""
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parents.setdefault(node, node) != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for text in texts:
        parents[root(("style", text.style))] = root(("topic", text.topic))
    roots = [root(("style", text.style)) for text in texts]
    largest = Counter(roots).most_common(1)[0][0] if roots else None
    first: dict[tuple[str, str], str] = {}
    for text, group in zip(texts, roots, strict=True):
        first[group] = min(first.get(group, text.id), text.id)
    return ["" if group == largest else first[group] for group in roots]


def _by_digest(name: str) -> Split:
    byte = hashlib.sha256(name.encode()).digest()[0]
    return "test" if byte < _TEST else "validation" if byte < _TEST + _VALIDATION else "train"


def _file(file: Path) -> Iterable[Text]:
    try:
        rows = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{file}: can't be read as UTF-8 ({type(error).__name__})") from None
    for number, row in enumerate(rows, start=1):
        try:
            yield Text.model_validate_json(row)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise StartError(
                f'{file}:{number}: {where}: {first["msg"]}; a line is {{"id", "text", "labels"}}'
            ) from None
