"""A decision input that the starter policy permits. tests/support/generate.py has inputs of every kind.

plain(request={"purpose": "x"})   # the permitted input with single facts replaced, one level deep
"""

from __future__ import annotations

import copy
from typing import Any

from gateway import marking
from gateway.signals import FORMS
from gateway.signals.lexicon import load

SIGNALS = tuple(sorted({*load()[0].signals, *FORMS}))
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


def marked(banner: str) -> dict[str, Any]:
    """The policy's view of a banner line."""
    parsed = marking.parse(banner)
    assert parsed is not None, banner
    return marking.facts(parsed)


def output(*banners: str) -> dict[str, Any] | None:
    """The policy's view of the output marking of these banners."""
    highest = marking.highest(filter(None, map(marking.parse, banners)))
    return None if highest is None else {"banner": marking.write(highest), **marking.facts(highest)}


PLAIN: dict[str, Any] = {
    "stage": "request",
    "principal": {"subject": "analyst", "client_id": "app", "roles": [], "certificate": "spiffe://agency.example/app"},
    "tenant": {
        "id": "agency",
        "kind": "intelligence",
        "policy": "",
        "rules": ["ai_only_intel_product", "collateral_damage_estimate", "high_stakes_automated_decision"],
        "purposes": ["general_assistance", "targeting_support", "foreign_intelligence_analysis"],
        "models": ["loopback"],
        "marking_ceiling": marked("SECRET//SI//ORCON/NOFORN"),
        "region": "US",
        "owners": ["US"],
        "national_security": True,
        "grants": [],
    },
    "request": {
        "purpose": "general_assistance",
        "authority": None,
        "marking": marked("UNCLASSIFIED"),
        "documents": [],
        "output_marking": output("UNCLASSIFIED"),
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
        "marking_ceiling": marked("SECRET//SI//ORCON/NOFORN"),
        "levels": [{"framework": "RSP", "level": "ASL-2"}],
        "safeguards": ["input_classifier", "output_classifier"],
        "report": {"reference": "report-1", "issued": 0, "expires": 4_102_444_800_000},
        "issued": 0,
        "expires": 4_102_444_800_000,
        "enclaves": ["development"],
    },
    "enclave": {"name": "development", "marking_ceiling": marked("SECRET//SI//ORCON/NOFORN")},
    "signals": dict.fromkeys(SIGNALS, 0),
    "safeguards": {
        "detector.lexical": "live",
        "input_classifier": "live",
        "output_classifier": "live",
        "trusted_user_access": "live",
        "usage_monitoring": "live",
    },
    "audit": {"ready": True},
    "release": {"digest": "0" * 64, "version": 1, "signers": ["agency", "provider"]},
    "now": 1_790_000_000_000,
}


def plain(**changes: Any) -> dict[str, Any]:
    """The permitted input. A mapping replaces single facts of a part; any other value replaces the whole part."""
    made = copy.deepcopy(PLAIN)
    for part, change in changes.items():
        made[part] = {**made[part], **change} if isinstance(change, dict) else change
    return made
