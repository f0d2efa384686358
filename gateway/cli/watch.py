"""`brightline policy watch`: puts an edited policy in force in a development gateway once it is tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway import config as configuration
from gateway.cli.rego import REGO, RegoOption
from gateway.cli.terminal import line
from gateway.deployment import STATE
from gateway.workshop import watching
from gateway.workshop.dev_activation import Gateway
from gateway.workshop.layout import policy_folder


def watch(
    config: Annotated[Path, typer.Option(help="The configuration of a development deployment that is being served.")],
    rego: RegoOption = REGO,
    once: Annotated[bool, typer.Option("--once", help="Put in force what is there, and end.")] = False,
) -> None:
    """Watch the policy: an edit is checked, tested, built and put in force in a DEVELOPMENT gateway, until Ctrl-C.

    Faults are reported with file, line and remedy, and the last good release stays in force. Only tests that concern
    the edit are run. With --once, exits with 1 when something is wrong.

    Example: `brightline policy watch --config dev/gateway.toml`
    """
    console = Console(highlight=False)
    gateway = Gateway.of(configuration.load(config), config.parent / STATE)
    watched = watching.Watch(policy_folder(rego), gateway)
    if once:
        made = next(watched.rounds())
        _say(console, made, rego)
        raise typer.Exit(1 if made.findings else 0)
    line(console, f"watching {rego}, for the gateway of {config.parent}; Ctrl-C ends it", "dim")
    try:
        for made in watched.rounds():
            _say(console, made, rego)
    except KeyboardInterrupt:
        line(console, "no longer watching; what is in force stays", "dim")


def _say(console: Console, made: watching.Round, rego: Path) -> None:
    names = ", ".join(made.changed[:3]) + (" …" if len(made.changed) > 3 else "") or "what is there"
    if made.findings:
        line(console, f"refused after {made.took_s:.1f} s, the last good release stays in force: {names}", "bold red")
        for finding in made.findings:
            for text in (finding.below(rego) if finding.path else finding.text).split("\n"):
                line(console, f"  {text}")
    elif made.release:
        line(console, f"in force after {made.took_s:.1f} s, release {made.release}: {names}", "bold green")
    else:
        line(console, f"in force already: {names}", "bold green")
