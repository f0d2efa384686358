"""`brightline policy`: the policy team's workshop. Nothing here puts a rule in force in a gateway of production."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import evaluate, impact
from gateway.errors import StartError
from gateway.workshop import build as building
from gateway.workshop import gate, testing
from gateway.workshop.opa import opa, said
from gateway.workshop.places import Finding

app = typer.Typer(help="Write, check, test and build the policy. Needs Open Policy Agent.", no_args_is_help=True)

app.command("eval")(evaluate.evaluate)
app.command()(impact.impact)

RegoOption = Annotated[Path, typer.Option("--rego", help="The policy folder, of the same shape as rego/.")]
REGO = Path("rego")


@app.command()
def check(rego: RegoOption = REGO) -> None:
    """Check places, metadata, format and types, and that the gateway's own engine opens what is built.

    Exits with 0 when nothing is wrong, 1 with a list of what is.
    """
    _report(gate.check(policy_folder(rego)), rego)


@app.command("test")
def run_tests(rego: RegoOption = REGO) -> None:
    """Run the policy's tests, and say which lines no test runs.

    Exits with 1 when a test fails, or when the tests run less than 95 % of the policy's lines.
    """
    result = testing.tested(policy_folder(rego))
    if not result.failures:
        typer.echo(f"{result.percent:.1f} % of the policy's lines are tested")
        for place in result.missed:
            typer.echo(place.below(rego))
    _report(result.findings(), rego)


@app.command()
def fmt(
    rego: RegoOption = REGO, write: Annotated[bool, typer.Option("--write", help="Format them in place.")] = False
) -> None:
    """List the files that are not formatted; exits with 1 when there are any and they stay so."""
    done = opa("fmt", "--write" if write else "--list", ".", at=policy_folder(rego))
    if done.returncode or (done.stdout and not write):
        typer.echo(said(done), err=True)
        raise typer.Exit(1)


@app.command()
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
            _report(building.stale(folder, out), out)
        else:
            typer.echo(building.build(folder, out))
    except building.BuildError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


def policy_folder(path: Path) -> Path:
    """The policy folder that an option names. Raises StartError when it is none."""
    if not (path / "brightline").is_dir():
        raise StartError(f"{path}: is no policy folder; name one with brightline/ in it: --rego PATH")
    return path


def _report(findings: Iterable[Finding], folder: Path) -> None:
    """Print what was found below `folder`; exits with 1 when there is any."""
    found = [finding.below(folder) for finding in findings]
    for finding in found:
        typer.echo(finding, err=True)
    if found:
        raise typer.Exit(1)
