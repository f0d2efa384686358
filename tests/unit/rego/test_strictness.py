"""What can only make decisions stricter: an agency's policy of any kind, a louder signal, and fewer papers.

Agency policies are generated as Rego, compiled with the pack, and run on the gateway's own engine.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.release import starter
from gateway.types import Decision, Effect
from gateway.workshop.build import build
from gateway.workshop.deciding import Decide, Made, embedded
from gateway.workshop.impact import looser
from gateway.workshop.policies import opened
from tests.support.generate import inputs
from tests.support.inputs import plain
from tests.support.lesser import lesser, put
from tests.support.policy import REGO
from tests.support.vectors import load

EXAMPLES = int(os.environ.get("BRIGHTLINE_EXAMPLES", "100"))
AGENCIES = 24
"""How many agencies are compiled into one policy."""

many = settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(
    max_examples=max(1, EXAMPLES // 50),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink is to compile for an hour; what failed is printed
)


def effect(made: Made) -> Effect:
    return made.effect if isinstance(made, Decision) else Effect.DENY


# --- agencies -----------------------------------------------------------------------------------------------------

CONDITIONS = (
    'input.request.channel == "public"',
    'input.stage != "request"',
    "input.signals.cbrn > 100",
    "not input.request.approval",
    "not data.brightline.facts.approved",
    'some tool in input.request.tools\n\ttool.effector in {"cyber", "weapon"}',
    "count(input.request.documents) > 0",
    "data.brightline.rules.law.nuclear_employment_human.verdict",
    "not data.brightline.rules.red_line.us_person_mass_surveillance.verdict",
    "input.tenant.grants[_].id",
    "input.nothing.at.all",
)  # fmt: skip

rules = st.builds(
    lambda cls, ident: {
        "title": "t",
        "custom": {"id": ident, "class": cls, "remedy": "m", "sources": [], "relaxed_by": "grant"},
    },
    st.sampled_from(["agency", "agency", "agency", "red_line", "provider_baseline", "none"]),
    st.sampled_from(["own", "marking_dominance", "weapon_engage_autonomous", "foreign_intel_analysis"]),
)
obligations = st.sampled_from([
    [{"kind": "label", "params": {"text": "t"}}],
    [{"kind": "max_tokens", "params": {"limit": 5}}, {"kind": "max_tokens", "params": {"limit": 9}}],
    [{"kind": "remove_tools", "params": {"effectors": []}}],
    [{"kind": "incident", "params": {"text": "t", "report_within_hours": 1}}],
    [{"kind": "output_marking", "params": {"text": "UNCLASSIFIED"}}],
    [{"kind": "route", "params": {"model": "large"}}],
    [{"kind": "allow", "params": {}}],
    [],
    "odd",
    None,
])  # fmt: skip
grants = st.sampled_from([["grant-1"], ["weapon_engage_autonomous"], [], "odd", None])
verdicts = st.fixed_dictionaries(
    {"effect": st.sampled_from(["allow", "allow", "require_approval", "deny", "permit", ""]), "rule": rules},
    optional={"obligations": obligations, "grants": grants},
) | st.sampled_from(["allow", True, None, {}, {"effect": "allow"}])


@st.composite
def agencies(draw: st.DrawFn) -> str:
    """The body of an agency's package: verdicts, each under conditions or always; sometimes something else."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["verdicts := 1", "verdicts := []", 'verdicts := {"allow": true}', "other := 1"]))
    text = []
    for verdict in draw(st.lists(verdicts, max_size=4)):
        conditions = draw(st.lists(st.sampled_from(CONDITIONS), max_size=2, unique=True))
        body = "".join(f"\n\t{condition}" for condition in conditions) or "\n\ttrue"
        text.append(f"verdicts contains {json.dumps(verdict)} if {{{body}\n}}")
    return "\n\n".join(text) or "verdicts := set()"


def compiled(folder: Path, bodies: list[str]) -> Path:
    """The pack with these agencies, called a0, a1 and so on."""
    shutil.copytree(REGO, folder / "rego", ignore=shutil.ignore_patterns("*_test.rego"))
    for number, body in enumerate(bodies):
        place = folder / f"rego/brightline/agency/a{number}"
        place.mkdir()
        (place / f"a{number}.rego").write_text(f"package brightline.agency.a{number}\n\n{body}\n")
    build(folder / "rego", folder / "built")
    return folder / "built"


def of(facts: Any, policy: str) -> Any:
    return {**facts, "tenant": {**facts["tenant"], "policy": policy}}


@few
@given(
    bodies=st.lists(agencies(), min_size=AGENCIES, max_size=AGENCIES),
    asked=st.lists(inputs().filter(lambda facts: isinstance(facts.get("tenant"), dict)), min_size=12, max_size=12),
)
@pytest.mark.timeout(600)
def test_no_agency_policy_weakens_a_decision(bodies: list[str], asked: list[Any]) -> None:
    """With any agency's policy a decision is as strict as with none, and keeps every rule and obligation."""
    with tempfile.TemporaryDirectory() as folder:
        built = compiled(Path(folder), bodies)
        with opened(built) as policy, embedded(policy.release) as decide:
            alone = decide([of(facts, "") for facts in asked])
            for number, body in enumerate(bodies):
                for facts, before, after in zip(
                    asked, alone, decide([of(f, f"a{number}") for f in asked]), strict=True
                ):
                    assert not weaker(before, after), f"{body}\n{json.dumps(facts)}\n{before}\n{after}"


def weaker(before: Made, after: Made) -> bool:
    """Whether an effect, an obligation or a rule of the first decision is gone in the second."""
    if isinstance(before, str) or isinstance(after, str):
        return isinstance(before, str) and not isinstance(after, str)
    gone = {(rule.id, rule.effect) for rule in before.rules} - {(rule.id, rule.effect) for rule in after.rules}
    return bool(looser(before, after) or gone)


def test_an_agency_is_heard(tmp_path: Path) -> None:
    """The property above is not empty: compiled in the same way, an agency's refusal refuses."""
    rule = {"title": "t", "custom": {"id": "own", "class": "agency", "remedy": "m", "sources": []}}
    body = f'verdicts contains {json.dumps({"effect": "deny", "rule": rule})} if input.stage == "request"'
    with opened(compiled(tmp_path, [body])) as policy, embedded(policy.release) as decide:
        made = decide([plain(), of(plain(), "a0")])
    assert [effect(one) for one in made] == [Effect.ALLOW, Effect.DENY]


# --- facts --------------------------------------------------------------------------------------------------------


def as_strict(decide: Decide, facts: Any, changed: Any) -> bool:
    """Whether what changed is decided as strictly. What is odd is refused for that, and taking it away may mend it."""
    before, after = decide([facts, changed])
    return effect(after) >= effect(before) or odd(before)


def odd(made: Made) -> bool:
    return isinstance(made, Decision) and "facts_well_formed" in {rule.id for rule in made.rules}


def with_fact(facts: Any, part: str, name: str, value: Any) -> Any:
    return put(facts, (part, name), value)


@many
@given(facts=inputs(), name=st.integers(0, 2**16), by=st.none() | st.integers(1, 1000))
def test_a_louder_signal_is_never_weaker(decide: Decide, facts: Any, name: int, by: int | None) -> None:
    """A higher score, and a score that nobody could give, leave every decision as strict as it was."""
    signals = facts.get("signals")
    if not isinstance(signals, dict) or not signals:
        return
    signal = sorted(signals)[name % len(signals)]
    score = signals[signal]
    if isinstance(score, int) and not isinstance(score, bool):
        louder = None if by is None else min(score + by, 1000)
        assert as_strict(decide, facts, with_fact(facts, "signals", signal, louder))


def papers(facts: Any, name: str, otherwise: Any) -> Any:
    """The request's approval, authority or evidence, or another where it has none."""
    request = facts.get("request")
    return (request.get(name) or otherwise) if isinstance(request, dict) else None


APPROVAL = {"id": "approval-1", "approver": "colonel", "digest": "sha256-of-the-request"}
DATA = json.loads((starter() / "data.json").read_bytes())["brightline"]
CITATIONS = sorted({citation for listed in DATA["authorities"].values() for citation in listed})
PERIOD = {"not_before": 1_790_000_000_000, "expires": 1_800_000_000_000}
"""In which every input is asked; a certification may run for as long."""
EVIDENCE = [{"kind": kind, "id": "e", "expires": 2**50} for kind in DATA["evidence"]]


@many
@given(facts=inputs())
def test_a_lower_approval_is_never_weaker(decide: Decide, facts: Any) -> None:
    """Without its approval, or with one by the caller, a request is decided as strictly as with it."""
    approval, principal = papers(facts, "approval", APPROVAL), facts.get("principal")
    if isinstance(approval, dict):
        own = {**approval, "approver": principal.get("subject", "") if isinstance(principal, dict) else ""}
        for lower in (None, own):
            higher = with_fact(facts, "request", "approval", approval)
            assert as_strict(decide, higher, with_fact(facts, "request", "approval", lower))


@many
@given(facts=inputs(), citation=st.sampled_from(CITATIONS))
def test_a_request_without_its_authority_is_never_weaker(decide: Decide, facts: Any, citation: str) -> None:
    """Without its authority, or with one that is over or that nobody knows, a request is decided as strictly."""
    listed = {"kind": "statute", "citation": citation, "id": "order-1", **PERIOD}
    authority = papers(facts, "authority", listed)
    if isinstance(authority, dict):
        for less in (None, {**authority, "expires": 0}, {**authority, "citation": "none that anybody lists"}):
            more = with_fact(facts, "request", "authority", authority)
            assert as_strict(decide, more, with_fact(facts, "request", "authority", less))


@pytest.mark.parametrize("citation", CITATIONS)
def test_no_vector_is_weaker_without_its_authority(decide: Decide, citation: str) -> None:
    """Whatever a request of the vectors cites, without it the request is decided as strictly."""
    asked = [vector.input for vector in load() if isinstance(vector.input.get("request"), dict)]
    listed = {"kind": "statute", "citation": citation, "id": "order-1", **PERIOD}
    cited = decide([with_fact(facts, "request", "authority", listed) for facts in asked])
    for less in (None, {**listed, "expires": 0}):
        without = decide([with_fact(facts, "request", "authority", less) for facts in asked])
        weaker = [facts for facts, b, a in zip(asked, cited, without, strict=True) if effect(a) < effect(b)]
        assert weaker == []


@many
@given(facts=inputs(), which=st.integers(0, 20))
def test_a_request_with_less_evidence_is_never_weaker(decide: Decide, facts: Any, which: int) -> None:
    """Without a piece of its evidence a request is decided as strictly as with it."""
    evidence = papers(facts, "evidence", EVIDENCE)
    if isinstance(evidence, list) and evidence:
        fewer = [piece for at, piece in enumerate(evidence) if at != which % len(evidence)]
        more = with_fact(facts, "request", "evidence", evidence)
        assert as_strict(decide, more, with_fact(facts, "request", "evidence", fewer))


@many
@given(facts=inputs(), which=st.integers(0, 20))
def test_a_tenant_with_fewer_grants_is_never_weaker(decide: Decide, facts: Any, which: int) -> None:
    """Without one of its grants, or with one that is over, a tenant's request is decided as strictly as with it."""
    tenant = facts.get("tenant")
    grants = tenant.get("grants") if isinstance(tenant, dict) else None
    if isinstance(grants, list) and grants:
        at = which % len(grants)
        over = {**grants[at], "expires": 0} if isinstance(grants[at], dict) else None
        for less in (grants[:at] + grants[at + 1 :], [*grants[:at], over, *grants[at + 1 :]]):
            assert as_strict(decide, facts, with_fact(facts, "tenant", "grants", less))


NAMELESS = (
    "", " ", "\u2003", "\u200b", "\u180e", "\u2800", "\u3164", "--", "\u2014", "\u2013", "\u2212", "\u2026", "*", "()",
    '"', "n/a", "N/A.", "NA", "(None)", "Unknown", "TBD", "unspecified",
)  # fmt: skip


@many
@given(facts=inputs(), named=st.sampled_from(NAMELESS))
def test_a_name_that_is_none_is_never_weaker(decide: Decide, facts: Any, named: str) -> None:
    """An order, a proof, a basis or a process whose name is none is worth no more than none."""
    request = facts.get("request")
    if not isinstance(request, dict):
        return
    if isinstance(authority := request.get("authority"), dict):
        blank = with_fact(facts, "request", "authority", {**authority, "id": named})
        assert as_strict(decide, facts, blank)
        assert as_strict(decide, with_fact(facts, "request", "authority", None), blank)
    if isinstance(evidence := request.get("evidence"), list):
        nameless = [{**item, "id": named} if isinstance(item, dict) else item for item in evidence]
        assert as_strict(
            decide, with_fact(facts, "request", "evidence", []), with_fact(facts, "request", "evidence", nameless)
        )
    if isinstance(us_person := request.get("us_person"), dict):
        for name in ("basis", "process_id"):
            less, blank = ({**us_person, name: value} for value in ("", named))
            assert as_strict(
                decide, with_fact(facts, "request", "us_person", less), with_fact(facts, "request", "us_person", blank)
            )


@pytest.mark.parametrize("named", NAMELESS)
def test_no_vector_is_weaker_by_a_name_that_is_none(decide: Decide, named: str) -> None:
    """Whatever the vectors ask, papers whose names are none open nothing that stays closed without them."""
    asked = [vector.input for vector in load() if isinstance(vector.input.get("request"), dict)]
    without = decide([with_papers(facts, None) for facts in asked])
    nameless = decide([with_papers(facts, named) for facts in asked])
    assert [f for f, b, a in zip(asked, without, nameless, strict=True) if effect(a) < effect(b) and not odd(b)] == []


def with_papers(facts: Any, named: str | None) -> Any:
    """The same facts, where every order, proof, basis and process has this name; with None they are taken away."""
    request = dict(facts["request"])
    if named is None:
        request |= {"authority": None, "evidence": []}
    if isinstance(authority := request.get("authority"), dict):
        request["authority"] = {**authority, "id": named}
    if evidence := request.get("evidence"):
        request["evidence"] = [{**piece, "id": named} if isinstance(piece, dict) else piece for piece in evidence]
    if isinstance(us_person := request.get("us_person"), dict):
        request["us_person"] = {**us_person, "basis": named or "", "process_id": named or ""}
    return {**facts, "request": request}


@many
@given(facts=inputs(), picks=st.lists(st.integers(0, 2**16), min_size=1, max_size=4))
def test_a_request_that_says_less_is_never_weaker(decide: Decide, facts: Any, picks: list[int]) -> None:
    """With a few things less, be it said, shown or granted, a request is decided as strictly."""
    less = facts
    for pick in picks:
        every = list(lesser(less)) or [("nothing", less)]
        less = every[pick % len(every)][1]
    assert as_strict(decide, facts, less)
