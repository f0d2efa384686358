"""What is easy to get wrong about the sources, held against every word of the policy and its pages.

Each test has one fact. What the policy decides about it stands in tests/vectors; here is what it says.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.workshop import modules
from gateway.workshop.catalogue import Entry, catalogue
from gateway.workshop.layout import RULE_FILE, is_data, is_policy
from gateway.workshop.modules import nodes
from tests.support.policy import REGO

ENTRIES, _ = catalogue(REGO)
WORDS = {
    path.relative_to(REGO).as_posix(): path.read_text(encoding="utf-8").lower()
    for path in REGO.rglob("*")
    if path.is_file() and (is_policy(path.relative_to(REGO).as_posix()) or is_data(path.relative_to(REGO).as_posix()))
}


def entry(ident: str) -> Entry:
    return next(e for e in ENTRIES if e.rule.custom.id == ident)


def sources(ident: str) -> str:
    return "; ".join(source.title for source in entry(ident).rule.custom.sources)


def test_a_rescinded_memorandum_is_no_source() -> None:
    """NSM-25 is rescinded: where it is named, that is said, and its one rule binds those who selected it."""
    named = [e.rule.custom for e in ENTRIES if "NSM-25" in sources(e.rule.custom.id)]
    assert [(c.id, c.selected_by) for c in named] == [("collateral_damage_estimate", "tenant")]
    assert "rescinded by NSPM-11 §3(f)" in sources("collateral_damage_estimate")


def test_nobody_switches_the_policy_off_alone() -> None:
    """NSPM-11 §2(c): the rule on signatures is relaxed by nobody, and needs both holders."""
    custom = entry("policy_change_dual_signed").rule.custom
    assert (custom.relaxed_by, custom.selected_by) == ("nobody", None)
    assert {'"agency"', '"provider"'} <= set(re.findall(r'"\w+"', (REGO / entry(custom.id).rule.path).read_text()))


def test_exceptions_are_data_of_a_tenant() -> None:
    """No rule names an agency, a contract or an addendum: an exception is a grant of the release."""
    tenants = re.compile(r"input\.tenant\.id\b|addendum-|northern|harbor|river-health")
    assert [path for path, text in WORDS.items() if RULE_FILE.fullmatch(path) and tenants.search(text)] == []


@pytest.mark.parametrize(
    "phrase",
    [
        "fully autonomous weapon",
        "mass domestic surveillance",
        "human in the loop",
        "human-in-the-loop",
        "m-21-31",
        "the policy bans",
        "pause",
    ],
)
def test_no_source_is_made_to_say_what_it_does_not(phrase: str) -> None:
    """Phrases that no cited source has, directives that were replaced, and triggers that the RSP no longer has."""
    assert [path for path, text in WORDS.items() if phrase in " ".join(text.replace("#", " ").split())] == []


def test_the_directive_on_autonomy_bans_nothing() -> None:
    """DoDD 3000.09 asks for appropriate levels of human judgment: what lacks it waits, and is not denied."""
    assert entry("weapon_human_judgment").effects == ("require_approval",)
    assert "DoDD 3000.09" in sources("weapon_human_judgment")
    assert "DoDD" not in sources("weapon_engage_autonomous")  # which denies, and rests on the provider's own statement
    assert "ppropriate levels of human judgment" in entry("weapon_human_judgment").rule.title


def test_a_statement_of_policy_is_called_one() -> None:
    """FY25 NDAA §1638 is no prohibition, and is cited as what it is."""
    assert "FY25 NDAA §1638 (statement of policy)" in sources("nuclear_employment_human")


def test_the_european_act_is_cited_where_it_is_in_scope() -> None:
    """Article 2(3) leaves military and national security use out of the EU AI Act."""
    assert [e.rule.custom.id for e in ENTRIES if "EU AI Act" in sources(e.rule.custom.id)] == [
        "biometric_emotion_score"
    ]
    assert "where in scope (Article 2(3))" in sources("biometric_emotion_score")


def test_a_level_labels_safeguards() -> None:
    """The rule on capability levels asks for safeguards and a report that holds, and its source is the present RSP."""
    assert "RSP v3.4" in sources("model_safeguard_bound")
    assert set(entry("model_safeguard_bound").facts) == {
        "model.levels",
        "model.safeguards",
        "model.report",
        "model.issued",
        "model.expires",
        "model.enclaves",
        "enclave.name",
        "safeguards",
        "now",
    }


def test_what_was_not_read_first_hand_says_so() -> None:
    """What nobody checked is general knowledge in the metadata, and so never quoted law."""
    read = {s.title: s.read for e in ENTRIES for s in e.rule.custom.sources}
    unchecked = {"5 USC 552a(e)(7)", "50 USC 1881a", "EO 12333 §2.3"}
    assert {title for title, how in read.items() if how != "first_hand"} == unchecked


def test_numbers_are_data() -> None:
    """Restrictions are data with versions and dates: no rule has a threshold, a limit or a date of its own."""
    parsed, _ = modules.parse(REGO, lambda path: is_policy(path) and RULE_FILE.fullmatch(path) is not None)
    found = {
        (Path(module.path).parent.name, node["value"])
        for module in parsed
        for node in nodes(module.ast["rules"])
        if node.get("type") == "number"
    }
    annotations = 1  # rego.metadata.chain()[1]
    own = {(rule, number) for rule, number in found if number not in {0, annotations}}
    assert own == {("marking_dominance", 2), ("ai_only_product", 2048)}  # CONFIDENTIAL; the example agency's own
