"""What the commands about a policy folder share: the option that names it, and how findings are printed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.workshop.layout import Finding

RegoOption = Annotated[Path, typer.Option("--rego", help="The policy folder, of the same shape as rego/.")]
REGO = Path("rego")


def report(findings: Iterable[Finding], folder: Path) -> None:
    """Print what was found below `folder`; exits with 1 when there is any."""
    found = False
    for finding in findings:
        typer.echo(finding.below(folder), err=True)
        found = True
    if found:
        raise typer.Exit(1)
