"""`brightline policy eval`, as a policy engineer types it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.cli import policies
from gateway.errors import StartError
from gateway.workshop.build import build
from tests.support.inputs import plain
from tests.support.policy import REGO, STARTER, edit, small
from tests.support.vectors import load

TARGETING = next(v for v in load() if v.id == "weapon_human_judgment.nomination_not_approved")


def run(*words: object, stdin: bytes = b"") -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(policies, name="policy")
    runner = CliRunner(env={"COLUMNS": "400", "TERM": "dumb"})
    return runner.invoke(app, ["policy", "eval", *map(str, words)], input=stdin)


def test_a_decision_is_told_with_its_reasons(tmp_path: Path) -> None:
    """The effect, the rule with title, remedy and sources, what failed in it, and why the others are silent."""
    (tmp_path / "input.json").write_text(json.dumps(TARGETING.input))
    done = run("--input", tmp_path / "input.json", "--rego", REGO)
    assert done.exit_code == 0
    assert done.stdout.startswith(
        "REQUIRE APPROVAL, by both engines\n  weapon_human_judgment (directive, require_approval)"
    )
    for part in (
        "Appropriate levels of human judgment over the use of force",
        "rests on  DoDD 3000.09 §1.2, §3, §4 (first hand)",
        "remedy    Obtain an approval by someone other than the caller",
        f"because {REGO}/brightline/rules/directive/weapon_human_judgment/weapon_human_judgment.rego:",
        ": facts.approved\n",
        "rules that did not fire, and the first condition of each that failed\n",
        "nuclear_employment_human.rego:",
    ):
        assert part in done.stdout


def test_json_has_the_same(tmp_path: Path) -> None:
    """--json is one object: the decision, the rules that fired with their causes, and the silent ones with theirs."""
    done = run("--input", "-", "--release", STARTER, "--json", stdin=json.dumps(TARGETING.input).encode())
    told = json.loads(done.stdout)
    assert (done.exit_code, told["effect"], [rule["id"] for rule in told["rules"]]) == (
        0,
        "require_approval",
        ["weapon_human_judgment"],
    )
    assert [fired["id"] for fired in told["fired"]] == ["weapon_human_judgment"]
    silent = {one["id"]: one["failed"] for one in told["silent"]}
    assert silent["nuclear_employment_human"][0]["text"] == "not harmless"
    assert all(cause["file"] and cause["line"] for failed in silent.values() for cause in failed)


def test_obligations_and_grants_are_told() -> None:
    """What the policy adds, and the grant that it rests on, are printed."""
    vector = next(v for v in load() if v.id == "foreign_intel_analysis.exception_and_authority")
    done = run("--input", "-", "--release", STARTER, stdin=json.dumps(vector.input).encode())
    for part in ("ALLOW", "record_authority EO 12333 2.4 / order-1", "the grant grant-1", "(allow)"):
        assert part in done.stdout


def test_many_inputs_are_decided_line_by_line() -> None:
    """Each line has its decision in a line; a line that is no input has an error, and the exit code says so."""
    good = json.dumps(plain())
    stdin = "\n".join([good, "{", json.dumps({"id": "b", "input": TARGETING.input}), "", "[1]", good]).encode()
    done = run("--input", "-", "--release", STARTER, "--jsonl", stdin=stdin)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert [answer["id"] for answer in answers] == ["1", "2", "b", "5", "6"]
    assert answers[0] == {"id": "1", "effect": "allow", "rules": []}
    assert answers[2] == {"id": "b", "effect": "require_approval", "rules": ["weapon_human_judgment"]}
    assert [i for i, answer in enumerate(answers) if "error" in answer] == [1, 3]
    assert run("--input", "-", "--release", STARTER, "--jsonl", stdin=good.encode()).exit_code == 0


def test_engines_that_differ_are_an_error(tmp_path: Path) -> None:
    """Where the module and the sources of a policy decide differently there is no decision, and both are told."""
    built, rule = tmp_path / "built", "rego/brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
    build(small(tmp_path), built)
    edit(built / rule, '"nuclear"', '"people"')
    manifest = json.loads((built / "manifest.json").read_bytes())
    manifest["files"][rule] = hashlib.sha256((built / rule).read_bytes()).hexdigest()
    (built / "manifest.json").write_text(json.dumps(manifest))
    asked = json.dumps(plain(request={"purpose": "nuclear_employment"}))
    done = run("--input", "-", "--release", built, stdin=asked.encode())
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the engines differ: wasm: {" in done.stderr
    assert '"effect": "deny", "rules": ["nuclear_employment_human"]' in done.stderr.partition("; opa: ")[0]
    (answer,) = run("--input", "-", "--release", built, "--jsonl", stdin=asked.encode()).stdout.splitlines()
    assert json.loads(answer)["error"].startswith("the engines differ")


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--input", "-", "--release", STARTER], b"{", "-: not strict JSON"),
        (["--input", "absent.json", "--release", STARTER], b"", "absent.json: cannot be read"),
        (["--input", "-", "--release", "absent"], b"{}", "absent: is no policy"),
    ],
)
def test_what_cannot_be_read_is_named(words: list[object], stdin: bytes, message: str) -> None:
    """An input or a policy that can't be read is named, with what would do."""
    done = run(*words, stdin=stdin)
    assert isinstance(done.exception, StartError)
    assert message in str(done.exception)


def test_one_policy_is_named() -> None:
    """A release and sources together are a mistake."""
    assert run("--input", "-", "--release", STARTER, "--rego", REGO).exit_code == 2
