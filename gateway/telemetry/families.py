"""The metric families that Prometheus scrapes. The list is complete: a test compares it with the documentation.

Imported only where metrics are served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.telemetry.meters import (
    BOUNDS_S,
    CLASSES,
    EFFECTS,
    FAILURES,
    METHODS,
    PHASES,
    REASONS,
    SPANS,
    STAGES,
    Meters,
)

Labelled: TypeAlias = "Iterable[tuple[tuple[str, ...], float | list[int]]]"
"""Label values, each with its number."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. of: reads its numbers from the meters; None if its current value comes from `Now`, by name."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    of: Callable[[Meters], Labelled] | None = None


def _calls(meters: Meters) -> Labelled:
    for method, (answered, refused) in zip(METHODS, meters.calls, strict=True):
        yield (method, "answered"), answered
        yield (method, "refused"), refused


def _decisions(meters: Meters) -> Labelled:
    labels = [(stage, effect.name.lower(), cls) for stage in STAGES for effect in EFFECTS for cls in CLASSES]
    return zip(labels, meters.decisions, strict=True)


def _each(names: Iterable[str], numbers: Iterable[float | list[int]]) -> Labelled:
    return (((str(name),), number) for name, number in zip(names, numbers, strict=True))


FAMILIES: Final = (
    Family("brightline_calls", "counter", ("method", "result"), "Calls that ended, answered or refused.", _calls),
    Family(
        "brightline_call_duration_seconds",
        "histogram",
        ("method",),
        "From the arrival of a call until its last record was durable.",
        lambda meters: _each(METHODS, meters.durations),
    ),
    Family(
        "brightline_phase_duration_seconds",
        "histogram",
        ("phase",),
        "How long each part of a call took.",
        lambda meters: _each(PHASES, meters.phases),
    ),
    Family(
        "brightline_refusals",
        "counter",
        ("reason",),
        "Calls that were refused or failed, by the reason that the caller was given.",
        lambda meters: _each(REASONS, meters.refusals),
    ),
    Family(
        "brightline_decisions",
        "counter",
        ("stage", "effect", "class"),
        "Decisions of the policy, by the class of the strictest rule that fired.",
        _decisions,
    ),
    Family(
        "brightline_readings",
        "counter",
        ("result",),
        "Contents that detectors read: with every score, or lacking some.",
        lambda meters: _each(("scored", "unscored"), meters.readings),
    ),
    Family(
        "brightline_signal_unavailable",
        "counter",
        ("signal",),
        "Readings in which a signal had no score.",
        lambda meters: _each(meters.unscored, (number for (number,) in meters.unscored.values())),
    ),
    Family("brightline_detector_live", "gauge", ("detector",), "Whether a detector answered lately, in every process."),
    Family(
        "brightline_upstream_duration_seconds",
        "histogram",
        ("model",),
        "How long a model's service was waited for, for a whole answer.",
        lambda meters: _each(meters.models, (of.whole for of in meters.models.values())),
    ),
    Family(
        "brightline_upstream_first_piece_seconds",
        "histogram",
        ("model",),
        "How long for the first piece of a stream.",
        lambda meters: _each(meters.models, (of.first for of in meters.models.values())),
    ),
    Family(
        "brightline_upstream_failures",
        "counter",
        ("model", "reason"),
        "Exchanges with a model that failed.",
        lambda meters: (
            ((model, str(reason)), number)
            for model, of in meters.models.items()
            for reason, number in zip(FAILURES, of.failures, strict=True)
        ),
    ),
    Family(
        "brightline_spans",
        "counter",
        ("result",),
        "Spans of traces: made, exported, and failed to be exported. The rest wait, or were too many.",
        lambda meters: _each(SPANS, meters.spans),
    ),
    Family("brightline_calls_in_flight", "gauge", (), "Calls that are being handled."),
    Family("brightline_calls_waiting", "gauge", (), "Those of them that wait for their turn to be decided."),
    Family("brightline_calls_limit", "gauge", (), "How many may be at once."),
    Family("brightline_ready", "gauge", (), "Whether every process can permit calls, as far as it knows."),
    Family("brightline_workers", "gauge", (), "Processes that serve calls."),
    Family("brightline_worker_restarts", "counter", (), "Workers that ended and were replaced."),
    Family("brightline_log_writable", "gauge", (), "Whether the log is being written, as far as is known."),
    Family("brightline_log_records", "gauge", (), "Durable records."),
    Family("brightline_log_waiting_records", "gauge", (), "Records that wait to become durable."),
    Family("brightline_log_durable_age_seconds", "gauge", (), "Since records last became durable."),
    Family("brightline_log_unsigned_records", "gauge", (), "Durable records that no checkpoint covers yet."),
    Family("brightline_log_checkpoint_age_seconds", "gauge", (), "Since a checkpoint was last signed, or not needed."),
    Family("brightline_log_capacity_used_ratio", "gauge", (), "How full the place of the log is, from 0 to 1."),
    Family(
        "brightline_log_commit_duration_seconds", "histogram", (), "How long a batch of records took to be durable."
    ),
    Family("brightline_release_info", "gauge", ("digest", "engine"), "The release in force and what decides by it."),
    Family("brightline_release_version", "gauge", (), "The version of the release in force."),
    Family("brightline_release_age_seconds", "gauge", (), "Since the release came in force."),
    Family("brightline_release_expires_seconds", "gauge", (), "Until the signatures of the release in force expire."),
    Family("brightline_build_info", "gauge", ("version",), "The version of the gateway."),
)

Now: TypeAlias = "Mapping[str, Mapping[tuple[str, ...], float | list[int]] | float | list[int]]"
"""Current values by the name of a family. Unknown values are absent."""


def families(meters: Meters, now: Now) -> Iterator[Metric]:
    """All families with their numbers."""
    for family in FAMILIES:
        if family.of is not None:
            yield _metric(family, family.of(meters))
        elif family.name in now:
            numbers = now[family.name]
            yield _metric(family, numbers.items() if isinstance(numbers, Mapping) else [((), numbers)])


def _metric(family: Family, numbers: Labelled) -> Metric:
    if family.kind == "histogram":
        measured = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, number in numbers:
            assert isinstance(number, list)  # noqa: S101 - narrows the type
            measured.add_metric(labels, _buckets(number), number[-1] / 1e9)
        return measured
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = kind(family.name, family.help, labels=family.labels)
    for labels, number in numbers:
        assert isinstance(number, int | float)  # noqa: S101 - narrows the type
        made.add_metric(labels, number)
    return made


_EDGES: Final = (*map(str, BOUNDS_S), "+Inf")


def _buckets(numbers: list[int]) -> list[tuple[str, float]]:
    """Cumulative buckets, as Prometheus defines them."""
    below, made = 0, list[tuple[str, float]]()
    for edge, number in zip(_EDGES, numbers, strict=False):
        below += number
        made.append((edge, below))
    return made
