"""Decision inputs: one that the starter policy permits, and generated ones near it.

plain(request={"purpose": "x"})   # the permitted input with single facts replaced, one level deep
inputs()                          # a hypothesis strategy: known words mostly, odd and missing facts sometimes
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from gateway.signals.lexicon import load

SIGNALS = tuple(load()[0].signals)
"""Every signal that a detector reads."""


def grant(rule: str, **changes: Any) -> dict[str, Any]:
    """A grant of the tenant for this rule, in force at the time of the permitted input."""
    return {
        "id": f"grant-{rule}",
        "rule": rule,
        "purposes": ["general_assistance", "foreign_intelligence_analysis", "person_tracking"],
        "conditions": [],
        "not_before": 0,
        "expires": 1_795_000_000_000,
        "addendum": "addendum-1",
        **changes,
    }


PLAIN: dict[str, Any] = {
    "stage": "request",
    "principal": {"subject": "analyst", "client_id": "app", "roles": [], "certificate": "spiffe://agency.example/app"},
    "tenant": {
        "id": "agency",
        "kind": "intelligence",
        "policy": "",
        "purposes": ["general_assistance", "targeting_support", "foreign_intelligence_analysis"],
        "models": ["loopback"],
        "marking_ceiling": {"level": 3, "controls": ["NOFORN"]},
        "region": "US",
        "owners": ["US"],
        "national_security": True,
        "grants": [],
    },
    "request": {
        "purpose": "general_assistance",
        "authority": None,
        "marking": {"level": 0, "controls": []},
        "documents": [],
        "tools": [],
        "autonomy": "none",
        "approval": None,
        "evidence": [],
        "us_person": {"involved": "no", "basis": "", "process_id": ""},
        "geo": [],
        "volume": {"persons": None, "records": None},
        "data_origin": "agency_records",
        "channel": "internal",
        "max_tokens": 1024,
        "model": "loopback",
    },
    "model": {
        "id": "loopback",
        "marking_ceiling": {"level": 3, "controls": ["NOFORN"]},
        "levels": [{"framework": "RSP", "level": "ASL-2"}],
        "safeguards": ["input_classifier", "output_classifier"],
        "report": {"reference": "report-1", "issued": 0, "expires": 4_102_444_800_000},
    },
    "signals": dict.fromkeys(SIGNALS, 0),
    "safeguards": ["input_classifier", "output_classifier", "trusted_user_access", "usage_monitoring"],
    "audit": {"ready": True},
    "release": {"digest": "0" * 64, "version": 1, "signers": ["agency", "provider"]},
    "now": 1_790_000_000_000,
}


def plain(**changes: Any) -> dict[str, Any]:
    """The permitted input; a mapping replaces single facts of a part, anything else the whole part."""
    made = copy.deepcopy(PLAIN)
    for part, change in changes.items():
        made[part] = {**made[part], **change} if isinstance(change, dict) else change
    return made


_odd = st.sampled_from([None, True, "", "odd", "\u0000\u2028\U0001f512", -1, 2**53 - 1, [], {}, [None], {"level": "3"}])
_marking = st.fixed_dictionaries({"level": st.integers(0, 5), "controls": st.just([]) | st.just(["NOFORN"])})
_known: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "tenant": {
        "kind": st.sampled_from(["civil", "dod", "intelligence", "law_enforcement"]),
        "policy": st.sampled_from(["", "example", "absent"]),
        "marking_ceiling": _marking,
        "grants": st.lists(
            st.builds(
                grant,
                st.sampled_from(["foreign_intel_analysis", "track_person_nonconsent", "model_allowed"]),
                expires=st.sampled_from([1_785_000_000_000, 1_795_000_000_000]),
                conditions=st.sampled_from([[], [{"kind": "max_tokens", "params": {"limit": 9}}]]),
            ),
            max_size=2,
        ),
    },
    "request": {
        "purpose": st.sampled_from([*PLAIN["tenant"]["purposes"], "logistics_planning", "unheard_of"]),
        "authority": st.fixed_dictionaries(
            {
                "kind": st.just("statute"),
                "citation": st.sampled_from(["EO 12333 2.4", "18 USC 2518", "none such"]),
                "id": st.text(max_size=5),
                "not_before": st.just(1_780_000_000_000),
                "expires": st.sampled_from([1_785_000_000_000, 1_799_000_000_000]),
            }
        ),
        "marking": _marking,
        "documents": st.lists(_marking | st.none(), max_size=2),
        "tools": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.text(max_size=5),
                    "effector": st.sampled_from(["unspecified", "read_only", "cyber", "weapon", "nuclear"]),
                }
            ),
            max_size=2,
        ),
        "autonomy": st.sampled_from(["unspecified", "none", "recommend", "autonomous"]),
        "approval": st.fixed_dictionaries(
            {"id": st.just("a"), "approver": st.sampled_from(["analyst", "chief"]), "digest": st.just("d")}
        ),
        "us_person": st.fixed_dictionaries(
            {
                "involved": st.sampled_from(["yes", "no", "unknown", "unspecified"]),
                "basis": st.just(""),
                "process_id": st.just(""),
            }
        ),
        "geo": st.lists(st.sampled_from(["US", "FR", "PR"]), max_size=2),
        "volume": st.fixed_dictionaries({"persons": st.none() | st.integers(0, 2000), "records": st.none()}),
        "data_origin": st.sampled_from(["agency_records", "commercial", "public"]),
        "channel": st.sampled_from(["internal", "public", "machine"]),
        "max_tokens": st.integers(-1, 100_000),
        "model": st.sampled_from(["loopback", "other"]),
    },
    "signals": {name: st.none() | st.integers(0, 1000) for name in SIGNALS},
}


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Facts near the permitted ones: a few changed to other known words, and now and then one that is odd or gone."""
    made = plain()
    facts = [(part, fact) for part in _known for fact in _known[part]]
    for part, fact in draw(st.lists(st.sampled_from(facts), max_size=6)):
        made[part][fact] = draw(_known[part][fact])
    if draw(st.integers(0, 4)) == 0:
        part = draw(st.sampled_from(sorted(made)))
        if isinstance(made[part], dict) and draw(st.booleans()):
            fact = draw(st.sampled_from(sorted(made[part])))
            made[part][fact] = draw(_odd)
        elif draw(st.booleans()):
            made[part] = draw(_odd)
        else:
            del made[part]
    return made
