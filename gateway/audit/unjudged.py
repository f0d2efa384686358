"""Which rules stand behind a refusal only because nobody could judge it: content that no detector read, and a purpose
that is no word of the list. Every rule refuses then, so that one late detector looks like eight red lines.

What a rule is about is known here for the rules of the pack. Any other rule, and what is in doubt, counts as judged: a
declaration that may have crossed a red line by itself among it.
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
"""The signals of each rule that refuses what no detector read."""

PURPOSE: Final = frozenset(
    {"power_seizure", "safeguard_tamper", "us_person_mass_surveillance", "weapon_engage_autonomous"}
)
"""The red lines that refuse a purpose of no known area. Where all of them do, and `purpose_known` with them, nobody
knows what the use is; a purpose that is on the list and was not agreed meets those alone that are about it."""

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
"""The score, in thousandths, from which a signal may have been what a rule refused: the pack's lower limit."""


def unjudged(record: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the record's rules that refused what nobody could judge. Where something has to be reported, none."""
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
    """What detectors said of what was refused: of a request, or of the last part of an answer that was judged."""
    judged = (record.get("judgements") or [{}])[-1]
    return {reading["name"]: reading["score"] for reading in judged.get("readings") or record.get("readings") or ()}


def _heard(rule: str, scores: Mapping[str, int | None]) -> bool:
    return any((scores.get(signal) or 0) >= LOUD for signal in CONTENT[rule])


def _unread(rule: str, scores: Mapping[str, int | None]) -> bool:
    return any(signal in scores and scores[signal] is None for signal in CONTENT[rule])


def _declared(rule: str, record: Mapping[str, Any]) -> bool:
    """Whether what was declared may be what the rule refused. With an answer that was settled when it was asked for."""
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
