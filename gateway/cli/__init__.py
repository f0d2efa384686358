"""The `brightline` command. Each command has its own module; this one assembles them."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from gateway.cli.lazy import group
from gateway.errors import StartError

app = group(
    "A deployment policy gateway for government and defense use of AI models.\n\n"
    "Start here: `brightline demo` shows the main job; `brightline init FOLDER` makes a deployment to try things out.",
    {
        "init": "init:init",
        "serve": "serve:serve",
        "doctor": "doctor:doctor",
        "health": "health:health",
        "demo": "demo:demo",
        "ask": "ask:ask",
        "check": "ask:check",
        "models": "ask:models",
        "pending": "approve:pending",
        "approve": "approve:approve",
        "in-force": "in_force:in_force",
        "token": "token:token",
    },
    name="brightline",
    rich_markup_mode="markdown",
)
trail = group(
    "Check the audit log, hand over what is in it, and make its keys.",
    {
        "verify": "audit:verify",
        "search": "search:find",
        "show": "audit:show",
        "prove": "evidence:prove",
        "export": "evidence:export",
        "extract": "evidence:extract",
        "tiles": "evidence:tiles",
        "report": "oversight:report",
        "forward": "forward:forward",
        "witness": "witness:witness",
        "lock": "lock:lock",
        "migrate": "migrate:migrate",
        "open": "sealed:open_",
        "hold": "sealed:hold",
        "purge": "sealed:purge",
        "index": "search:index",
        "replay": "replay:replay_",
        "keygen": "audit:keygen",
    },
)
policies = group(
    "Write, check, test and build the policy. Needs Open Policy Agent.",
    {
        "eval": "evaluate:evaluate",
        "impact": "impact:impact",
        "watch": "watch:watch",
        "new": "rules:new",
        "list": "rules:list_rules",
        "show": "rules:show_rule",
        "docs": "rules:docs",
        "check": "policy:check",
        "test": "policy:run_tests",
        "fmt": "policy:fmt",
        "build": "policy:build",
    },
)
detectors = group(
    "What the detectors say of texts, and how often they are right.",
    {
        "score": "signals:score_",
        "explain": "signals:explain",
        "eval": "signals:evaluate",
        "thresholds": "signals:thresholds",
    },
)
releases = group(
    "Propose, sign, publish and check what gateways put in force. Provider and agency do it together.",
    {
        "keygen": "release_keys:keygen",
        "init": "release_keys:init",
        "stage": "signing:stage",
        "restrict": "signing:restrict",
        "diff": "release_diff:diff",
        "sign": "signing:sign",
        "publish": "signing:publish",
        "verify": "release_transfer:verify",
        "status": "signing:status",
        "rotate": "release_keys:rotate",
        "revoke": "release_keys:revoke",
        "export": "release_transfer:export",
        "extract": "release_transfer:extract",
        "import": "release_transfer:import_",
        "demo": "demo_release:demo_release",
    },
)
app.add_typer(trail, name="audit")
app.add_typer(policies, name="policy")
app.add_typer(detectors, name="signals")
app.add_typer(releases, name="release")


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - nothing else needs it

        typer.echo(f"brightline {version('brightline-gateway')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Options without a command."""


def main() -> None:
    """Run a command. A refused start and output that can't be written give a reason and exit code 2.

    Characters outside the terminal's encoding are printed as escapes.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # closed: only the exit code is wanted
                sys.stdout.flush()
    except (StartError, OSError) as error:
        from gateway.cli.terminal import safe  # noqa: PLC0415 - it takes long to import

        sys.stderr.write(f"error: {safe(str(error))}\n")
        sys.stdout = None  # prevents another flush at exit
        sys.exit(2)
