"""`brightline in-force`: the release in force and its changes, as far as a tenant may know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console

from brightline import BrightlineError, Changes, Client, Compared, InForce, Step
from gateway.canonical import Json
from gateway.cli import show
from gateway.cli.option_groups import takes
from gateway.cli.options import connect
from gateway.cli.terminal import line

_COLOURS: Final = {"looser": "bold red", "stricter": "green"}


@takes(client=connect)
def in_force(
    *,
    client: Client,
    changes: Annotated[bool, typer.Option("--changes", help="Also say what the last release changed.")] = False,
    since: Annotated[str, typer.Option(help="Also say what changed since this release, by its digest.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which release is in force, since when, who signed it, and its terms for the tenant.

    Example: `brightline in-force --deployment dev --tenant northern-logistics`

    Exits with 0, 2 for bad usage, 3 when not authenticated, 4 when unavailable, when the gateway has not seen the
    requested release, or when anything else failed.
    """
    with client:
        try:
            found = client.in_force()
            changed = client.changes(since, found.release) if changes or since else None
        except BrightlineError as error:
            show.end(error, as_json=as_json)
        except (ValueError, OSError) as error:  # a digest or the token file
            raise typer.BadParameter(str(error)) from None
    if as_json:
        typer.echo(json.dumps(_json(found, changed)))
        return
    console = Console(highlight=False, soft_wrap=True)
    _standing(console, found)
    for step in changed.steps if changed else ():
        _step(console, step)


def _standing(console: Console, found: InForce) -> None:
    line(console, f"release version {found.version}, digest {found.release}", "bold")
    line(console, f"  in force  since {_time(found.since_us)}")
    line(console, f"  expires   {_time(found.expires_us) if found.expires_us else 'never: nobody signed it'}")
    for signature in found.signatures:
        line(console, f"  signed    {signature.role} by {signature.holder}, key {signature.key[:16]}")
    if found.base:
        line(console, f"  narrower  one holder alone took something away from {found.base}")
    terms = found.terms
    line(console, f"tenant {terms.tenant}", "bold")
    line(console, f"  purposes  {', '.join(terms.purposes) or 'none'}")
    line(console, f"  models    {', '.join(terms.models) or 'none'}")
    line(console, f"  ceiling   {terms.marking_ceiling}")
    for grant in terms.grants:
        until = _time(grant.expires_ms * 1000)
        line(console, f"  grant     {grant.id}: {grant.rule} for {', '.join(grant.purposes)}, until {until}")


def _step(console: Console, step: Step) -> None:
    line(console, f"from {step.before or 'nothing'}", "bold")
    line(console, f"  to {step.after}, version {step.version}", "bold")
    for effect in step.effects:
        line(console, f"  computed  {_effect(effect)}", _COLOURS["looser"] if effect.looser else "")
    for change in step.changes:
        line(console, f"  {change.direction:9} {change.text}", _COLOURS.get(change.direction, ""))
    if not step.changes:
        line(console, "  nothing that concerns this tenant")


def _effect(effect: Compared) -> str:
    about = effect.about or "the rules"
    return f"{about}: {effect.looser} of {effect.decisions} decisions are looser, {effect.stricter} stricter"


def _json(found: InForce, changed: Changes | None) -> Mapping[str, Json]:
    made: dict[str, Json] = {"outcome": "in_force", **asdict(found)}
    return made | {"steps": [asdict(step) for step in changed.steps]} if changed else made


def _time(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
