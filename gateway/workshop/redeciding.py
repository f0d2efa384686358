"""Repeats the decisions of a log with the releases that made them, and compares the results.

The record of a request holds the input of its decision. The judgement of an answer has the input of its intent with
another stage, the readings and safeguards of the answer and, for a tool call, the tools that were called. The outcome
holds those. Decisions with omitted inputs, and combined judgements, can't be repeated; they are counted and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from brightline_verify.record import Kind
from gateway import release
from gateway.audit import record as records
from gateway.canonical import Json, NotCanonicalError, digest, parse
from gateway.errors import StartError
from gateway.release.documents import MANIFEST
from gateway.types import Decision
from gateway.workshop.deciding import Decide, Made, embedded

AT_ONCE: Final = 500

OMITTED: Final = "the record left its input out, which was too large"
TOGETHER: Final = "judgements that the record has together"
OLD: Final = "a judgement of a log from before they were recorded exactly"
NO_INTENT: Final = "the intent is not among these records"
NO_RELEASE: Final = "the release that decided is not among those given"

Said: TypeAlias = dict[str, Json]
"""What was decided: effect, rules, obligations and, for a request, grants."""


@dataclass(frozen=True, slots=True)
class Question:
    """A decision to repeat. index: of its record. said: the recorded decision. missing: why it can't be repeated."""

    index: int
    decision_id: str
    stage: str
    release: str
    said: Said
    input: dict[str, Json] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Different:
    """A decision that came out differently. now: the new decision, or why there is none."""

    index: int
    decision_id: str
    stage: str
    release: str
    said: Said
    now: Said | str


@dataclass(slots=True)
class Replayed:
    """The result. missing: decisions that could not be repeated, by reason. releases: how many each made."""

    same: int = 0
    different: list[Different] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)

    @property
    def whole(self) -> bool:
        """Whether every decision was repeated with the same result."""
        return not self.different and not self.missing


class Releases:
    """The releases in some folders, by digest. Each is opened when first needed. Raises StartError."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """folders: releases, or folders of releases."""
        self._places: dict[str, Path] = {}
        self._deciding: dict[str, Decide | None] = {}
        self._open = ExitStack()
        for folder in folders:
            found = [p for p in (folder, *sorted(folder.glob("*"))) if (p / MANIFEST).is_file()]
            if not found:
                raise StartError(f"{folder}: is no release, and holds none")
            self._places |= {_digest(place): place for place in found}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def decide(self, name: str) -> Decide | None:
        """The decide function of this release, or None if the release is not there. Raises StartError."""
        if name not in self._deciding:
            place = self._places.get(name)
            opened = None if place is None else self._open.enter_context(embedded(release.load(place, name)))
            self._deciding[name] = opened
        return self._deciding[name]


def questions(found: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[Question]:
    """The decisions in the records; those about answers with the input of their intent."""
    open_intents: dict[str, dict[str, Any]] = {}
    for index, one in found:
        kind = one.get("kind")
        if kind == Kind.OUTCOME:
            yield from _of_answer(index, one, open_intents.pop(str(one.get("decision_id")), None))
        elif isinstance(one.get("decision"), dict):
            if kind == Kind.INTENT:
                open_intents[str(one["decision_id"])] = one
            decided = one["decision"]
            said = {"effect": decided["effect"], "rules": one["rules"], "obligations": decided["obligations"]}
            facts = one.get("input")
            yield Question(
                index,
                str(one["decision_id"]),
                "request",
                str(one["release"]),
                {**said, "grants": decided["grants"]},
                facts if isinstance(facts, dict) else {},
                "" if isinstance(facts, dict) else OMITTED,
            )


def replay(asked: Iterable[Question], releases: Releases) -> Replayed:
    """Repeat the decisions and compare them. Raises StartError if a release can't be opened."""
    made = Replayed()
    rest = iter(asked)
    while some := list(islice(rest, AT_ONCE)):
        by_release: dict[str, list[Question]] = {}
        for question in some:
            if question.missing:
                made.missing[question.missing] += 1
            else:
                by_release.setdefault(question.release, []).append(question)
        for name, these in by_release.items():
            _again(made, these, releases.decide(name))
    made.different.sort(key=lambda d: d.index)
    return made


def _again(made: Replayed, these: Sequence[Question], decide: Decide | None) -> None:
    if decide is None:
        made.missing[f"{NO_RELEASE}: {these[0].release}"] += len(these)
        return
    made.releases[these[0].release] += len(these)
    for question, decision in zip(these, decide([q.input for q in these]), strict=True):
        now = _said(decision, question)
        if now == question.said:
            made.same += 1
        else:
            made.different.append(
                Different(question.index, question.decision_id, question.stage, question.release, question.said, now)
            )


def _said(decision: Made, question: Question) -> Said | str:
    if not isinstance(decision, Decision):
        return decision
    said: Said = {
        "effect": decision.effect.name.lower(),
        "rules": records.rules(decision.rules),
        "obligations": records.obligations(decision),
    }
    return said | {"grants": list(decision.grants)} if "grants" in question.said else said


def _of_answer(index: int, outcome: dict[str, Any], intent: dict[str, Any] | None) -> Iterator[Question]:
    for one in outcome.get("judgements") or ():
        facts = intent.get("input") if intent else None
        common = intent["decision"]["obligations"] if intent else []
        obligations = one.get("obligations")
        said = {
            "effect": one["effect"],
            "rules": one["rules"],
            "obligations": common if obligations is None else obligations,
        }
        yield Question(
            index,
            str(outcome["decision_id"]),
            str(one["stage"]),
            str(outcome["release"]),
            said,
            _input(facts, one) if isinstance(facts, dict) else {},
            _missing(one, intent, facts),
        )


def _missing(judgement: dict[str, Any], intent: dict[str, Any] | None, facts: object) -> str:
    if "exact" not in judgement:
        return OLD
    if not judgement["exact"]:
        return TOGETHER
    if intent is None:
        return NO_INTENT
    return "" if isinstance(facts, dict) else OMITTED


def _input(facts: dict[str, Any], judgement: dict[str, Any]) -> dict[str, Json]:
    """The input of a judgement, rebuilt from the record as gateway.types.Facts.at makes it."""
    made = {
        **facts,
        "stage": judgement["stage"],
        "signals": {reading["name"]: reading["score"] for reading in judgement["readings"]},
        "safeguards": judgement.get("safeguards"),
    }
    if judgement.get("tools") is not None:
        made["request"] = {**facts["request"], "tools": judgement["tools"]}
    return made


def _digest(place: Path) -> str:
    try:
        return digest(parse((place / MANIFEST).read_bytes()))
    except (OSError, NotCanonicalError) as error:
        raise StartError(f"{place / MANIFEST}: can't be read: {error}") from error
