"""An agency's policy adds to what others decided: what reaches further is refused before it is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.workshop import agency, lint, modules
from gateway.workshop.layout import Finding

RULE = "brightline/agency/harbor/rules/no_export/no_export.rego"
TEST = RULE.replace(".rego", "_test.rego")
POLICY = """package brightline.agency.harbor.rules.no_export

import data.brightline.facts

verdict := {"effect": "deny", "rule": rego.metadata.chain()[1].annotations} if not harmless

harmless if facts.outside("weapons")
"""


def write(policy: Path, path: str, text: str) -> None:
    (policy / path).parent.mkdir(parents=True, exist_ok=True)
    (policy / path).write_text(text)


def collected(owner: str) -> str:
    return f"package brightline.agency.{owner}\n\nverdicts contains data.brightline.agency.{owner}.rules[_].verdict\n"


def found(policy: Path) -> list[Finding]:
    parsed, broken = modules.parse(policy)
    assert not broken
    return list(agency.confined(parsed))


PERMITTED = [
    "x := input.tenant.id",
    "x := data.brightline.thresholds.autonomous_targeting",
    "x := data.brightline.agency.harbor.ports[input.request.purpose]",
    "x := facts.areas",
    "x[id] if some id, _ in data.brightline.agency.harbor.rules",
    "x := data.brightline.purposes[input.request.purpose]",
]


@pytest.mark.parametrize("text", PERMITTED)
def test_what_an_agency_may_read(policy: Path, text: str) -> None:
    """Input, facts, shared data and the agency's own are read freely, also by names known at run time only."""
    write(policy, "brightline/agency/harbor/harbor.rego", collected("harbor"))
    write(policy, RULE, f"{POLICY}\n{text}\n")
    assert found(policy) == []


REFUSED = [
    ("x := data.brightline.agency.river.secret", "reads another agency's data.brightline.agency.river.secret", "copy"),
    ("x := data.brightline.agency.river.rules.own.verdict", "reads another agency's", "keep a copy"),
    ("x := data.brightline.agency[input.tenant.id]", "which is known at run time only", "name it in full"),
    ("x := data.brightline.rules.law.nuclear_employment_human.verdict", "a rule of another layer", "ask the facts"),
    ("x := data.brightline.decision", "reads data.brightline.decision", "an agency's rules read input"),
    ("x := data.brightline[input.request.purpose]", "which is known at run time only", "name it in full"),
    ("x := data.release.revision", "reads data.release.revision", "an agency's rules read input"),
    ("x := data", "reads data;", "an agency's rules read input"),
    ("x if walk(data, [_, _])", "reads data;", "an agency's rules read input"),
    ("x := [v | some v in data.tenants]", "reads data.tenants", "an agency's rules read input"),
    ('x if facts.outside("weapons") with input as {}', "replaces facts with `with`", "argument of a function"),
    (
        "x if facts.unarmed with data.brightline.thresholds.autonomous_targeting as 1000",
        "replaces facts with `with`",
        "that is for tests",
    ),
]


@pytest.mark.parametrize(("text", "what", "instead"), REFUSED)
def test_what_an_agency_may_not_touch(policy: Path, text: str, what: str, instead: str) -> None:
    """Each way beyond the agency's own is refused with file, line and what to do instead."""
    write(policy, "brightline/agency/harbor/harbor.rego", collected("harbor"))
    write(policy, RULE, f"{POLICY}\n{text}\n")
    findings = found(policy)
    assert {(f.path, f.line) for f in findings} == {(RULE, 9)}
    assert any(what in f.text and instead in f.text for f in findings)


@pytest.mark.parametrize(
    "imported", ["data.brightline", "data.brightline.agency.river", "data", "data.brightline.rules"]
)
def test_an_import_is_no_way_around(policy: Path, imported: str) -> None:
    """What may not be read may not be imported, under whatever name."""
    write(policy, RULE, POLICY.replace("import data.brightline.facts", f"import {imported} as facts"))
    assert (RULE, 3) in {(f.path, f.line) for f in found(policy)}


def test_an_alias_is_what_it_stands_for(policy: Path) -> None:
    """A name of an import is followed: what is reached through it is judged by its whole path."""
    write(policy, RULE, POLICY.replace("facts\n\n", "facts\nimport data.brightline.agency.river.facts as f\n\n"))
    assert {f.line for f in found(policy) if f.path == RULE} == {4}


def test_its_tests_may_reach_anywhere(policy: Path) -> None:
    """Tests are not built: they replace facts and ask other packages."""
    write(policy, "brightline/agency/harbor/harbor.rego", collected("harbor"))
    write(policy, RULE, POLICY)
    write(policy, TEST, f"package brightline.agency.harbor.rules.no_export_test\n\n{REFUSED[5][0]}\n{REFUSED[10][0]}\n")
    assert found(policy) == []


@pytest.mark.parametrize("package", ["brightline.rules.law.no_export", "brightline.agency.river", "brightline"])
def test_a_package_stays_in_its_folder(policy: Path, package: str) -> None:
    """A file of an agency that defines another package is refused, and told where its packages belong."""
    write(policy, RULE, POLICY.replace("brightline.agency.harbor.rules.no_export", package))
    texts = [f.text for f in lint.placed(policy, modules.parse(policy)[0]) if (f.path, f.line) == (RULE, 1)]
    assert any("an agency's packages stay below brightline.agency.harbor" in text for text in texts)


def test_rules_that_nobody_hears_are_named(policy: Path) -> None:
    """An agency whose package does not collect the verdicts of its rules is refused: its rules would be silent."""
    write(policy, RULE, POLICY)
    place = "brightline/agency/harbor/harbor.rego"
    assert [(f.path, "write there" in f.text) for f in found(policy)] == [(place, True)]
    write(policy, place, collected("harbor"))
    assert found(policy) == []


def test_a_file_beside_the_agencies_is_nobodys(policy: Path) -> None:
    """A file directly below brightline/agency could speak for every agency, so there is none."""
    write(policy, "brightline/agency/all.rego", "package brightline.agency\n\nriver.verdicts := set()\n")
    texts = [f.text for f in lint.placed(policy, modules.parse(policy)[0]) if f.path == "brightline/agency/all.rego"]
    assert any("belongs to no agency; put it into brightline/agency/<agency>/" in text for text in texts)
