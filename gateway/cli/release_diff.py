"""`brightline release diff`: describes what is staged, with its computed effect."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.canonical import digest, parse
from gateway.cli.release_keys import RepositoryArgument
from gateway.cli.terminal import line as show
from gateway.release import restrictions, staging
from gateway.release.documents import MANIFEST
from gateway.release.holders import ROOT, TARGETS
from gateway.release.parts import HOLDERS
from gateway.release.repository import DAYS, STAGED, Repository
from gateway.types import Change
from gateway.workshop import redlines
from gateway.workshop.changes import LOOSER, STRICTER, changes
from gateway.workshop.effect import effect

COLOURS = {LOOSER: "bold red", STRICTER: "green"}


def diff(
    repository: RepositoryArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is staged and what it changes, with its computed effect. Loosening changes come first."""
    at = Repository(repository)
    if as_json:
        typer.echo(_json(at))
        return
    tell(at)


def tell(at: Repository) -> None:
    """Print the same for a repository as its viewing signer sees it."""
    console = Console(highlight=False, soft_wrap=True)
    there = [role for role in STAGED if at.staged(role) is not None]
    if not there:
        typer.echo(f"{at.folder}: nothing is staged")
    _strange(console, at)
    if at.staged(ROOT) is not None:
        _keys(console, at)
    if at.staged(TARGETS) is not None and at.file(MANIFEST, staged=True) is not None:
        _release(console, at)
    for holder in HOLDERS:
        _alone(console, at, holder)
    for role in there:
        _lasting(console, at, role)


def notes(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, Any]:
    """The notes on a change for the signed metadata. They are the same for everybody who computes them."""
    old, new = staging.release(before) if before else None, staging.release(after)
    found = changes(old, new, before, after)
    return {
        "version": new.version,
        "from": old.digest if old else "",
        "changes": [[change.direction, change.text, change.about] for change in found],
        "effect": effect(old, new) if old else {},
    }


def renewed(at: Repository) -> bool:
    """Whether the staged release is the last one that both signed, with the same notes."""
    agreed = at.agreed_targets()
    if agreed is None or at.file(MANIFEST, staged=True) != at.agreed()[MANIFEST]:
        return False
    staging.release(at.files(staged=True))
    return dict(agreed.signed.targets[MANIFEST].custom or {}) == at.custom(staged=True)


def loosened(at: Repository) -> dict[str, str]:
    """The red lines that the staged release may loosen, each with the reason. Raises StartError."""
    if at.staged(TARGETS) is None or at.file(MANIFEST, staged=True) is None or renewed(at):
        return {}
    return redlines.looser(at.agreed(), at.files(staged=True), at.custom(staged=True).get("effect") or {})


def _lasting(console: Console, at: Repository, role: str) -> None:
    """Warn of a long lifetime: until it ends, the signed metadata can be shown to a gateway as the newest."""
    missing, ends = at.missing(role), at.newest(role).signed.expires
    left, usual = ends - datetime.now(UTC), DAYS.get(role, DAYS[TARGETS])
    signed = f"is not signed by {' and '.join(missing)} yet" if missing else "has every signature"
    lasts = f"expires {ends.date()}, in {left.days} days" if left > timedelta() else f"EXPIRED {ends.date()}"
    odd = f"; {usual} days are usual" if left > timedelta(days=usual + 1) else ""
    show(console, f"{role} {signed}; {lasts}{odd}", "bold red" if odd or left <= timedelta() else "")


def _release(console: Console, at: Repository) -> None:
    said = at.custom(staged=True)
    raw = at.file(MANIFEST, staged=True) or b""
    show(console, f"release version {said.get('version')}, digest {digest(parse(raw))}", "bold")
    if renewed(at):
        show(console, "  is the one that both signed last, to be signed again")
        return
    computed = said.get("effect") or {}
    if computed:
        style = "bold red" if computed["looser"] else "bold green"
        show(console, f"computed effect: {computed['looser']} of {computed['decisions']} decisions are looser", style)
        show(console, f"                 {computed['stricter']} are stricter")
        for example in computed["examples"]:
            show(console, f"  looser    {example}", "red")
    for name, why in loosened(at).items():
        show(console, f"  RED LINE  {name} may be looser: {why}", "bold red")
    for change in (Change(*change) for change in said.get("changes", [])):
        show(console, f"  {change.direction:9} {change.text}", COLOURS.get(change.direction, ""))
    if not said.get("changes"):
        show(console, "  nothing changes but dates")


def _strange(console: Console, at: Repository) -> None:
    """Warn of an unexpected base: whoever can write the folder could show an old or invented state as the base."""
    for role in at.signable(at.by.keyid) if at.by else ():
        before, published, staged = at.signed_before(role), at.published(role), at.newest(role)
        if published is not None and before is None:
            text = "this key signed nothing of what is published; do not sign unless it is a new key"
            show(console, f"{role}: {text}", "bold red")
        elif before is not None and staged.signed.version != before.signed.version + 1:
            text = f"version {staged.signed.version} does not follow {before.signed.version}, the last by this key"
            show(console, f"{role}: {text}", "bold red")


def _keys(console: Console, at: Repository) -> None:
    mine = at.by is not None and ROOT in at.signable(at.by.keyid)
    before, root = at.signed_before(ROOT) if mine else at.published(ROOT), at.newest(ROOT).signed
    old = before.signed.keys if before else {}
    show(console, f"root version {root.version}", "bold")
    for keyid in sorted(old.keys() - root.keys.keys()):
        show(console, f"  key {keyid[:16]} goes", "yellow")
    for keyid in sorted(root.keys.keys() - old.keys()):
        roles = [name for name, role in root.roles.items() if keyid in role.keyids]
        owner = root.keys[keyid].unrecognized_fields.get("x-brightline-holder")
        show(console, f"  key {keyid} of {owner} comes, for {', '.join(roles)}", "yellow")


def _alone(console: Console, at: Repository, holder: str) -> None:
    mine = at.by is not None and holder in at.signable(at.by.keyid)
    staged, published = at.staged(holder), at.signed_before(holder) if mine else at.published(holder)
    name = f"{holder}/{restrictions.NAME}"
    now, was = (m.signed.targets.get(name) if m else None for m in (staged, published))
    if staged is not None and now != was:
        show(
            console,
            f"{holder} alone: {'takes away what its ' + name + ' lists' if now else 'takes nothing away any more'}",
        )


def _json(at: Repository) -> str:
    staged = [role for role in STAGED if at.staged(role) is not None]
    return json.dumps(
        {
            "staged": {role: at.missing(role) for role in staged},
            "expires": {role: at.newest(role).signed.expires.strftime("%Y-%m-%dT%H:%M:%SZ") for role in staged},
            "red_lines": loosened(at),
            "notes": at.custom(staged=True),
        }
    )
