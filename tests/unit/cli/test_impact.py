"""`brightline policy impact`, as a policy engineer types it: both policies and every input are real."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.cli import policies
from gateway.errors import StartError
from gateway.workshop.build import build
from tests.support.gateways import HARMLESS, Deployment, serving
from tests.support.inputs import plain
from tests.support.policy import edit, small

RULE = "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"


def run(*words: object, stdin: bytes = b"") -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(policies, name="policy")
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
    return runner.invoke(app, ["policy", "impact", *map(str, words)], input=stdin)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two built policies: the second does not mind the nuclear purpose, and minds tools that only read."""
    folder = tmp_path_factory.mktemp("pair")
    rego = small(folder)
    build(rego, folder / "old")
    edit(rego / RULE, 'facts.outside("nuclear")', 'facts.only_tools({"digital_write"})')
    build(rego, folder / "new")
    return folder / "old", folder / "new"


LOOSER, STRICTER, SAME = (
    plain(request={"purpose": "nuclear_employment"}),
    plain(request={"tools": [{"name": "map", "effector": "read_only", "apparent": []}]}),
    plain(),
)


def lines(*inputs: Any) -> bytes:
    return "".join(f"{json.dumps(facts)}\n" for facts in inputs).encode()


def test_flips_are_told_with_their_direction(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Looser decisions come first, with the rule, the tenant and the purpose; the files have everything."""
    asked = lines({"id": "first", "input": LOOSER}, STRICTER, SAME, LOOSER)
    done = run(*pair, "--inputs", "-", "--json", tmp_path / "i.json", "--html", tmp_path / "i.html", stdin=asked)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 of 4 decisions are looser\n1 are stricter\n")
    rows = ("deny allow 2", "allow deny 1", "nuclear_employment_human 2 1", "agency 2 1 4", "nuclear_employment 2 2")
    for row in rows:
        assert row in " ".join(done.stdout.split())
    assert "first  agency, nuclear_employment: deny → allow, no longer nuclear_employment_human\n" in done.stdout
    told = json.loads((tmp_path / "i.json").read_bytes())
    assert (told["decisions"], told["loosened"], told["tightened"]) == (4, 2, 1)
    assert [flip["id"] for flip in told["flips"]] == ["first", "4", "2"]
    assert told["old_revision"] != told["new_revision"]
    assert "2 decisions become looser" in (tmp_path / "i.html").read_text()


def test_loosening_can_fail(pair: tuple[Path, Path]) -> None:
    """With --fail-on-loosening the exit code is 1 when a decision is looser, and only then."""
    assert run(*pair, "--inputs", "-", "--fail-on-loosening", stdin=lines(LOOSER)).exit_code == 1
    assert run(*pair, "--inputs", "-", "--fail-on-loosening", stdin=lines(STRICTER, SAME)).exit_code == 0


def test_lines_that_are_no_inputs_are_named(pair: tuple[Path, Path]) -> None:
    """A line that is no input is named and left out, the others are compared, and the exit code says so."""
    done = run(*pair, "--inputs", "-", stdin=lines(LOOSER) + b"{\n" + lines(SAME))
    assert done.exit_code == 2
    assert done.stdout.startswith("1 of 2 decisions are looser")
    assert "error: line 2: not strict JSON" in done.stderr
    assert "1 lines were no inputs" in done.stderr


def test_nothing_to_compare_is_nothing_looser(pair: tuple[Path, Path]) -> None:
    """No inputs are no flips."""
    done = run(*pair, "--inputs", "-")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "0 of 0 decisions are looser")


async def test_a_log_has_inputs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The inputs that an audit log recorded are compared, those of answers too, each under its decision id."""
    deployed = Deployment.create(tmp_path)
    async with serving(deployed) as gateway:
        client = gateway.client()
        await client.check(model="loopback", prompt="How many trucks?", use=HARMLESS)
        await client.generate(model="loopback", prompt="How many trucks?", use=HARMLESS)
    done = await asyncio.to_thread(run, *pair, "--log", deployed.folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("0 of 3 decisions are looser")


async def test_a_log_that_does_not_verify_is_not_used(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Nothing is taken from a log in which anything does not hold."""
    deployed = Deployment.create(tmp_path)
    async with serving(deployed) as gateway:
        await gateway.client().check(model="loopback", prompt="How many trucks?", use=HARMLESS)
    (deployed.folder / "audit/log.db.checkpoint").unlink()
    done = await asyncio.to_thread(run, *pair, "--log", deployed.folder)
    assert isinstance(done.exception, StartError)
    assert "is not verified" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--inputs", "absent.jsonl"], "absent.jsonl: cannot be read"),
        (["--log", "absent"], "absent/gateway.toml"),
        (["--inputs", "-", "--html", "absent/page.html"], "absent/page.html: cannot be written"),
    ],
)
def test_what_cannot_be_read_or_written_is_named(pair: tuple[Path, Path], words: list[str], message: str) -> None:
    """A file that can't be read or written is named."""
    done = run(*pair, *words)
    assert isinstance(done.exception, StartError)
    assert message in str(done.exception)


def test_inputs_come_from_one_place(pair: tuple[Path, Path]) -> None:
    """Neither inputs nor a log, or both, are a mistake."""
    assert run(*pair).exit_code == 2
    assert run(*pair, "--inputs", "-", "--log", "x").exit_code == 2


def test_a_policy_that_cannot_run_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A policy that needs what the engine does not have is refused before anything is compared."""
    rego = small(tmp_path)
    with (rego / RULE).open("a") as file:
        file.write("\nverdict := http.send({}) if input.stage\n")
    done = run(pair[0], rego, "--inputs", "-")
    assert isinstance(done.exception, StartError)
    assert "http.send" in str(done.exception)
