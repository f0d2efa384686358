"""Rules are started, listed, shown and documented as their METADATA says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.errors import StartError
from gateway.workshop import gate, pages, scaffold, testing
from gateway.workshop.catalogue import catalogue
from tests.support.policy import REGO, edit

RULE = "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
IDS = sorted(p.name for p in REGO.glob("brightline/rules/*/*"))


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["policy", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("no_export", "law"), "brightline/rules/law/no_export/no_export.rego"),
        (("no_export", "red_line"), "brightline/rules/red_line/no_export/no_export.rego"),
        (("no_export", "agency"), "brightline/rules/agency/no_export/no_export.rego"),
        (("no_export", "agency", "harbor"), "brightline/agency/harbor/rules/no_export/no_export.rego"),
    ],
)
def test_a_new_rule_is_unfinished_and_nothing_else(policy: Path, arguments: tuple[str, ...], rule: str) -> None:
    """A new rule is well written Rego in its place: only what has to be filled in is found, and its tests fail."""
    assert rule in scaffold.create(policy, *arguments)
    found = list(gate.check(policy))
    assert {f.path for f in found} == {rule}
    assert all("still says FILL IN" in f.text for f in found)
    failed = testing.tested(policy, rule="no_export").findings()
    assert failed
    assert all(f.path == rule.replace(".rego", "_test.rego") and " fails" in f.text for f in failed)


def test_a_rule_that_is_filled_in_passes(policy: Path) -> None:
    """What a new rule leaves open is all there is to do: filled in, it passes."""
    rule, tests, *_ = scaffold.create(policy, "no_export", "agency", "harbor")
    text = (policy / rule).read_text()
    text = text.replace("FILL IN a few words", "No export").replace("FILL IN the source", "Order")
    text = text.replace("FILL IN what is refused or required, in one sentence.", "Nothing is exported.")
    text = text.replace("input.request.purpose", 'input.request.channel == "internal"').replace("FILL IN ", "")
    (policy / rule).write_text(text.replace("[request.purpose]", "[request.channel]"))
    edit(policy / tests, "fixtures.declared({})", 'fixtures.declared({"channel": "public"})')
    edit(policy / tests, "/request/purpose", "/request/channel")
    edit(policy / tests, "FILL IN ", "")
    assert list(gate.check(policy)) == []
    assert testing.tested(policy, rule="no_export").findings() == ()
    assert testing.tested(policy, rule="").failures == ()


@pytest.mark.parametrize("name", ["", "No", "no-export", "1st", "a/b", "../a", "no_test", "a" * 65])
def test_a_name_that_is_none_is_refused(policy: Path, name: str) -> None:
    """What can't be a folder and a package is no id and no agency, and nothing is written."""
    for arguments in [(name, "law"), *([("own", "agency", name)] if name else [])]:
        with pytest.raises(StartError, match="is no name for a folder of rules; write lower-case letters"):
            scaffold.create(policy, *arguments)
    assert not (policy / "brightline/agency").exists()


def test_a_taken_id_is_refused(policy: Path) -> None:
    """An id that any layer has is refused, and the file that has it is named."""
    with pytest.raises(StartError, match=f"is taken by {RULE}"):
        scaffold.create(policy, "nuclear_employment_human", "directive")


def test_an_agency_has_no_other_layer(policy: Path) -> None:
    """An agency's own rule is of layer agency, whatever is asked for."""
    with pytest.raises(StartError, match="write --layer agency"):
        scaffold.create(policy, "own", "red_line", "harbor")


def test_every_rule_is_listed() -> None:
    """The list has the restrictions; with --all also the guards of the decision and agencies' own rules."""
    code, output = run("list", "--json", "--rego", REGO)
    listed: list[dict[str, Any]] = json.loads(output)
    assert code == 0
    assert len(listed) == 32
    assert all(rule["sources"] and rule["statement"] and rule["layer"] for rule in listed)
    everything: list[dict[str, Any]] = json.loads(run("list", "--json", "--all", "--rego", REGO)[1])
    assert sorted(rule["id"] for rule in everything if not rule["agency"]) == IDS
    assert [rule["id"] for rule in everything if rule["agency"]] == [
        "ai_only_product",
        "credentials_stay",
        "kept_for_inspection",
        "tools_that_act",
    ]
    assert [rule for rule in everything if not (rule["agency"] or rule["guard"])] == listed
    code, output = run("list", "--all", "--rego", REGO)
    assert code == 0
    assert all(rule["id"] in output for rule in everything)


def test_a_rule_is_shown_in_plain_language() -> None:
    """What is shown: what the rule asks, on what authority and how that was read, who may relax it, what it reads."""
    code, output = run("show", "nuclear_employment_human", "--rego", REGO)
    assert code == 0
    for part in ("law: statutes", "read first hand", "by nobody", "request.tools: The tools offered", "refuses"):
        assert part in output


def test_a_rule_that_is_not_there_is_not_shown(policy: Path) -> None:
    """An unknown id exits with 1 and says where all are."""
    code, output = run("show", "unheard_of", "--rego", policy)
    assert code == 1
    assert "no rule unheard_of" in output
    assert "brightline policy list" in output


def test_a_rule_that_is_badly_described_is_named(policy: Path) -> None:
    """The list goes on without a rule whose METADATA is broken, names it, and fails."""
    edit(policy / RULE, "#   remedy:", "#   remedie:")
    code, output = run("list", "--rego", policy)
    assert code == 1
    assert f"{policy / RULE}:1: METADATA: custom.remedy: is missing" in output


def test_a_folder_without_a_policy_is_named(tmp_path: Path) -> None:
    """A path that is no policy folder is refused with the option that names one."""
    with pytest.raises(StartError, match="is no policy folder; name one with brightline/ in it: --rego PATH"):
        CliRunner().invoke(app, ["policy", "list", "--rego", str(tmp_path)], catch_exceptions=False)


def test_pages_follow_the_rules(policy: Path, tmp_path: Path) -> None:
    """Every rule has a page, a page that differs or is left over is named, and writing them again repairs it."""
    made = pages.pages(catalogue(policy)[0], "../rego")
    assert made.keys() == {"counsel.md", "rules/nuclear_employment_human.md"}
    folder = tmp_path / "docs"
    pages.write(folder, made)
    (folder / "rules/gone.md").write_text("of a rule that is gone")
    edit(folder / "counsel.md", "Positive human action", "Human action")
    assert [f.path for f in pages.drifted(folder, made)] == ["counsel.md", "rules/gone.md"]
    pages.write(folder, made)
    assert list(pages.drifted(folder, made)) == []


def test_text_of_metadata_is_text(policy: Path) -> None:
    """Signs of Markdown in METADATA make no cell, link or markup of their own."""
    edit(policy / RULE, "# title: Positive", '# title: "<b>x</b> | [y](z) *a*" # Positive')
    page = pages.pages(catalogue(policy)[0], "../rego")["rules/nuclear_employment_human.md"]
    assert r"# \<b\>x\</b\> \| \[y\](z) \*a\*" in page.splitlines()
