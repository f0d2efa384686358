from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from brightline_verify.record import Kind
from gateway.audit.record import Record
from gateway.oversight.clocks import CLOCKS, Incident
from gateway.oversight.counting import APPROVAL, DENIED, OTHERWISE, PERMITTED, Counts
from tests.support.logs import record

DAY_US = 86_400_000_000
RED = {"id": "weapon_engage_autonomous", "class": "red_line", "effect": "deny"}
ASKS = {"id": "weapon_human_judgment", "class": "directive", "effect": "require_approval"}


def counted(*records: Record, red_lines: tuple[str, ...] = ()) -> Counts:
    made = Counts(red_lines)
    for one in records:
        made.add(one)
    return made


def test_a_call_is_told_by_what_it_came_to() -> None:
    """Permitted, waiting, refused by a rule and turned away otherwise are four things, by tenant and by release too."""
    made = counted(
        record(Kind.INTENT, 1, "a"),
        record(Kind.REFUSAL, 2, "a", rules=[RED]),
        record(Kind.REFUSAL, 3, "b", reason="APPROVAL_REQUIRED", rules=[ASKS]),
        record(Kind.REFUSAL, 4, reason="TOKEN_EXPIRED", principal=None, rules=[]),
        record(Kind.CHECK, 5, "a"),
    )
    assert made.calls == {PERMITTED: 1, DENIED: 1, APPROVAL: 1, OTHERWISE: 1}
    assert made.tenants["a"].calls == {PERMITTED: 1, DENIED: 1}
    assert made.tenants[""].calls == {OTHERWISE: 1}
    assert [r.calls.total() for r in made.releases.values()] == [4]
    assert made.reasons == {"TOKEN_EXPIRED": 1}
    assert made.checks == {PERMITTED: 1}


def test_a_models_refusal_is_not_the_gateways() -> None:
    """An answer that a rule refused and a model that refused by itself are counted apart."""
    stop = {"answered": "echo", "stop": "model_refusal"}
    made = counted(
        record(Kind.OUTCOME, 1, "a", model=stop),
        record(Kind.OUTCOME, 2, "a", outcome="refused_output", reason="OUTPUT_DENIED", rules=[RED]),
    )
    assert (made.model_refusals, made.answers) == (1, {"completed": 1, "refused_output": 1})
    assert (made.tenants["a"].model_refusals, made.tenants["a"].refused_answers) == (1, 1)
    assert (made.rules[RED["id"]].answers, made.rules[RED["id"]].requests) == (1, 0)


def test_red_lines_that_never_fired_are_told() -> None:
    """A zero is a statement: a red line of the release is there without a record of it."""
    made = counted(record(Kind.REFUSAL, 1, rules=[RED]), red_lines=("csam", RED["id"]))
    assert {name: fired.total() for name, fired in made.rules.items()} == {"csam": 0, RED["id"]: 1}


def test_what_nobody_could_judge_is_told_apart_from_a_red_line() -> None:
    """A refusal of content that nobody could read is told apart from a red line that content reached."""
    unread, heard = ({"name": "autonomous_targeting", "version": "1", "score": score} for score in (None, 800))
    made = counted(
        record(Kind.REFUSAL, 1, rules=[RED], readings=[unread]),
        record(Kind.REFUSAL, 2, rules=[RED], readings=[heard]),
        record(Kind.OUTCOME, 3, outcome="refused_output", rules=[RED], judgements=[{"readings": [unread]}]),
        record(Kind.OUTCOME, 4, outcome="refused_output", rules=[RED], judgements=[{"readings": [heard]}]),
    )
    fired = made.rules[RED["id"]]
    assert (fired.requests, fired.answers, fired.unjudged, fired.total()) == (1, 1, 2, 2)
    assert (made.calls[DENIED], made.answers["refused_output"]) == (2, 2)


def test_what_a_permitted_call_rested_on_is_counted() -> None:
    """Each use of an approval counts for its approver, each use of a grant for the grant, and both for the tenant."""
    intent = record(Kind.INTENT, 1, "a")
    asked: Any = intent["input"]
    asked = {**asked, "request": {**asked["request"], "approval": {"id": "A1", "approver": "ito", "digest": "d"}}}
    granted = {"effect": "allow", "obligations": [], "grants": ["addendum-7"]}
    made = counted(intent | {"input": asked, "decision": granted}, record(Kind.INTENT, 2, "a"))
    assert made.approvals == {("a", "ito"): 1}
    assert made.grants == {("a", "addendum-7"): 1}


def test_releases_are_introduced_by_the_log() -> None:
    """A start or an activation says version and signers; first and last are when the release was met."""
    told = {"digest": "ee" * 32, "version": 8, "revision": "r", "signers": ["provider", "agency"]}
    made = counted(record(Kind.START, 1, release=told), record(Kind.INTENT, 9, release="ee" * 32))
    release = made.releases["ee" * 32]
    assert (release.version, release.signers, release.last_us - release.first_us) == (8, ("provider", "agency"), 8)
    assert release.calls == {PERMITTED: 1}


def test_an_incident_has_the_clocks_of_its_time() -> None:
    """Clocks run from when it was known; one that was not in force then does not run."""
    told = {"text": "a text", "aware_at_us": DAY_US, "report_within_hours": 24}
    made = counted(record(Kind.REFUSAL, 1, "a", incidents=[told]))
    (incident,) = made.incidents
    due = dict(incident.due())
    assert (incident.tenant, incident.text, due["policy"]) == ("a", "a text", 2 * DAY_US)
    assert (due["SB 53, 15 d"], due["EU 9.3, 2 d"]) == (16 * DAY_US, 3 * DAY_US)
    assert "RAISE, 72 h" not in due
    in_2027 = Incident("d", "a", "t", 1_800_000_000_000_000, 24).due()
    assert [at for name, at in in_2027 if name == "RAISE, 72 h"] == [1_800_000_000_000_000 + 3 * DAY_US]
    assert len(in_2027) == len(CLOCKS) + 1


def test_records_that_had_to_leave_something_out_are_counted() -> None:
    """What a call came to is counted when the rest of its record did not fit, and when nobody knows how it ended."""
    essentials = ("v", "kind", "decision_id", "time_us", "outcome", "reason", "release")
    refusal = record(Kind.REFUSAL, 1, "a")
    cut = {key: refusal[key] for key in essentials} | {"principal": {"tenant": "a"}, "omitted": ["rules"]}
    orphan = {"kind": "outcome", "time_us": 1, "outcome": "outcome_unknown", "reason": "", "principal": {"tenant": "a"}}
    made = counted(cut, orphan)
    assert (made.calls, made.answers) == ({DENIED: 1}, {"outcome_unknown": 1})


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(0, 9), st.integers(0, 40))))
def test_everything_adds_up(told: list[tuple[Kind, int, int]]) -> None:
    """Calls by day, by tenant and release (aggregates have none) add up to the calls, whatever a log holds."""
    made = counted(*(record(kind, n, f"t{n}", day * DAY_US) for kind, n, day in told if kind is not Kind.RELEASE))
    kinds = Counter(kind for kind, _, _ in told)
    assert made.records == kinds.total() - kinds[Kind.RELEASE]
    assert made.calls.total() == kinds[Kind.INTENT] + kinds[Kind.REFUSAL] + 2 * kinds[Kind.AGGREGATE]
    assert sum(day.total() for day in made.days.values()) == made.calls.total()
    single = made.calls.total() - 2 * kinds[Kind.AGGREGATE]
    assert sum(tenant.calls.total() for tenant in made.tenants.values()) == single
    assert sum(release.calls.total() for release in made.releases.values()) == single
    assert made.answers.total() == kinds[Kind.OUTCOME]
