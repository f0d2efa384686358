"""`brightline release keygen | init | rotate | revoke`: the signing keys of the holders, and how they are opened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.errors import StartError
from gateway.release import keyfiles
from gateway.release.keyfiles import NAMES
from gateway.release.parts import HOLDERS
from gateway.release.repository import Repository

RepositoryArgument = Annotated[Path, typer.Argument(help="The repository, a folder.")]
KeyOption = Annotated[str, typer.Option("--key", help="Your key: NAME.key, or hsm:… for a key in a PKCS#11 device.")]
PublicOption = Annotated[Path | None, typer.Option("--public", help="The public key of a key in a device.")]
SecretOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Reads the passphrase from a file instead of asking for it.")
]


def keygen(
    holder: Annotated[str, typer.Argument(help="Whose keys they are: provider or agency.")],
    to: Annotated[Path, typer.Option(help="The folder for the keys; on the holder's own machine.")],
    only: Annotated[str, typer.Option(help="Make one key alone: root, release or online.")] = "",
    device: Annotated[str, typer.Option(help="With --only: the key is in a device, hsm:NUMBER?label=TOKEN.")] = "",
    passphrase_file: SecretOption = None,
) -> None:
    """Make a holder's keys: root and release, and for the agency online. The private ones are encrypted.

    Give the .pub files to the other holder; keep the .key files. Exits with 2 when a key exists already.
    """
    wanted = [name for name, who in NAMES.items() if (not who or holder in who) and only in {"", name}]
    if not wanted:
        raise StartError(f"{only}: {holder} has no such key; keys are {', '.join(NAMES)}")
    if device:
        if not only:
            raise StartError("--device: name the key with --only; a device has one key for each")
        key = keyfiles.from_device(to, holder, only, device, lambda: passphrase(passphrase_file))
        typer.echo(f"made {to / only}.pub, key {key.keyid[:16]} of {holder}; sign with --key '{device}'")
        return
    secret = passphrase(passphrase_file, confirm=True)
    for name in wanted:
        key = keyfiles.create(to, holder, name, secret)
        typer.echo(f"made {to / name}.key and {to / name}.pub, key {key.keyid[:16]} of {holder}")


def init(
    repository: RepositoryArgument,
    provider: Annotated[Path, typer.Option(help="The folder with the provider's root.pub and release.pub.")],
    agency: Annotated[Path, typer.Option(help="The folder with the agency's root.pub, release.pub and online.pub.")],
) -> None:
    """Propose the first root: which keys sign what. Both holders sign it with their root keys; then it is published.

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


def rotate(
    repository: RepositoryArgument,
    old: Annotated[Path, typer.Option(help="The .pub file of the key that goes.")],
    new: Annotated[Path, typer.Option(help="The .pub file of the key that takes its place, of the same holder.")],
) -> None:
    """Propose to replace a key wherever it is used. Both root keys have to sign.

    The old key may be used again later.
    """
    _replace(repository, old, new, revoked=False)


def revoke(
    repository: RepositoryArgument,
    old: Annotated[Path, typer.Option(help="The .pub file of the key that is lost or in wrong hands.")],
    new: Annotated[Path, typer.Option(help="The .pub file of the key that takes its place, of the same holder.")],
) -> None:
    """Propose to replace a key that nobody may ever use again.

    Gateways refuse it from then on, whoever signs for it.
    """
    _replace(repository, old, new, revoked=True)


def _replace(repository: Path, old: Path, new: Path, *, revoked: bool) -> None:
    at = Repository(repository)
    changed = at.replace_key(keyfiles.public(old).keyid, keyfiles.public(new), _now(), revoked=revoked)
    typer.echo(f"{repository}: staged {', '.join(changed)}; the holders sign them anew, then publish")


def passphrase(path: Path | None, *, confirm: bool = False) -> str:
    """The passphrase of a key, from the file or from a prompt. Raises StartError."""
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise StartError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise StartError(
                f"--passphrase-file: {path}: is not UTF-8; give a file with the passphrase alone"
            ) from None
    secret: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return secret


def _now() -> datetime:
    return datetime.now(UTC)
