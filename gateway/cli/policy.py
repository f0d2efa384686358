"""`brightline policy`: the policy team's tools. None of them puts a rule in force in a production gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.rego import REGO, RegoOption, report
from gateway.workshop import build as building
from gateway.workshop import gate, testing
from gateway.workshop.layout import policy_folder
from gateway.workshop.opa import opa, said


def check(rego: RegoOption = REGO) -> None:
    """Check places, metadata, format and types, and that the gateway's own engine opens what is built.

    Exits with 0 when nothing is wrong, 1 with a list of what is.
    """
    report(gate.check(policy_folder(rego)), rego)


def run_tests(
    rego: RegoOption = REGO, rule: Annotated[str, typer.Option(help="The tests of one rule alone, by its id.")] = ""
) -> None:
    """Run the policy's tests, and list the lines that no test covers.

    Exits with 1 when a test fails, or when the tests cover less than 95 % of the lines.

    Example: `brightline policy test --rule model_allowed`
    """
    result = testing.tested(policy_folder(rego), rule=rule)
    if not result.failures:
        typer.echo(f"every test passes; they run {result.percent:.1f} % of the lines of {rule or 'the policy'}")
        for place in result.missed:
            typer.echo(place.below(rego))
    report(result.findings(), rego)


def fmt(
    rego: RegoOption = REGO, write: Annotated[bool, typer.Option("--write", help="Format them in place.")] = False
) -> None:
    """List the files that are not formatted. Exits with 1 when there are any, unless they are rewritten."""
    done = opa("fmt", "--write" if write else "--list", ".", at=policy_folder(rego))
    if done.returncode or (done.stdout and not write):
        typer.echo(said(done), err=True)
        raise typer.Exit(1)


def build(
    out: Annotated[Path, typer.Option(help="The folder to write; what is there is replaced.")] = Path("build/policy"),
    rego: RegoOption = REGO,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if --out would change.")] = False,
) -> None:
    """Compile the policy: policy.wasm, data.json and rego/. The same sources give the same bytes.

    Exits with 1 when it doesn't compile.
    """
    folder = policy_folder(rego)
    try:
        if check:
            report(building.stale(folder, out), out)
        else:
            typer.echo(building.build(folder, out))
    except building.BuildError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
