"""Counters, as integers in lists of fixed shape. Counting costs a call a few microseconds in all.

Every label value comes from a closed list, or is the name of a model of the release or of a signal. No text of a caller
can become a label, and there is no label for the tenant, because there may be ten thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from gateway.errors import Reason
from gateway.types import Decision, Effect, Reading, Stage

T = TypeVar("T")

OTHER: Final = "other"
_SERVED: Final = {
    "InferenceService": ("Generate", "GenerateStream", "CheckPolicy", "ListModels"),
    "PolicyService": ("GetInForce", "GetChanges"),
    "ApprovalService": ("ListPending", "Approve"),
    "AuditService": ("Search", "Get", "Prove", "Watch", "Export"),
}
METHODS: Final = (*(method for methods in _SERVED.values() for method in methods), OTHER)
"""The methods that are served. Any other method name is the caller's text, and is counted as "other"."""
PHASES: Final = ("prove", "read", "wait", "facts", "signals", "decide", "intend", "forward", "judge", "record")
"""Each phase lasts from the previous milestone to its own. read: until the caller's message has arrived. wait: for a
turn."""
PROVE, READ, WAIT, FACTS, SIGNALS, DECIDE, INTEND, FORWARD, JUDGE, RECORD = range(len(PHASES))
REASONS: Final = tuple(Reason)
STAGES: Final = tuple(Stage)
EFFECTS: Final = tuple(Effect)
CLASSES: Final = ("red_line", "provider_baseline", "law", "directive", "agency", "none")
"""The class of the strictest rule that fired."""
FAILURES: Final = (Reason.UPSTREAM_UNAVAILABLE, Reason.UPSTREAM_FAILED, Reason.DEADLINE_EXCEEDED, Reason.INTERNAL)
"""How an exchange with a model can fail."""
SPANS: Final = ("made", "exported", "failed")

BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
_BOUNDS_NS: Final = [round(bound * 1e9) for bound in BOUNDS_S]
NAMES: Final = 64
"""The most models, and the most signals, with numbers of their own. The rest are counted together."""

_METHOD: Final = {
    f"/brightline.v1.{service}/{method}": METHODS.index(method)
    for service, methods in _SERVED.items()
    for method in methods
}
_REASON: Final = {reason: number for number, reason in enumerate(REASONS)}
_STAGE: Final = {stage: number * len(EFFECTS) * len(CLASSES) for number, stage in enumerate(STAGES)}
_EFFECT: Final = {effect: number * len(CLASSES) for number, effect in enumerate(EFFECTS)}
_CLASS: Final = {name: number for number, name in enumerate(CLASSES)}
_FAILURE: Final = {reason: number for number, reason in enumerate(FAILURES)}


def histogram() -> list[int]:
    """An empty histogram: one number for each bucket, one for everything above, then the sum in nanoseconds."""
    return [0] * (len(BOUNDS_S) + 2)


def took(numbers: list[int], ns: int) -> None:
    """Count a duration in nanoseconds."""
    numbers[bisect_left(_BOUNDS_NS, ns)] += 1
    numbers[-1] += ns


def method_of(name: str) -> int:
    """The index of a method in METHODS, by its full gRPC name."""
    return _METHOD.get(name, len(METHODS) - 1)


@dataclass(slots=True)
class OfModel:
    """The numbers of a model. whole: waits for answers. first: waits for a stream's first piece. failures: by kind."""

    whole: list[int] = field(default_factory=histogram)
    first: list[int] = field(default_factory=histogram)
    failures: list[int] = field(default_factory=lambda: [0] * len(FAILURES))


@dataclass(slots=True)
class Meters:
    """The numbers of one process since its start. Each only grows, and one thread writes them.

    calls: answered and refused, by method. decisions: by stage, effect and class.
    readings: with all scores, and with some score missing. unscored: missing scores by signal.
    """

    calls: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in METHODS])
    durations: list[list[int]] = field(default_factory=lambda: [histogram() for _ in METHODS])
    phases: list[list[int]] = field(default_factory=lambda: [histogram() for _ in PHASES])
    refusals: list[int] = field(default_factory=lambda: [0] * len(REASONS))
    decisions: list[int] = field(default_factory=lambda: [0] * (len(STAGES) * len(EFFECTS) * len(CLASSES)))
    readings: list[int] = field(default_factory=lambda: [0, 0])
    spans: list[int] = field(default_factory=lambda: [0] * len(SPANS))
    unscored: dict[str, list[int]] = field(default_factory=dict)
    models: dict[str, OfModel] = field(default_factory=dict)
    _scored: tuple[Reading, ...] = ()
    """The last reading with all scores. Most readings are the same tuple object, and need not be inspected again."""

    def ended(self, method: int, reason: Reason | None, ns: int) -> None:
        """A call has ended. reason: why it was refused or failed; None if it was answered."""
        self.calls[method][reason is not None] += 1
        took(self.durations[method], ns)
        if reason is not None:
            self.refusals[_REASON[reason]] += 1

    def decided(self, stage: Stage, decision: Decision) -> None:
        """Count a decision of the policy."""
        cls = _CLASS.get(decision.rules[0].cls, len(CLASSES) - 1) if decision.rules else len(CLASSES) - 1
        self.decisions[_STAGE[stage] + _EFFECT[decision.effect] + cls] += 1

    def read(self, readings: tuple[Reading, ...]) -> None:
        """Count a reading of content, by whether every signal has a score. The scores themselves are not counted."""
        if readings is self._scored:
            self.readings[0] += 1
            return
        lacking = [reading.name for reading in readings if reading.score is None]
        if not lacking:
            self._scored = readings
        self.readings[bool(lacking)] += 1
        for name in lacking:
            _named(self.unscored, name, _one)[0] += 1

    def of_model(self, model: str) -> OfModel:
        """The numbers of a model of the release."""
        return _named(self.models, model, OfModel)

    def failed(self, model: str, error: BaseException) -> None:
        """Count a failed exchange with a model, unless it was only cancelled."""
        if isinstance(error, Exception):
            reason = getattr(error, "reason", Reason.INTERNAL)
            self.of_model(model).failures[_FAILURE.get(reason, len(FAILURES) - 1)] += 1

    def said(self) -> dict[str, Any]:
        """All numbers, in the form that processes exchange."""
        said = {name: getattr(self, name) for name in _LISTS} | {"unscored": self.unscored}
        return said | {"models": {name: [m.whole, m.first, m.failures] for name, m in self.models.items()}}

    def add(self, said: dict[str, Any]) -> None:
        """Add the numbers of another process. Raises ValueError, TypeError or LookupError for an invalid form."""
        for name in _LISTS:
            _add(getattr(self, name), said[name])
        for name, numbers in said["unscored"].items():
            _add(_named(self.unscored, name, _one), numbers)
        for name, numbers in said["models"].items():
            mine = self.of_model(name)
            _add([mine.whole, mine.first, mine.failures], numbers)


_LISTS: Final = ("calls", "durations", "phases", "refusals", "decisions", "readings", "spans")


def _one() -> list[int]:
    return [0]


def _named(numbers: dict[str, T], name: str, made: Callable[[], T]) -> T:
    found = numbers.get(name)
    if found is None:
        known = name if len(numbers) < NAMES and isinstance(name, str) else OTHER
        found = numbers.setdefault(known, made())
    return found


def _add(mine: list[Any], said: list[Any]) -> None:
    for place, (one, other) in enumerate(zip(mine, said, strict=True)):
        if isinstance(one, list):
            _add(one, other)
        elif isinstance(other, int) and other >= 0:
            mine[place] = one + other
        else:
            raise ValueError("what was counted is not what a process counts")


@dataclass(frozen=True, slots=True)
class Counted:
    """What a process counted, and its current state.

    flying, waiting: concurrent calls, and those of them that wait for a turn. detectors: whether each is live. ready:
    whether calls can be permitted.
    """

    meters: Meters
    flying: int = 0
    waiting: int = 0
    detectors: dict[str, bool] = field(default_factory=dict)
    ready: bool = False

    @classmethod
    def heard(cls, said: dict[str, Any]) -> Counted:
        """Parse what another process sent.

        Raises ValueError, TypeError, LookupError or AttributeError for an invalid form.
        """
        meters = Meters()
        meters.add(said["meters"])
        flying, waiting, detectors, ready = (said[name] for name in ("flying", "waiting", "detectors", "ready"))
        if not (type(flying) is type(waiting) is int and min(flying, waiting) >= 0):
            raise ValueError("these are no counts of calls")
        if {type(is_so) for is_so in (ready, *detectors.values())} != {bool}:
            raise ValueError("these say neither yes nor no")
        return cls(meters, flying, waiting, detectors, ready)

    @classmethod
    def together(cls, several: Iterable[Counted], past: Meters) -> Counted:
        """Combine several processes and the numbers of ended ones. Liveness and readiness must hold in all of them."""
        meters, detectors, processes = Meters(), dict[str, bool](), [*several]
        meters.add(past.said())
        for one in processes:
            meters.add(one.meters.said())
            detectors |= {name: live and detectors.get(name, True) for name, live in one.detectors.items()}
        flying, waiting = sum(one.flying for one in processes), sum(one.waiting for one in processes)
        ready = bool(processes) and all(one.ready for one in processes)
        return cls(meters, flying, waiting, detectors, ready)

    def said(self) -> dict[str, Any]:
        """The value in the form that processes exchange."""
        standing = {"flying": self.flying, "waiting": self.waiting, "detectors": self.detectors, "ready": self.ready}
        return {"meters": self.meters.said(), **standing}
