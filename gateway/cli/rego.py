"""Shared by the commands for a policy folder: its option, and the output of findings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gateway.workshop.layout import Finding

RegoOption = Annotated[Path, typer.Option("--rego", help="The policy folder, of the same shape as rego/.")]
REGO = Path("rego")


def report(findings: Iterable[Finding], folder: Path) -> None:
    """Print the findings below `folder`. Exits with 1 if there are any."""
    found = False
    for finding in findings:
        typer.echo(finding.below(folder), err=True)
        found = True
    if found:
        raise typer.Exit(1)
