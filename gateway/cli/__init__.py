"""The `brightline` command. Each command lives in a module of its own; this one puts them together."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from gateway.cli import (
    ask,
    audit,
    carry,
    demo,
    demo_release,
    doctor,
    evidence,
    forward,
    init,
    lock,
    migrate,
    oversight,
    policy,
    replay,
    sealed,
    search,
    serve,
    signals,
    signing,
    standing,
    token,
    witness,
)
from gateway.errors import StartError

app = typer.Typer(
    name="brightline",
    help="A deployment policy gateway for government and defense use of AI models.\n\n"
    "Start here: `brightline demo` shows the main job; `brightline init FOLDER` makes a deployment to try things out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"brightline {installed('brightline-gateway')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Options that need no command."""


app.command()(init.init)
app.command()(serve.serve)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(ask.ask)
app.command()(ask.check)
app.command()(ask.models)
app.command("in-force")(standing.in_force)
app.command()(token.token)
trail = typer.Typer(help="Check the audit log, hand over what is in it, and make its keys.", no_args_is_help=True)
trail.command()(audit.verify)
trail.command("search")(search.find)
trail.command()(audit.show)
trail.command()(evidence.prove)
trail.command()(evidence.export)
trail.command()(evidence.extract)
trail.command()(evidence.tiles)
trail.command()(oversight.report)
trail.command()(forward.forward)
trail.command()(witness.witness)
trail.command()(lock.lock)
trail.command()(migrate.migrate)
trail.command("open")(sealed.open_)
trail.command()(sealed.hold)
trail.command()(sealed.purge)
trail.command()(search.index)
trail.command("replay")(replay.replay_)
trail.command()(audit.keygen)
app.add_typer(trail, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(signals.app, name="signals")
releases = typer.Typer(
    help="Propose, sign, publish and check what gateways put in force. Provider and agency do it together.",
    no_args_is_help=True,
)
releases.command()(signing.keygen)
releases.command()(signing.init)
releases.command()(signing.stage)
releases.command()(signing.restrict)
releases.command()(signing.diff)
releases.command()(signing.sign)
releases.command()(signing.publish)
releases.command()(carry.verify)
releases.command()(signing.status)
releases.command()(signing.rotate)
releases.command()(signing.revoke)
releases.command()(carry.export)
releases.command()(carry.extract)
releases.command("import")(carry.import_)
releases.command("demo")(demo_release.demo_release)
app.add_typer(releases, name="release")


def main() -> None:
    """Run a command; a start that is refused says why and exits with 2."""
    try:
        app()
    except StartError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
