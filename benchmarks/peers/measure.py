"""The cases of a system, and their results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.peers.generators import Load, Result, Streams, streams
from benchmarks.peers.processes import NotHereError
from benchmarks.peers.systems import Common, Serving, System

MANY = 32
WARM_S = 3.0
STREAMS = 20


@dataclass(slots=True)
class Measured:
    """A system with its figures. A figure that could not be measured is None, and `reasons` says why."""

    system: System
    permitted: Result | None = None
    refused: Result | None = None
    permitted_many: Result | None = None
    refused_many: Result | None = None
    streams: Streams | None = None
    reasons: list[str] = field(default_factory=list)


def measure(systems: Sequence[System], common: Common, seconds: float) -> list[Measured]:
    """Measure the systems one after the other, each running alone with the upstream and the generator."""
    return [one(system, common, seconds) for system in systems]


def one(system: System, common: Common, seconds: float) -> Measured:
    """Measure one system. A failure is reported, and the other figures are kept."""
    print(f"measuring {system.name}", file=sys.stderr, flush=True)
    found = Measured(system)
    try:
        with system.start(common) as serving:
            cases(found, serving, common, seconds)
    except NotHereError as error:
        found.reasons.append(str(error))
    return found


def cases(found: Measured, serving: Serving, common: Common, seconds: float) -> None:
    """Measure all cases of a running system."""
    found.permitted, found.permitted_many = both(found, "permitted", serving.permitted, seconds)
    if serving.refused:
        found.refused, found.refused_many = both(found, "refused", serving.refused, seconds)
    if serving.stream:
        kind, arguments = serving.stream
        try:
            found.streams = streams(common.wire, kind, STREAMS, *arguments)
        except NotHereError as error:
            found.reasons.append(f"streams: {error}")


def both(found: Measured, name: str, load: Load, seconds: float) -> tuple[Result | None, Result | None]:
    """With one client and with many calls in flight, after a warm-up with as many."""
    try:
        load.run(MANY, min(WARM_S, seconds))
        return load.run(1, seconds), load.run(MANY, seconds)
    except NotHereError as error:
        found.reasons.append(f"{name}: {error}")
        return None, None
