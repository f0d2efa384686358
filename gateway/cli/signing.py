"""`brightline release`: how provider and agency together put a release in force. Neither can do it alone."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.release_diff import diff, loosened, notes, renewed, tell
from gateway.cli.release_keys import KeyOption, PublicOption, RepositoryArgument, SecretOption, passphrase
from gateway.cli.terminal import line
from gateway.errors import StartError
from gateway.release import keyfiles, restrictions, staging, starter
from gateway.release.documents import MANIFEST, VECTORS
from gateway.release.holders import ROOT, TARGETS, TIMESTAMP
from gateway.release.reading import parsed
from gateway.release.repository import DAYS, STAGED, Repository
from gateway.workshop import selftest
from gateway.workshop.build import BuildError, differing, policy_of


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
    """Propose a release: the given parts, and the published ones for the rest. Its effect is computed and included.

    If no policy is given, the first release takes the starter policy and its self-test. This puts nothing in force.
    """
    at = Repository(repository)
    published = at.agreed()
    if not published:
        vectors = vectors or (None if policy else starter().parent / VECTORS)
        policy = policy or starter()
    with tempfile.TemporaryDirectory() as folder:
        if renew and policy and (old := staging.read(vectors) if vectors else published.get(VECTORS)):
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
    """Propose a restriction by one holder alone, which comes in force without the other's signature.

    The file lists the `tenants`, `models`, `grants` and `purposes` to remove, beside `"format": 1`.
    """
    raw = document.read_bytes() if document and document.is_file() else None
    if document is not None:
        if raw is None:
            raise StartError(f"{document}: cannot be read; there is no such file")
        parsed(document, raw, restrictions.Restrictions)
    Repository(repository).restrict(holder, raw, _now())
    typer.echo(f"{repository}: {holder} is staged; sign it with the release key of {holder}")


def sign(  # noqa: PLR0917 - one parameter for each option
    repository: RepositoryArgument,
    key: KeyOption,
    public: PublicOption = None,
    passphrase_file: SecretOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking. For machines that try things out.")] = False,
    red_lines: Annotated[
        list[str] | None, typer.Option("--red-line", help="A red line that may be looser than before, by its name.")
    ] = None,
) -> None:
    """Show what is staged, compute its effect again, ask for confirmation, and sign it with this key.

    To sign a red line that may be looser, name it, with --red-line or when you are asked. --yes is not enough.

    A policy that is neither the one in force nor the starter's is compiled again, which needs Open Policy Agent. Exits
    with 1 when you decline, when there is nothing for this key, or when the effect differs from the metadata, or the
    compiled policy from its sources.
    """
    signer = keyfiles.signer(key, lambda: passphrase(passphrase_file), public)
    at = Repository(repository).looked_at(signer.public_key, STAGED)
    tell(at)
    if at.staged(TARGETS) is not None and at.file(MANIFEST, staged=True) is not None and not renewed(at):
        computed = notes(at.agreed(), at.files(staged=True))
        if computed != at.custom(staged=True):
            typer.echo("REFUSED: the metadata does not say what this release does; stage it again", err=True)
            raise typer.Exit(1)
        _compiled(at.agreed(), at.files(staged=True))
    if not yes and not typer.confirm("Sign this?"):
        typer.echo("not signed")
        raise typer.Exit(1)
    _named(sorted(loosened(at).keys() - set(red_lines or ())), ask=not yes)
    signed = at.sign(signer)
    if not signed:
        typer.echo(f"error: nothing that is staged is signed with {key}; see brightline release status", err=True)
        raise typer.Exit(1)
    typer.echo(f"signed {', '.join(signed)}")


def _named(looser: list[str], *, ask: bool) -> None:
    """Require the name of each red line that may be looser. A general consent is not enough."""
    for name in looser if ask else ():
        if (
            typer.prompt(f"Red line {name} may be looser. Type its name to sign", default="", show_default=False)
            != name
        ):
            typer.echo("not signed")
            raise typer.Exit(1)
    if looser and not ask:
        words = " ".join(f"--red-line {name}" for name in looser)
        typer.echo(f"REFUSED: red lines may be looser; once you have read how, name them: {words}", err=True)
        raise typer.Exit(1)


def _compiled(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Refuse a module or data that does not match the sources, which are what a signer can read."""
    policy = policy_of(after)
    if policy in (policy_of(before), policy_of(staging.folder(starter()))):
        return
    try:
        wrong = differing(policy)
    except BuildError as error:
        raise StartError(f"the staged policy: {error}") from error
    if wrong:
        typer.echo(f"REFUSED: the staged policy is not what its sources say: {', '.join(wrong[:5])}", err=True)
        raise typer.Exit(1)


def publish(
    repository: RepositoryArgument,
    key: KeyOption,
    public: PublicOption = None,
    passphrase_file: SecretOption = None,
    days: Annotated[int, typer.Option(help="How long snapshot and timestamp last.", min=1, max=3650)] = DAYS[TIMESTAMP],
) -> None:
    """Publish what has every signature, with the agency's online key. With nothing staged, only renew the expiry times.

    Run it daily: when the timestamp expires, gateways refuse every call.
    """
    at = Repository(repository)
    signer = keyfiles.signer(key, lambda: passphrase(passphrase_file), public)
    ready = at.publish(signer, _now(), {**DAYS, "snapshot": days, TIMESTAMP: days})
    typer.echo(f"published {', '.join(ready)}" if ready else "nothing was staged; the times are renewed")


def status(repository: RepositoryArgument) -> None:
    """Show which metadata is published and staged, when it expires, and whose keys sign what."""
    at = Repository(repository)
    for role in (*STAGED, "snapshot", "timestamp"):
        for word, metadata in (("published", at.published(role)), ("staged", at.staged(role))):
            if metadata is not None:
                expires = metadata.signed.expires.date()
                late = "  EXPIRED" if metadata.signed.is_expired() else ""
                typer.echo(f"{role:10} version {metadata.signed.version:<4} {word}, expires {expires}{late}")
    console, root = Console(highlight=False), at.newest(ROOT).signed
    for name, role in root.roles.items():
        for keyid in role.keyids:
            owner = root.keys[keyid].unrecognized_fields.get("x-brightline-holder")
            line(console, f"{name:10} key {keyid[:16]} of {owner}")


def _now() -> datetime:
    return datetime.now(UTC)
