"""`brightline audit open`, `hold` and `purge`: handle sealed content. Each use is recorded first."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from brightline_verify.merkle import ProofError
from brightline_verify.report import UnreadableError, plain
from brightline_verify.stored import CorruptError
from gateway import config as configuration
from gateway.audit import places
from gateway.audit.keys import load_verifier, public_path
from gateway.audit.record import Place
from gateway.audit.sealed.envelope import PROMPT, Period, SealError
from gateway.audit.sealed.keeper import Keeper, keeping
from gateway.audit.sealed.places import load_reviewer
from gateway.audit.show import show
from gateway.canonical import Json
from gateway.cli.log_options import unusable
from gateway.config import Audit
from gateway.errors import StartError

ConfigOption = Annotated[Path, typer.Option(help="The gateway's configuration, which names log and sealed store.")]


def _something(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("is empty; give at least a letter")
    return value


WhyOption = Annotated[str, typer.Option(help="The reason, as it is recorded.", callback=_something)]
_MONTH = re.compile(r"(?:\d{4}-(?:0[1-9]|1[0-2]))?")


def open_(
    *,
    decision_id: Annotated[str, typer.Argument(help="As in the answer or the refusal.")],
    config: ConfigOption,
    reviewer: Annotated[list[Path], typer.Option(help="The private key of a reviewer; give two.")],
    why: WhyOption,
) -> None:
    """Open the sealed content of a decision, with the keys of two reviewers, and print it as JSON.

    The opening is recorded before anything is opened. Exits with 0, with 1 when it can't be opened, 2 when something
    can't be read or written.

    Example: `brightline audit open ID --config gateway.toml --reviewer a.key --reviewer b.key --why "case 7"`
    """
    with _kept(config) as (keeper, audit):
        verifier = load_verifier(public_path(audit.signing_key), "audit.signing_key")
        records = [one.record for one in show(places.source(audit), verifier, decision_id)]
        if len(reviewer) != 2:
            raise unusable("--reviewer: two different reviewers open together; give it twice")
        opened = keeper.open(decision_id, records, [load_reviewer(path) for path in reviewer], why)
    typer.echo(json.dumps({label.what: _readable(label.what, content) for label, content in opened}, indent=2))


def hold(
    *,
    config: ConfigOption,
    tenant: Annotated[str, typer.Option(help="Whose content.")],
    name: Annotated[str, typer.Option(help="The name of the hold, for example a case.")],
    why: WhyOption,
    retention: Annotated[str, typer.Option("--class", help="Of this retention class only.")] = "",
    month: Annotated[str, typer.Option(help="Of this month only, like 2026-11.")] = "",
    free: Annotated[bool, typer.Option("--free", help="Take the hold away.")] = False,
) -> None:
    """Keep a tenant's sealed content from being purged, or release the hold. Exits with 0, with 2 when that fails.

    Prints how many periods the hold covers now. It is none if nothing is sealed yet, or if the tenant's name is
    misspelt.

    Example: `brightline audit hold --config gateway.toml --tenant northern-logistics --name case-7 --why "court order"`
    """
    if not _MONTH.fullmatch(month):
        raise typer.BadParameter("give a month like 2026-11", param_hint="--month")
    period = Period(tenant, retention, month)
    which = plain(" ".join(filter(None, (tenant, retention, month, name))))
    with _kept(config) as (keeper, _):
        if free:
            if not keeper.free(period, name, why):
                raise unusable(
                    f"{which}: there is no such hold; name tenant, --class, --month and --name as it has them"
                )
            typer.echo(f"freed: {which}")
            return
        _meant(period, name, keeper)
        keeps = keeper.hold(period, name, why)
    typer.echo(f"held: {which}; keeps {keeps or 'none'} of the periods now")


def _meant(period: Period, name: str, keeper: Keeper) -> None:
    """Refuse a hold that could cover nothing. An existing hold of an earlier version can still be released."""
    for option, value in (("--tenant", period.tenant), ("--name", name)):
        if not value.strip():
            raise unusable(f"{option}: is empty; give at least a letter")
    if period.retention and period.retention not in keeper.classes():
        known = ", ".join(sorted(keeper.classes()))
        raise unusable(plain(f"--class: {period.retention}: no such class; audit.sealed.retention_months has {known}"))


def purge(
    *,
    config: ConfigOption,
    why: WhyOption = "retention is over",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go and what stays.")] = False,
) -> None:
    """Destroy the wrapping keys, and with them the sealed content, of every period whose retention is over.

    Content under a hold is kept. No proof depends on the destroyed content. Exits with 0, with 2 when something can't
    be read or written.

    Example: `brightline audit purge --config gateway.toml --dry-run`
    """
    with _kept(config) as (keeper, _):
        for due in keeper.due() if dry_run else keeper.purge(_user(), why):
            state = due.why or ("to be purged" if dry_run else "purged")
            typer.echo(f"{plain(str(due.period))}: {due.envelopes} sealed, {plain(state)}")


def _user() -> str:
    """The user who runs this, by name, or by number if there is no name, as in many containers."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return name if name and name.isprintable() else f"user {os.getuid()}"


@contextmanager
def _kept(config: Path) -> Iterator[tuple[Keeper, Audit]]:
    """The keeper and the log's settings. Exits with 1 if it does not open, and with 2 if it can't be read."""
    audit = configuration.load(config).audit
    if audit.sealed is None:
        raise unusable("audit.sealed: is not configured")
    try:
        with keeping(audit.sealed, Place(audit.enclave, audit.node, "keeper", "")) as keeper:
            yield keeper, audit
    except (SealError, ProofError) as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    except (StartError, OSError, UnreadableError, CorruptError) as error:
        raise unusable(plain(str(error))) from error


def _readable(what: str, content: bytes) -> Json:
    """The sealed content as JSON: the prompt as committed to, and the output as text and tool uses, in order."""
    if what == PROMPT:
        prompt: Json = json.loads(content)
        return prompt
    parts = content.decode("ascii").split("\0")
    return [json.loads(f'"{part}"' if number % 2 == 0 else part) for number, part in enumerate(parts) if part]
