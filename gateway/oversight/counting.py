"""Counts the records of a log. Memory grows with tenants, rules, releases and days, not with records.

A call is counted once for its result before forwarding, and once for how its answer ended, each in the period of that
record. Parts that a record left out because they were too large are not counted. The result of a call is never left
out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from brightline_verify.record import Kind, Outcome
from gateway.audit.unjudged import unjudged
from gateway.errors import Reason
from gateway.oversight.clocks import Incident

MOST_INCIDENTS: Final = 10_000
"""The most incidents that are listed one by one. All are counted."""

PERMITTED, APPROVAL, DENIED, OTHERWISE = "permitted", "approval_required", "denied", "otherwise"
CALLS: Final = (PERMITTED, APPROVAL, DENIED, OTHERWISE)
"""The result of a call: permitted, waiting for approval, refused by a rule, or turned away for another reason."""

_BY_REASON: Final = {Reason.POLICY_DENIED: DENIED, Reason.APPROVAL_REQUIRED: APPROVAL}
_BY_EFFECT: Final = {"allow": PERMITTED, "require_approval": APPROVAL, "deny": DENIED}
NOBODY: Final = ""
"""The tenant of calls whose caller was not authenticated."""


@dataclass(slots=True)
class Fired:
    """How often a rule was behind a refusal. cls: its class.

    unjudged: refusals because content or use could not be judged; they are counted only here.
    """

    cls: str
    requests: int = 0
    approvals: int = 0
    answers: int = 0
    unjudged: int = 0

    def total(self) -> int:
        """Its refusals of content and use that could be judged."""
        return self.requests + self.approvals + self.answers


@dataclass(slots=True)
class InForce:
    """A release while it decided.

    version and the rest: from the record that introduced the release; empty if the period begins after that record.
    """

    calls: Counter[str] = field(default_factory=Counter)
    version: int = 0
    signers: tuple[str, ...] = ()
    first_us: int = 0
    last_us: int = 0


@dataclass(slots=True)
class Tenant:
    """The calls of a tenant. refused_answers: refused by the gateway. model_refusals: by the model itself."""

    calls: Counter[str] = field(default_factory=Counter)
    refused_answers: int = 0
    model_refusals: int = 0


@dataclass(slots=True)
class Counts:
    """All counts. red_lines: rules to list even if they never fired."""

    red_lines: Iterable[str] = ()
    records: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    model_refusals: int = 0
    days: dict[str, Counter[str]] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    rules: dict[str, Fired] = field(default_factory=dict)
    releases: dict[str, InForce] = field(default_factory=dict)
    approvals: Counter[tuple[str, str]] = field(default_factory=Counter)
    grants: Counter[tuple[str, str]] = field(default_factory=Counter)
    detectors: dict[str, Counter[str]] = field(default_factory=dict)
    activations: Counter[str] = field(default_factory=Counter)
    incidents: list[Incident] = field(default_factory=list)
    incidents_in_all: int = 0

    def __post_init__(self) -> None:
        self.rules.update({rule: Fired("red_line") for rule in self.red_lines})

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record."""
        self.records += 1
        match record["kind"]:
            case Kind.INTENT:
                self._call(record, PERMITTED)
                self._relied_on(record)
            case Kind.REFUSAL:
                self._call(record, _BY_REASON.get(record.get("reason", ""), OTHERWISE))
            case Kind.CHECK:
                self.checks[_BY_EFFECT[record["decision"]["effect"]] if record.get("decision") else OTHERWISE] += 1
            case Kind.OUTCOME:
                self._answer(record)
            case Kind.AGGREGATE:
                for reason, told in record["counts"].items():
                    self.calls[OTHERWISE] += told["number"]
                    self.reasons[reason] += told["number"]
                    self._day(record)[OTHERWISE] += told["number"]
            case Kind.START | Kind.RELEASE:
                self._activated(record)
        self._incidents(record)
        for reading in record.get("readings") or ():
            seen = self.detectors.setdefault(reading["name"], Counter())
            seen["readings"] += 1
            seen["unavailable"] += reading["score"] is None

    def _call(self, record: Mapping[str, Any], came_to: str) -> None:
        self.calls[came_to] += 1
        if came_to == OTHERWISE:
            self.reasons[record.get("reason", "")] += 1
        self._tenant(record).calls[came_to] += 1
        self._day(record)[came_to] += 1
        release = self._release(record.get("release") or "", record["time_us"])
        release.calls[came_to] += 1
        if came_to in {DENIED, APPROVAL}:
            apart = unjudged(record)
            for rule in record.get("rules") or ():
                fired = self._rule(rule)
                denied = rule["effect"] == "deny"
                fired.approvals += rule["effect"] == "require_approval"
                fired.requests += denied and rule["id"] not in apart
                fired.unjudged += denied and rule["id"] in apart

    def _relied_on(self, record: Mapping[str, Any]) -> None:
        """What a permitted call needed besides the rules: a person's approval, or the provider's grants."""
        tenant = _tenant(record)
        request = (record.get("input") or {}).get("request") or {}
        if approval := request.get("approval"):
            self.approvals[tenant, approval["approver"]] += 1
        for grant in (record.get("decision") or {}).get("grants", ()):
            self.grants[tenant, grant] += 1

    def _answer(self, record: Mapping[str, Any]) -> None:
        self.answers[record["outcome"]] += 1
        refused = record["outcome"] == Outcome.REFUSED_OUTPUT
        by_model = (record.get("model") or {}).get("stop") == "model_refusal"
        self.model_refusals += by_model
        tenant = self._tenant(record)
        tenant.refused_answers += refused
        tenant.model_refusals += by_model
        if refused:
            apart = unjudged(record)
            for rule in record.get("rules") or ():
                self._rule(rule).answers += rule["id"] not in apart
                self._rule(rule).unjudged += rule["id"] in apart

    def _activated(self, record: Mapping[str, Any]) -> None:
        if record["kind"] == Kind.RELEASE:
            self.activations[record["outcome"]] += 1
        if told := record.get("release"):
            release = self._release(told["digest"], record["time_us"])
            release.version, release.signers = told["version"], tuple(told["signers"])

    def _incidents(self, record: Mapping[str, Any]) -> None:
        for told in record.get("incidents") or ():
            self.incidents_in_all += 1
            if len(self.incidents) < MOST_INCIDENTS:
                what = (told["text"], told["aware_at_us"], told["report_within_hours"])
                self.incidents.append(Incident(record["decision_id"], _tenant(record), *what))

    def _day(self, record: Mapping[str, Any]) -> Counter[str]:
        day = datetime.fromtimestamp(record["time_us"] // 1_000_000, UTC).date().isoformat()
        return self.days.setdefault(day, Counter())

    def _tenant(self, record: Mapping[str, Any]) -> Tenant:
        return self.tenants.setdefault(_tenant(record), Tenant())

    def _rule(self, rule: Mapping[str, Any]) -> Fired:
        return self.rules.setdefault(rule["id"], Fired(rule["class"]))

    def _release(self, digest: str, now_us: int) -> InForce:
        found = self.releases.setdefault(digest, InForce(first_us=now_us))
        found.last_us = max(found.last_us, now_us)
        return found


def _tenant(record: Mapping[str, Any]) -> str:
    tenant: str = (record.get("principal") or {}).get("tenant", NOBODY)
    return tenant
