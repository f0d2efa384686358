"""Finds the rules that refused only because something could not be judged: content that no detector read, or a purpose
that is not on the list. Every rule refuses then, so one late detector looks like eight red lines.

Only rules of the pack are known here. Any other rule counts as having judged, and so does any doubt, for example if a
declaration may have crossed a red line by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from brightline_verify.record import Kind

CONTENT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "biometric_emotion_score": ("biometric_scoring",),
        "cbrn_uplift": ("cbrn",),
        "criminal_justice_determination": ("criminal_justice",),
        "critical_infrastructure_attack": ("critical_infrastructure",),
        "csam": ("child_safety",),
        "cyber_unauthorized": ("offensive_cyber",),
        "damaging_malware": ("offensive_cyber",),
        "first_amendment_profiling": ("protected_expression", "us_person"),
        "influence_disinformation": ("influence_operations",),
        "nuclear_employment_human": ("nuclear_command",),
        "power_seizure": ("power_seizure",),
        "safeguard_tamper": ("safeguard_tampering",),
        "state_censorship": ("state_censorship",),
        "track_person_nonconsent": ("domestic_surveillance", "person_tracking"),
        "us_person_mass_surveillance": ("domestic_surveillance", "us_person"),
        "weapon_engage_autonomous": ("autonomous_targeting",),
        "weapons_design": ("weapons_design",),
    }
)
"""The signals of each rule that refuses content that no detector read."""

PURPOSE: Final = frozenset(
    {"power_seizure", "safeguard_tamper", "us_person_mass_surveillance", "weapon_engage_autonomous"}
)
"""The red lines that refuse a purpose of unknown area. If they all fired, and `purpose_known` too, the use is unknown.
If the purpose is on the list but was not agreed, only those red lines that concern it fire."""

DECLARED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "power_seizure": frozenset({"seizure_of_power"}),
        "us_person_mass_surveillance": frozenset({"domestic_monitoring"}),
        "weapon_engage_autonomous": frozenset(
            {"targeting_support", "weapon_engagement", "collateral_damage_estimation"}
        ),
        "nuclear_employment_human": frozenset({"nuclear_employment"}),
    }
)
"""The purposes that a rule may refuse whatever the content is."""

LOUD: Final = 300
"""From this score, in thousandths, a signal may have caused a rule's refusal. It is the pack's lowest threshold."""


def unjudged(record: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the record's rules that refused what could not be judged. Empty if an incident must be reported."""
    if record.get("incidents"):
        return frozenset()
    fired = {rule["id"] for rule in record.get("rules") or ()}
    nameless = "purpose_known" in fired and fired >= PURPOSE
    scores = _scores(record)
    return frozenset(
        rule
        for rule in fired & CONTENT.keys()
        if (_unread(rule, scores) or nameless) and not _heard(rule, scores) and not _declared(rule, record)
    )


def _scores(record: Mapping[str, Any]) -> dict[str, int | None]:
    """The detectors' scores of what was refused: a request, or the last judged part of an answer."""
    judged = (record.get("judgements") or [{}])[-1]
    return {reading["name"]: reading["score"] for reading in judged.get("readings") or record.get("readings") or ()}


def _heard(rule: str, scores: Mapping[str, int | None]) -> bool:
    return any((scores.get(signal) or 0) >= LOUD for signal in CONTENT[rule])


def _unread(rule: str, scores: Mapping[str, int | None]) -> bool:
    return any(signal in scores and scores[signal] is None for signal in CONTENT[rule])


def _declared(rule: str, record: Mapping[str, Any]) -> bool:
    """Whether the rule may have refused what was declared. For an answer, never: its request was already permitted."""
    if record.get("kind") == Kind.OUTCOME:
        return False
    request = (record.get("input") or {}).get("request")
    if not isinstance(request, dict):
        return True
    if rule == "us_person_mass_surveillance" and (request.get("us_person") or {}).get("involved") != "no":
        return True
    return request.get("purpose") in DECLARED.get(rule, ()) or (rule in _ARMED and _armed(request))


_ARMED: Final = frozenset({"weapon_engage_autonomous", "nuclear_employment_human"})


def _armed(request: Mapping[str, Any]) -> bool:
    said = {
        effector
        for tool in request.get("tools") or ()
        for effector in (tool.get("effector"), *(tool.get("apparent") or ()))
    }
    return not said.isdisjoint({"weapon", "nuclear", "unspecified"})
