"""`brightline release`: what provider and agency do to put something in force together. Neither can alone."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.canonical import digest, parse
from gateway.cli.terminal import line as show
from gateway.errors import StartError
from gateway.release import keyfiles, restrictions, staging, starter
from gateway.release.documents import MANIFEST, VECTORS
from gateway.release.holders import ROOT, TARGETS
from gateway.release.keyfiles import NAMES
from gateway.release.parts import HOLDERS
from gateway.release.reading import parsed
from gateway.release.repository import DAYS, STAGED, Repository
from gateway.types import Change
from gateway.workshop import selftest
from gateway.workshop.changes import LOOSER, STRICTER, changes
from gateway.workshop.effect import effect

RepositoryArgument = Annotated[Path, typer.Argument(help="The repository, a folder.")]
KeyOption = Annotated[str, typer.Option("--key", help="Your key: NAME.key, or hsm:… for a key in a PKCS#11 device.")]
PublicOption = Annotated[Path | None, typer.Option("--public", help="The public key of a key in a device.")]
SecretOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Reads the passphrase from a file instead of asking for it.")
]
COLOURS = {LOOSER: "bold red", STRICTER: "green"}


def keygen(
    holder: Annotated[str, typer.Argument(help="Whose keys they are: provider or agency.")],
    to: Annotated[Path, typer.Option(help="The folder for the keys; on the holder's own machine.")],
    only: Annotated[str, typer.Option(help="Make one key alone: root, release or online.")] = "",
    device: Annotated[str, typer.Option(help="With --only: the key is in a device, hsm:NUMBER?label=TOKEN.")] = "",
    passphrase_file: SecretOption = None,
) -> None:
    """Make a holder's keys: root and release, and for the agency online. The private ones are encrypted.

    Give the .pub files to the other side; the .key files stay. Exits with 2 when one is there already.
    """
    wanted = [name for name, who in NAMES.items() if (not who or holder in who) and only in {"", name}]
    if not wanted:
        raise StartError(f"{only}: {holder} has no such key; keys are {', '.join(NAMES)}")
    if device:
        if not only:
            raise StartError("--device: name the key with --only; a device has one key for each")
        key = keyfiles.from_device(to, holder, only, device, lambda: _passphrase(passphrase_file))
        typer.echo(f"made {to / only}.pub, key {key.keyid[:16]} of {holder}; sign with --key '{device}'")
        return
    secret = _passphrase(passphrase_file, confirm=True)
    for name in wanted:
        key = keyfiles.create(to, holder, name, secret)
        typer.echo(f"made {to / name}.key and {to / name}.pub, key {key.keyid[:16]} of {holder}")


def init(
    repository: RepositoryArgument,
    provider: Annotated[Path, typer.Option(help="The folder with the provider's root.pub and release.pub.")],
    agency: Annotated[Path, typer.Option(help="The folder with the agency's root.pub, release.pub and online.pub.")],
) -> None:
    """Propose the first root: whose keys sign what. Both sign it with their root keys; then it is published.

    Example: `brightline release init releases --provider keys/provider --agency keys/agency`
    """
    folders = dict(zip(HOLDERS, (agency, provider), strict=True))
    keys = [
        (name, keyfiles.public(folders[holder] / f"{name}.pub"))
        for name, who in NAMES.items()
        for holder in who or HOLDERS
    ]
    Repository(repository).init(keys, _now())
    typer.echo(f"{repository}: root version 1 is staged; both sign it: brightline release sign {repository} --key …")


def stage(  # noqa: PLR0917 - one parameter for each option
    repository: RepositoryArgument,
    policy: Annotated[Path | None, typer.Option(help="What `brightline policy build` wrote.")] = None,
    tenants: Annotated[Path | None, typer.Option(help="tenants.json, the agency's part.")] = None,
    grants: Annotated[Path | None, typer.Option(help="grants.json, the provider's part.")] = None,
    models: Annotated[Path | None, typer.Option(help="models.json, the provider's part.")] = None,
    vectors: Annotated[Path | None, typer.Option(help="vectors.json, the self-test.")] = None,
    renew: Annotated[
        bool, typer.Option("--renew-self-test", help="Write down what the new policy decides as its self-test.")
    ] = False,
) -> None:
    """Propose a release: what is given, with what is published for the rest. Its effect is computed, and part of it.

    The first release takes the starter policy and its self-test where none is given. Nothing is in force by this.
    """
    at = Repository(repository)
    published = at.agreed()
    if not published:
        vectors = vectors or (None if policy else starter().parent / VECTORS)
        policy = policy or starter()
    with tempfile.TemporaryDirectory() as folder:
        if renew and policy and (old := vectors.read_bytes() if vectors else published.get(VECTORS)):
            vectors = Path(folder) / VECTORS
            vectors.write_bytes(selftest.renewed(policy, old))
        made = staging.files(published, policy=policy, tenants=tenants, grants=grants, models=models, vectors=vectors)
    selftest.must_pass(staging.release(made))
    at.stage(made, notes(published, made), _now())
    diff(repository)


def restrict(
    repository: RepositoryArgument,
    holder: Annotated[str, typer.Argument(help="Who takes something away: provider or agency.")],
    document: Annotated[
        Path | None, typer.Option("--file", help="restrictions.json; without it, take it back.")
    ] = None,
) -> None:
    """Propose what one holder takes away alone, to be in force without the other's signature.

    The file lists `tenants`, `models`, `grants` and `purposes` that are gone, beside `"format": 1`.
    """
    raw = document.read_bytes() if document and document.is_file() else None
    if document is not None:
        if raw is None:
            raise StartError(f"{document}: cannot be read; there is no such file")
        parsed(document, raw, restrictions.Restrictions)
    Repository(repository).restrict(holder, raw, _now())
    typer.echo(f"{repository}: {holder} is staged; sign it with the release key of {holder}")


def diff(
    repository: RepositoryArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what is staged and what it changes, with its computed effect; what loosens comes first."""
    at = Repository(repository)
    if as_json:
        typer.echo(_json(at))
        return
    console = Console(highlight=False, soft_wrap=True)
    there = [role for role in STAGED if at.staged(role) is not None]
    if not there:
        typer.echo(f"{repository}: nothing is staged")
    if at.staged(ROOT) is not None:
        _keys(console, at)
    if at.staged(TARGETS) is not None and at.file(MANIFEST, staged=True) is not None:
        _release(console, at)
    for holder in HOLDERS:
        _alone(console, at, holder)
    for role in there:
        missing = at.missing(role)
        show(
            console,
            f"{role} {'is not signed by ' + ' and '.join(missing) + ' yet' if missing else 'has every signature'}",
        )


def sign(
    repository: RepositoryArgument,
    key: KeyOption,
    public: PublicOption = None,
    passphrase_file: SecretOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking. For machines that try things out.")] = False,
) -> None:
    """Show what is staged, compute its effect again, ask, and sign it with this key.

    Exits with 1 when you decline, when there is nothing for this key, or when the effect is not what the metadata says.
    """
    at = Repository(repository)
    diff(repository)
    if at.staged(TARGETS) is not None and at.file(MANIFEST, staged=True) is not None:
        computed = notes(at.agreed(), at.files(staged=True))
        if computed != at.custom(staged=True):
            typer.echo("REFUSED: the metadata does not say what this release does; stage it again", err=True)
            raise typer.Exit(1)
    if not yes and not typer.confirm("Sign this?"):
        typer.echo("not signed")
        raise typer.Exit(1)
    signed = at.sign(keyfiles.signer(key, lambda: _passphrase(passphrase_file), public))
    if not signed:
        typer.echo(f"error: nothing that is staged is signed with {key}; see brightline release status", err=True)
        raise typer.Exit(1)
    typer.echo(f"signed {', '.join(signed)}")


def publish(
    repository: RepositoryArgument,
    key: KeyOption,
    public: PublicOption = None,
    passphrase_file: SecretOption = None,
    days: Annotated[int, typer.Option(help="How long snapshot and timestamp last.")] = DAYS["timestamp"],
) -> None:
    """Publish what has every signature, with the agency's online key. With nothing staged it renews the times alone.

    Run it daily: when the timestamp expires, gateways refuse every call.
    """
    at = Repository(repository)
    signer = keyfiles.signer(key, lambda: _passphrase(passphrase_file), public)
    ready = at.publish(signer, _now(), {**DAYS, "snapshot": days, "timestamp": days})
    typer.echo(f"published {', '.join(ready)}" if ready else "nothing was staged; the times are renewed")


def status(repository: RepositoryArgument) -> None:
    """Say which metadata is published and staged, until when it lasts, and whose keys sign what."""
    at = Repository(repository)
    for role in (*STAGED, "snapshot", "timestamp"):
        for word, metadata in (("published", at.published(role)), ("staged", at.staged(role))):
            if metadata is not None:
                expires = metadata.signed.expires.date()
                late = "  EXPIRED" if metadata.signed.is_expired() else ""
                typer.echo(f"{role:10} version {metadata.signed.version:<4} {word}, expires {expires}{late}")
    root = at.newest(ROOT).signed
    for name, role in root.roles.items():
        for keyid in role.keyids:
            typer.echo(
                f"{name:10} key {keyid[:16]} of {root.keys[keyid].unrecognized_fields.get('x-brightline-holder')}"
            )


def rotate(
    repository: RepositoryArgument,
    old: Annotated[Path, typer.Option(help="The .pub file of the key that goes.")],
    new: Annotated[Path, typer.Option(help="The .pub file of the key that takes its place, of the same holder.")],
) -> None:
    """Propose another key in the place of one, wherever that stands. Both root keys sign; the old key may come back."""
    _replace(repository, old, new, revoked=False)


def revoke(
    repository: RepositoryArgument,
    old: Annotated[Path, typer.Option(help="The .pub file of the key that is lost or in wrong hands.")],
    new: Annotated[Path, typer.Option(help="The .pub file of the key that takes its place, of the same holder.")],
) -> None:
    """The same for a key that nobody may use again: gateways refuse it for ever, whoever signs for it."""
    _replace(repository, old, new, revoked=True)


def _replace(repository: Path, old: Path, new: Path, *, revoked: bool) -> None:
    at = Repository(repository)
    changed = at.replace_key(keyfiles.public(old).keyid, keyfiles.public(new), _now(), revoked=revoked)
    typer.echo(f"{repository}: staged {', '.join(changed)}; the holders sign them anew, then publish")


def notes(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, Any]:
    """What the signed metadata says of a change: the same for everybody who computes it."""
    old, new = staging.release(before) if before else None, staging.release(after)
    found = changes(old, new, before, after)
    return {
        "version": new.version,
        "from": old.digest if old else "",
        "changes": [[change.direction, change.text, change.about] for change in found],
        "effect": effect(old, new) if old else {},
    }


def _release(console: Console, at: Repository) -> None:
    said = at.custom(staged=True)
    raw = at.file(MANIFEST, staged=True) or b""
    show(console, f"release version {said.get('version')}, digest {digest(parse(raw))}", "bold")
    computed = said.get("effect") or {}
    if computed:
        style = "bold red" if computed["looser"] else "bold green"
        show(console, f"computed effect: {computed['looser']} of {computed['decisions']} decisions are looser", style)
        show(console, f"                 {computed['stricter']} are stricter")
        for example in computed["examples"]:
            show(console, f"  looser    {example}", "red")
    for change in (Change(*change) for change in said.get("changes", [])):
        show(console, f"  {change.direction:9} {change.text}", COLOURS.get(change.direction, ""))
    if not said.get("changes"):
        show(console, "  nothing changes but dates")


def _keys(console: Console, at: Repository) -> None:
    before, root = at.published(ROOT), at.newest(ROOT).signed
    old = before.signed.keys if before else {}
    show(console, f"root version {root.version}", "bold")
    for keyid in sorted(old.keys() - root.keys.keys()):
        show(console, f"  key {keyid[:16]} goes", "yellow")
    for keyid in sorted(root.keys.keys() - old.keys()):
        roles = [name for name, role in root.roles.items() if keyid in role.keyids]
        owner = root.keys[keyid].unrecognized_fields.get("x-brightline-holder")
        show(console, f"  key {keyid} of {owner} comes, for {', '.join(roles)}", "yellow")


def _alone(console: Console, at: Repository, holder: str) -> None:
    staged, published = at.staged(holder), at.published(holder)
    name = f"{holder}/{restrictions.NAME}"
    now, was = (m.signed.targets.get(name) if m else None for m in (staged, published))
    if staged is not None and now != was:
        show(
            console,
            f"{holder} alone: {'takes away what its ' + name + ' lists' if now else 'takes nothing away any more'}",
        )


def _json(at: Repository) -> str:
    import json  # noqa: PLC0415 - where it is printed

    staged = [role for role in STAGED if at.staged(role) is not None]
    return json.dumps({"staged": {role: at.missing(role) for role in staged}, "notes": at.custom(staged=True)})


def _passphrase(path: Path | None, *, confirm: bool = False) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    secret: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return secret


def _now() -> datetime:
    return datetime.now(UTC)
