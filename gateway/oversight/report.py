"""The report as a value: counts, the period and logs that they cover, and deadlines for reporting incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from brightline_verify.report import Report
from gateway.canonical import Json
from gateway.oversight.clocks import Incident
from gateway.oversight.counting import CALLS, Counts, Fired, InForce, Tenant

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Period:
    """From since_us up to but not including before_us: microseconds since 1970 UTC; None for no bound."""

    since_us: int | None
    before_us: int | None

    def __str__(self) -> str:
        since = "the beginning" if self.since_us is None else day(self.since_us)
        until = "its end" if self.before_us is None else day(self.before_us - 1)
        return f"{since} to {until}" if since != until else since


@dataclass(frozen=True, slots=True)
class Oversight:
    """A report. logs: the result of verifying each log. made_us: when the report was made."""

    logs: Sequence[Report]
    period: Period
    counts: Counts
    made_us: int

    def as_json(self) -> dict[str, Json]:
        """The whole report as JSON, for programs. The auditor's guide describes the fields."""
        counts = self.counts
        return {
            "format": FORMAT,
            "logs": [_log(report) for report in self.logs],
            "made_us": self.made_us,
            "period": {"since_us": self.period.since_us, "before_us": self.period.before_us},
            "records": counts.records,
            "calls": calls(counts.calls),
            "checks": calls(counts.checks),
            "reasons": _sorted(counts.reasons),
            "answers": _sorted(counts.answers),
            "refusals": self.refusals(),
            "days": [{"day": name, **calls(counted)} for name, counted in sorted(counts.days.items())],
            "tenants": [_tenant(name, tenant) for name, tenant in sorted(counts.tenants.items())],
            "rules": [_rule(name, fired) for name, fired in sorted(counts.rules.items())],
            "releases": [_release(*item) for item in sorted(counts.releases.items(), key=lambda i: i[1].first_us)],
            "activations": _sorted(counts.activations),
            "approvals": _uses("approver", counts.approvals),
            "grants": _uses("grant", counts.grants),
            "detectors": [{"name": name, **_sorted(seen)} for name, seen in sorted(counts.detectors.items())],
            "incidents": [_incident(incident) for incident in counts.incidents],
            "incidents_in_all": counts.incidents_in_all,
        }

    def refusals(self) -> dict[str, Json]:
        """Refusals by source: a rule before the model was asked, a rule after it answered, or the model itself."""
        counts = self.counts
        return {
            "requests_by_rule": counts.calls["denied"],
            "answers_by_rule": counts.answers["refused_output"],
            "by_the_model": counts.model_refusals,
        }


def calls(counted: Mapping[str, int]) -> dict[str, Json]:
    """Counts of all results of calls."""
    return {kind: counted.get(kind, 0) for kind in CALLS}


def day(at_us: int) -> str:
    """The UTC date of a time."""
    return _moment(at_us).date().isoformat()


def minute(at_us: int) -> str:
    """A time in UTC, to the minute."""
    return f"{_moment(at_us):%Y-%m-%d %H:%M}"


def _moment(at_us: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _sorted(counted: Mapping[str, int]) -> dict[str, Json]:
    return dict(sorted(counted.items()))


def _log(report: Report) -> Json:
    return {"origin": report.origin, "records": report.size, "under_a_checkpoint": report.covered}


def _tenant(name: str, tenant: Tenant) -> Json:
    refused = {"refused_answers": tenant.refused_answers, "model_refusals": tenant.model_refusals}
    return {"tenant": name, **calls(tenant.calls), **refused}


def _rule(name: str, fired: Fired) -> Json:
    times = {"requests": fired.requests, "approvals": fired.approvals, "answers": fired.answers}
    times["not_judged"] = fired.unjudged
    return {"id": name, "class": fired.cls, **times}


def _release(digest: str, release: InForce) -> Json:
    return {
        "digest": digest,
        "version": release.version,
        "signers": list(release.signers),
        "first_us": release.first_us,
        "last_us": release.last_us,
        **calls(release.calls),
    }


def _uses(what: str, used: Mapping[tuple[str, str], int]) -> Json:
    return [{"tenant": tenant, what: name, "uses": uses} for (tenant, name), uses in sorted(used.items())]


def _incident(incident: Incident) -> Json:
    return {
        "decision_id": incident.decision_id,
        "tenant": incident.tenant,
        "text": incident.text,
        "aware_at_us": incident.aware_at_us,
        "due": [{"clock": name, "at_us": at} for name, at in incident.due()],
    }
