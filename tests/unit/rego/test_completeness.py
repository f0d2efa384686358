"""The pack is complete in both directions: what is in a folder is a tested, described rule, and the other way round."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.workshop.opa import opa
from tests.support.policy import REGO, STARTER

RULES = sorted(p.parent for p in REGO.glob("brightline/rules/*/*/*.rego") if not p.name.endswith("_test.rego"))
AGENCY_RULES = sorted(
    p.parent for p in REGO.glob("brightline/agency/*/rules/*/*.rego") if not p.name.endswith("_test.rego")
)

# The restrictions that the pack encodes, by class. What else lies in the folders of rules guards the decision itself.
CATALOGUE = {
    "red_line": {
        "cbrn_uplift",
        "critical_infrastructure_attack",
        "csam",
        "damaging_malware",
        "power_seizure",
        "safeguard_tamper",
        "us_person_mass_surveillance",
        "weapon_engage_autonomous",
    },
    "provider_baseline": {
        "biometric_emotion_score",
        "criminal_justice_determination",
        "cyber_unauthorized",
        "election_interference",
        "foreign_intel_analysis",
        "influence_disinformation",
        "model_safeguard_bound",
        "region_and_ownership",
        "track_person_nonconsent",
        "weapons_design",
    },
    "law": {
        "first_amendment_profiling",
        "fisa702_us_person_query",
        "military_domestic_law_enforcement",
        "nuclear_employment_human",
        "us_person_intel_authority",
    },
    "directive": {
        "audit_or_refuse",
        "high_impact_civil",
        "marking_dominance",
        "policy_change_dual_signed",
        "state_censorship",
        "weapon_human_judgment",
    },
    "agency": {
        "ai_only_intel_product",
        "collateral_damage_estimate",
        "high_stakes_automated_decision",
    },
}
GUARDS = {"agency_policy_present", "facts_well_formed", "model_allowed", "purpose_known", "tool_effector_stated"}


def described() -> list[str]:
    """The ids in the metadata of the whole policy."""
    inspected = json.loads(opa("inspect", "--annotations", "--format", "json", ".", at=REGO).stdout)
    custom = [a["annotations"].get("custom", {}) for a in inspected["annotations"]]
    return [c["id"] for c in custom if "id" in c]


def test_every_folder_is_described_and_every_description_is_a_folder() -> None:
    """The ids in metadata are the folders, one each; only the decision's own answer to unreadable verdicts has none."""
    assert sorted(described()) == sorted(["verdict_readable", *(p.name for p in (*RULES, *AGENCY_RULES))])


def test_the_catalogue_is_the_pack() -> None:
    """Every restriction of the catalogue is a rule of its class with a page of its own, and there is no other rule."""
    rules = {(p.parent.name, p.name) for p in RULES if p.name not in GUARDS}
    assert rules == {(cls, name) for cls, names in CATALOGUE.items() for name in names}
    assert len(rules) == 32
    pages = {p.stem for p in (REGO.parent / "docs/rules").glob("*.md")}
    assert {name for _, name in rules} <= pages


def test_an_id_is_one_rule() -> None:
    """A rule is cited by its id alone, so no two folders share a name."""
    names = [p.name for p in (*RULES, *AGENCY_RULES)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("folder", [*RULES, *AGENCY_RULES], ids=lambda p: p.name)
def test_every_rule_has_the_tests_that_matter(folder: Path) -> None:
    """Each rule is tested where it is silent, where it speaks, on spoiled facts and on none."""
    assert [p.name for p in sorted(folder.iterdir())] == [f"{folder.name}.rego", f"{folder.name}_test.rego"]
    tests = (folder / f"{folder.name}_test.rego").read_text()
    names = re.findall(r"^(test_\w+)", tests, re.MULTILINE)
    speaks = r"test_(refuses|waits|allows|labels|seals|takes_out)"
    for kind in (r"test_silent", speaks, r"_spoiled", r"_(no|without)_facts"):
        assert any(re.search(kind, name) for name in names), f"{folder.name}: no {kind}"


@pytest.mark.parametrize("folder", [p for p in RULES if p.parent.name == "red_line"], ids=lambda p: p.name)
def test_every_red_line_is_tried_with_every_key(folder: Path) -> None:
    """Each red line has a test that holds approval, evidence, grants and authority against it."""
    tests = (folder / f"{folder.name}_test.rego").read_text()
    assert "test_nothing_opens_it" in tests
    assert "fixtures.keys" in tests


def test_every_purpose_has_known_areas() -> None:
    """A purpose has a title, a description and areas, and every area is one that a rule asks about or people."""
    purposes = json.loads((STARTER / "data.json").read_bytes())["brightline"]["purposes"]
    policy = "".join(p.read_text() for p in REGO.rglob("*.rego") if not p.name.endswith("_test.rego"))
    asked = set(re.findall(r'(?:outside\("(\w+)"\)|"(\w+)" in (?:facts\.)?areas)', policy))
    asked = {name for pair in asked for name in pair if name}
    assert {area for purpose in purposes.values() for area in purpose["areas"]} == asked
    for name, purpose in purposes.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        assert set(purpose) == {"title", "description", "areas"}
        assert purpose["title"]
        assert purpose["description"].endswith(".")
