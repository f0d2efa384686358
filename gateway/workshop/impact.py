"""The impact of a policy change on decisions: which flip, in which direction, and which rules cause the flips.

Looser means a weaker effect, or the same effect with an obligation removed or replaced. A reworded obligation counts as
replaced, because only a person can judge that two texts mean the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gateway.canonical import Json
from gateway.errors import Rule
from gateway.types import Decision, Effect, Obligation
from gateway.workshop.deciding import Made
from gateway.workshop.lines import Line

NO_DECISION: Final = "no_decision"
"""Stands for the rule if an engine gave no decision, which refuses the call."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A decision that changed.

    gone, new: rules behind a refusal, and obligations, that only the old or only the new decision has.
    """

    id: str
    tenant: str
    purpose: str
    stage: str
    before: str
    after: str
    loosened: bool
    gone: tuple[str, ...]
    new: tuple[str, ...]

    def step(self) -> str:
        """The effects before and after, or the single effect if it stayed the same."""
        words = self.before.replace("_", " "), self.after.replace("_", " ")
        return words[0] if self.before == self.after else f"{words[0]} \N{RIGHTWARDS ARROW} {words[1]}"

    def behind(self) -> tuple[str, ...]:
        """The rules and obligations that made the difference."""
        return self.gone if self.loosened else self.new


@dataclass(slots=True)
class Impact:
    """The result of a comparison. matrix: counts by effect before and after. errors: lines that are invalid inputs."""

    matrix: Counter[tuple[str, str]] = field(default_factory=Counter)
    tenants: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    flips: list[Flip] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, line: Line, old: Made, new: Made) -> None:
        """Record the results of both policies for one input."""
        before, after = _read(old), _read(new)
        tenant, purpose = _text(line.input, "tenant", "id"), _text(line.input, "request", "purpose")
        self.matrix[_name(before), _name(after)] += 1
        self.tenants[tenant] += 1
        self.purposes[purpose] += 1
        if (loosened := looser(before, after)) is not None:
            gone, added = _difference(before, after), _difference(after, before)
            stage = str(line.input.get("stage", ""))
            flip = Flip(line.id, tenant, purpose, stage, _name(before), _name(after), loosened, gone, added)
            self.flips.append(flip)

    def merge(self, other: Impact) -> None:
        """Add the results of another process."""
        self.matrix.update(other.matrix)
        self.tenants.update(other.tenants)
        self.purposes.update(other.purposes)
        self.flips += other.flips
        self.errors += other.errors

    def decisions(self) -> int:
        """How many inputs were decided."""
        return self.matrix.total()

    def steps(self) -> list[tuple[str, str, int]]:
        """Each change of effect with its count: the largest steps to a looser effect first."""
        found = [(before, after, count) for (before, after), count in self.matrix.items()]
        return sorted(found, key=lambda step: (rank(step[1]) - rank(step[0]), step))

    def count(self, *, loosened: bool) -> int:
        """How many decisions flipped in one direction."""
        return sum(flip.loosened == loosened for flip in self.flips)

    def ordered(self) -> list[Flip]:
        """The flips: looser ones first, and among them the largest steps first."""
        return sorted(self.flips, key=lambda flip: (not flip.loosened, -abs(rank(flip.before) - rank(flip.after))))


@dataclass(frozen=True, slots=True)
class Row:
    """How many decisions about one thing became looser or stricter. of: all decisions about it; 0 if unknown."""

    name: str
    loosened: int
    tightened: int
    of: int = 0


def by_rule(impact: Impact) -> list[Row]:
    """The rules and obligations behind the flips, those with the most looser decisions first."""
    return _rows(((name, flip.loosened) for flip in impact.flips for name in flip.behind()), Counter())


def by_tenant(impact: Impact) -> list[Row]:
    """The tenants whose decisions flip, those with the most looser decisions first."""
    return _rows(((flip.tenant, flip.loosened) for flip in impact.flips), impact.tenants)


def by_purpose(impact: Impact) -> list[Row]:
    """The declared purposes whose decisions flip, those with the most looser decisions first."""
    return _rows(((flip.purpose, flip.loosened) for flip in impact.flips), impact.purposes)


def as_json(impact: Impact) -> dict[str, Json]:
    """The whole result as JSON, for programs."""
    return {
        "decisions": impact.decisions(),
        "loosened": impact.count(loosened=True),
        "tightened": impact.count(loosened=False),
        "effects": [{"before": a, "after": b, "decisions": n} for a, b, n in impact.steps()],
        "by_rule": [asdict(row) for row in by_rule(impact)],
        "by_tenant": [asdict(row) for row in by_tenant(impact)],
        "by_purpose": [asdict(row) for row in by_purpose(impact)],
        "flips": [asdict(flip) for flip in impact.ordered()],
        "not_inputs": list(impact.errors),
    }


def looser(before: Decision, after: Decision) -> bool | None:
    """True if the second decision is looser than the first, False if it is stricter, None if neither."""
    if before.effect is not after.effect:
        return after.effect < before.effect
    if not all(_met(old, after.obligations) for old in before.obligations):
        return True
    return None if all(_met(new, before.obligations) for new in after.obligations) else False


def _met(old: Obligation, now: Iterable[Obligation]) -> bool:
    """Whether a current obligation requires at least as much."""
    return any(new.kind == old.kind and _as_much(old, new) for new in now)


def _as_much(old: Obligation, new: Obligation) -> bool:
    if old.kind in {"max_tokens", "incident"}:
        return new.limit <= old.limit and new.text == old.text
    if old.kind == "remove_tools":
        return set(new.effectors) >= set(old.effectors)
    return new == old


def _difference(one: Decision, other: Decision) -> tuple[str, ...]:
    """Rules and obligations that only the first decision has."""
    elsewhere = {(rule.id, rule.effect) for rule in other.rules}
    rules = [rule.id for rule in one.rules if (rule.id, rule.effect) not in elsewhere]
    obligations = {f"obligation {o.kind}" for o in one.obligations if not _met(o, other.obligations)}
    return (*rules, *sorted(obligations))


def _read(made: Made) -> Decision:
    if isinstance(made, Decision):
        return made
    rule = Rule(NO_DECISION, "The engine gave no decision", "provider_baseline", made, (), "deny")
    return Decision(Effect.DENY, (rule,), (), ())


def _rows(found: Iterable[tuple[str, bool]], of: Counter[str]) -> list[Row]:
    counts = Counter(found)
    names = {name for name, _ in counts}
    rows = [Row(name, counts[name, True], counts[name, False], of[name]) for name in names]
    return sorted(rows, key=lambda row: (-row.loosened, -row.tightened, row.name))


def _text(facts: dict[str, Any], part: str, key: str) -> str:
    value = facts.get(part)
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else "(none)"


def _name(decision: Decision) -> str:
    return decision.effect.name.lower()


def rank(effect: str) -> int:
    """The strictness of an effect."""
    return Effect[effect.upper()]
