"""A broken policy is refused, and what is said names the file, the line and what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gateway.workshop import data, fact_usage, gate, layout, lint, literals, metadata, modules, type_check
from gateway.workshop.layout import Finding
from tests.support.policy import REGO, edit

RULE = "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
TEST = RULE.replace(".rego", "_test.rego")
DECISION = "brightline/decision.rego"
SHARED = "brightline/thresholds/data.yaml"
PURPOSES = "brightline/purposes/data.yaml"


def described(rego: Path) -> Iterable[Finding]:
    parsed = modules.parse(rego)[0]
    rules, findings = metadata.described(parsed)
    return [*findings, *fact_usage.declared(rules, parsed)]


CHECKS: dict[str, Callable[[Path], Iterable[Finding]]] = {
    "parsed": lambda rego: modules.parse(rego)[1],
    "formatted": type_check.formatted,
    "placed": lambda rego: lint.placed(rego, modules.parse(rego)[0]),
    "described": described,
    "understood": lambda rego: literals.understood(rego, modules.parse(rego)[0]),
    "checked": type_check.checked,
    "data": data.typed,
    "runs": gate.runs,
}

# The check that is there for it, the file, what is replaced and by what; then what is said.
BREAKS: list[tuple[str, str, str, str, tuple[str, ...]]] = [
    ("parsed", RULE, "harmless if {", "harmless if", (f"{RULE}:", "parse error")),
    ("formatted", RULE, "\nverdict", "\n  verdict", (f"{RULE}: is not formatted; run: brightline policy fmt --write",)),
    ("checked", RULE, "facts.conventional", "input.request.tool", (f"{RULE}:", "undefined ref", "schemas/input.json")),
    ("checked", RULE, "harmless if {", "harmless if {\n\tunused := 1", (f"{RULE}:", "unused; remove it")),
    ("checked", RULE, "facts.conventional", "facts.unheard_of(1)", (f"{RULE}:", "undefined function", "define it")),
    ("placed", RULE, "law.nuclear_employment_human", "law.nuclear", (f"{RULE}:", "write: package brightline.rules")),
    (
        "placed",
        RULE,
        "rules.law.nuclear_employment_human\n",
        'rules["law.nuclear_employment_human"]\n',
        (f"{RULE}:", "write: package brightline.rules.law"),
    ),
    ("placed", RULE, "\nverdict", "\nverdit", (f"{RULE}: gives no verdict, so that it never fires; write: verdict",)),
    ("placed", TEST, "human_test", "human_tests", (f"{TEST}:1: package", "write: package brightline.rules")),
    ("placed", RULE, "# title: ", "# title: \u202e", (f"{RULE}:2: holds the unseen character U+202E; take it out",)),
    ("placed", RULE, "harmless if {", "harmless if { # \u2066", (f"{RULE}:", "unseen character U+2066")),
    ("placed", RULE, "\nimport", "\nimport rego.v1\nimport", (f"{RULE}:", "imports rego.v1; remove the line")),
    (
        "placed",
        RULE,
        "\nverdict",
        "\n# METADATA\n# entrypoint: true\nverdict",
        (f"{RULE}:", "has an entrypoint", "remove `entrypoint: true` here"),
    ),
    ("placed", DECISION, "# entrypoint: true\n", "", (f"{DECISION}:", "write `entrypoint: true` once")),
    ("described", RULE, "id: nuclear", "id: nuclea", (f"{RULE}:1: METADATA: custom.id", "make them the same")),
    ("described", RULE, "class: law", "class: directive", (f"{RULE}:1:", "its folder says law")),
    ("described", RULE, "class: law", "class: rule", (f"{RULE}:1:", "custom.class", "red_line")),
    ("described", RULE, "# title: ", "# organizations: [x] # ", (f"{RULE}:1:", "no title", "add it above")),
    ("described", RULE, "# description: >", "# remark: >", (f"{RULE}:1:", "no description", "add it above")),
    ("described", RULE, "#   remedy:", "#   remedie:", (f"{RULE}:1:", "custom.remedy: is missing; say what")),
    ("described", RULE, "#   remedy:", "#   remedie:", (f"{RULE}:1:", "custom.remedie: is no such key; keys of")),
    (
        "described",
        RULE,
        "#   sources:",
        "#   source:",
        (f"{RULE}:1:", "custom.sources: is missing; list {title"),
    ),
    ("described", RULE, "read: first_hand", "read: true", (f"{RULE}:1:", "read is one of first_hand, second_hand")),
    ("described", RULE, "# METADATA\n", "", (f"{RULE}:", "no title", "custom.id: is missing")),
    ("data", SHARED, "500", "high", (f"{SHARED}:", "Invalid type", "schemas/data/thresholds.json says")),
    (
        "data",
        SHARED,
        "\ncbrn:",
        "\ncbm:",
        (f"{SHARED}: the file: cbrn is required; schemas/data/thresholds.json says",),
    ),
    ("data", PURPOSES, "[people, ", "[peple, ", (f"{PURPOSES}:", "areas.0", "must be one of", '"people"')),
    ("data", SHARED, "500", "500.5", (f"{SHARED}:", "is no integer", "write it in smaller units")),
    ("data", SHARED, "500", "", (f"{SHARED}:", "is null", "leave the key out")),
    ("data", SHARED, "500", "[", (f"{SHARED}: is not readable as data", "correct it")),
    ("runs", RULE, "facts.conventional", "facts.unheard_of(1)", ("opa build", RULE)),
]


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{check}-{new.strip()[:30]}" for check, _, _, new, _ in BREAKS])
def test_a_broken_policy_is_named_with_its_remedy(
    policy: Path, broken: tuple[str, str, str, str, tuple[str, ...]]
) -> None:
    """Each way of breaking a policy is found by the check that is there for it, which names file, line and remedy."""
    check, file, old, new, says = broken
    edit(policy / file, old, new)
    found = "\n".join(f.below(Path()) for f in CHECKS[check](policy))
    for part in says:
        assert part in found


KEYS = [
    ("statement: It is asked. It is refused.", "custom.statement: is not one sentence; say what is refused"),
    ("relaxed_by: grant", "custom.relaxed_by: grant relaxes no rule of class law; write one of nobody, statute"),
    ("relaxed_by: official", "custom.relaxed_how: is missing; say in one sentence who relaxes it, and by what"),
    ("relaxed_by: president", "custom.relaxed_by: Input should be"),
    ("selected_by: tenant", "custom.selected_by: no tenant selects a rule of class law; remove it"),
    ("facts: [request.purpose]", "custom.facts: the rule reads request.tools"),
    ("facts: [request.purpose, request.tools, signals, now]", "custom.facts: the rule does not read now; remove it"),
    ("facts: [Purpose]", "custom.facts.0: String should match pattern"),
]


@pytest.mark.parametrize(("key", "says"), KEYS)
def test_a_key_of_metadata_that_can_not_be_so_is_named(policy: Path, key: str, says: str) -> None:
    """What METADATA says of a rule is compared with its class and with what the rule reads."""
    name = key.partition(":")[0]
    text = (policy / RULE).read_text().splitlines(keepends=True)
    kept = [line for line in text if not line.startswith(f"#   {name}:")]
    kept.insert(next(n for n, line in enumerate(kept) if line.startswith("#   remedy:")), f"#   {key}\n")
    (policy / RULE).write_text("".join(kept))
    assert any(says in f.text for f in described(policy))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('"effect": "refuse"', "effect refuse is not one that a rule may bring; write one of allow"),
        (
            '"obligations": [{"kind": "shout", "params": {}}], "effect": "deny"',
            "kind shout is not one that a rule may bring",
        ),
        (
            '"obligations": [{"kind": "output_marking", "params": {"text": "CUI"}}], "effect": "allow"',
            "kind output_marking is not one that a rule may bring",
        ),
    ],
)
def test_words_that_no_verdict_may_hold_are_named(policy: Path, written: str, says: str) -> None:
    """An effect or kind of obligation that is unknown, or the decision's own, is refused with its line."""
    edit(policy / RULE, '"effect": "deny"', written)
    row = next(n for n, line in enumerate((policy / RULE).read_text().splitlines(), 1) if written in line)
    found = list(CHECKS["understood"](policy))
    assert [(f.path, f.line) for f in found] == [(RULE, row)]
    assert says in found[0].text


@pytest.mark.parametrize(
    "call",
    [
        'http.send({"url": "http://agency.example"})',
        "time.now_ns()",
        'rand.intn("x", 2)',
        "opa.runtime()",
        'trace("x")',
        'sprintf("%s", [1])',
    ],
)
def test_the_world_outside_is_taken_away(policy: Path, call: str) -> None:
    """Network, clock, randomness, runtime, tracing and what Wasm can't compute inside are no functions of rules."""
    edit(policy / RULE, "facts.conventional", f"facts.conventional\n\tis_string({call})")
    row = next(n for n, line in enumerate((policy / RULE).read_text().splitlines(), 1) if call in line)
    found = [f for f in type_check.checked(policy) if f.path == RULE]
    assert [f.line for f in found] == [row]
    assert f"undefined function {call.partition('(')[0]}; rules call only what Wasm computes inside" in found[0].text


def test_tests_may_not_reach_out_either(policy: Path) -> None:
    """A test that asks the network or the clock is refused: it would be different tomorrow."""
    with (policy / TEST).open("a") as file:
        file.write("\ntest_later if time.now_ns() > 0\n")
    assert [f.path for f in type_check.checked(policy)] == [TEST]


def move(policy: Path, to: str) -> None:
    target = policy / to
    target.parent.mkdir(parents=True, exist_ok=True)
    (policy / RULE).rename(target)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("brightline/rules/law/nuclear_employment_human/other.rego", "is not where rules are found"),
        ("brightline/rules/custom/nuclear/nuclear.rego", "class one of red_line, provider_baseline, law"),
        ("brightline/rules/law/nuclear-employment/nuclear-employment.rego", "is not snake_case; rename it"),
        ("brightline/rules/law/nuclear/nuclear.rego", "write them in nuclear_test.rego"),
        ("nuclear.rego", "write: package"),
    ],
)
def test_a_misplaced_rule_is_named(policy: Path, to: str, says: str) -> None:
    """A rule that the dispatch would not find, or whose tests are elsewhere, is a finding, not a silent absence."""
    move(policy, to)
    findings = list(CHECKS["placed"](policy))
    assert any(finding.path == to and says in finding.text for finding in findings)
    assert any(finding.path == TEST and finding.text.startswith("tests nothing") for finding in findings)


def test_an_id_is_one_rule_over_all_layers(policy: Path) -> None:
    """The same id in another layer is refused, and both files are named."""
    other = RULE.replace("/law/", "/directive/")
    for path in (RULE, TEST):
        target = policy / path.replace("/law/", "/directive/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((policy / path).read_text().replace("rules.law", "rules.directive"))
    found = [f for f in CHECKS["placed"](policy) if "taken" in f.text]
    assert [(f.path, f.text) for f in found] == [
        (RULE, f"the id nuclear_employment_human is taken by {other}; rename one of the two folders")
    ]


def test_files_that_are_nothing_are_named(policy: Path) -> None:
    """A link, a file over the size limit, and what is neither Rego nor data in its place stop the check at once."""
    (policy / "brightline/link.rego").symlink_to(policy / DECISION)
    (policy / "brightline/data.json").write_text('{"rules": {"law": {}}}')
    (policy / SHARED).write_bytes(b"#" * (50 << 20))
    (policy / "brightline/.decision.rego.swp").write_text("an editor's")
    found = {f.path: f.text for f in gate.check(policy)}
    assert found.keys() == {"brightline/link.rego", "brightline/data.json", SHARED}
    assert "is a link; put the file itself there" in found["brightline/link.rego"]
    assert "is neither Rego, nor data in its place" in found["brightline/data.json"]
    assert found[SHARED] == "holds 52428800 bytes, and a file may hold 1048576; keep what rules ask about, no more"


def test_a_threshold_of_no_signal_is_named(policy: Path) -> None:
    """A mistyped signal of a kind of tenants is found: everybody's threshold would go on counting in its place."""
    own = "brightline/tenant_thresholds/data.yaml"
    edit(policy / own, "dod: {}", "dod:\n  cbrn: 400\n  cbnr: 400")
    (found,) = data.typed(policy)
    assert (found.path, found.text) == (own, f"dod.cbnr: is no signal; {SHARED} has every signal there is")
    assert (policy / own).read_text().splitlines()[found.line - 1] == "  cbnr: 400"


def test_shared_data_without_a_schema_is_named(policy: Path) -> None:
    """Data that nobody described is refused: a wrong type would be found by a caller."""
    (policy / "schemas/data/limits.json").unlink()
    assert [f.text for f in data.typed(policy)] == ["has no schema; describe it in schemas/data/limits.json"]


ENDLESS = """
verdict := {"effect": "deny", "rule": rego.metadata.chain()[1].annotations} if {
	some a in numbers.range(1, to)
	some b in numbers.range(1, to)
	a * b == 0 - to
}

to := 100000 if input.request.channel
"""


def test_a_policy_that_never_ends_is_refused(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that run over too much are stopped by the engine's deadline when they are built, not by a caller's."""
    monkeypatch.setattr(gate, "THINKING_MS", 100)
    with (policy / RULE).open("a") as file:
        file.write(ENDLESS)
    found = list(gate.runs(policy))
    assert [f.path for f in found] == ["brightline"]
    assert found[0].text.startswith("no decision within 100 ms: evaluation:")
    assert found[0].text.endswith("bound what the rules run over")


def test_a_policy_that_does_not_fit_is_refused(policy: Path) -> None:
    """A policy whose data fills the engine's memory is refused when it is built."""
    for n in range(12):
        folder = policy / f"brightline/agency/large_{n}"
        folder.mkdir(parents=True)
        text = ", ".join(f'"{n}-{i}": "{"x" * 90}"' for i in range(9000))
        (folder / "data.json").write_text(f"{{{text}}}")
    assert list(layout.misplaced(policy)) == []
    found = list(gate.runs(policy))
    assert len(found) == 1
    assert "memory" in found[0].text


def test_the_command_fails_on_a_broken_policy(policy: Path) -> None:
    """The command exits with 1 and prints the finding where a build log shows it."""
    edit(policy / RULE, "\nverdict", "\n  verdict")
    command = [sys.executable, "-m", "gateway", "policy", "check", "--rego", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{policy}/{RULE}: is not formatted; run: brightline policy fmt --write\n" in done.stderr
    assert done.stdout == ""


def test_the_policy_passes() -> None:
    """What is committed passes every check."""
    assert list(gate.check(REGO)) == []
