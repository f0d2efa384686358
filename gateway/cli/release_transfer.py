"""`brightline release verify`, `export` and `import`: verifies a repository as a gateway does, and transfers it."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.config import ReleaseSource
from gateway.errors import StartError
from gateway.release.client import Client
from gateway.release.documents import DATA, SOURCES, WASM
from gateway.release.fetching import FOLDER, Folder, Https
from gateway.release.holders import ROOT, SNAPSHOT, TIMESTAMP
from gateway.release.making import put
from gateway.release.repository_view import version
from gateway.release.staging import read
from gateway.release.tuf_refresh import read_root
from gateway.types import Release
from gateway.workshop.build import BuildError, build

RootOption = Annotated[Path, typer.Option("--root", help="The trusted root, as gateways have it: a root.json.")]
FILE_S = ReleaseSource.model_fields["file_s"].default


def verify(
    source: Annotated[str, typer.Argument(help="The repository: a folder, or an https address.")],
    root: RootOption,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Compile its sources again and compare the bytes.")
    ] = False,
) -> None:
    """Check a repository as a gateway does, with the trusted root alone. --rebuild needs Open Policy Agent.

    Exits with 0 when a gateway would put it in force, 1 when the compiled policy does not match its sources, 2 when it
    is refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        client = _client(source, root, Path(folder) / "metadata")
        found = client.load()
        _say(found)
        if rebuild:
            client.extract(Path(folder) / "release")
            _rebuilt(Path(folder) / "release", Path(folder) / "built")


def extract(
    source: Annotated[str, typer.Argument(help="The repository: a folder, or an https address.")],
    to: Annotated[Path, typer.Argument(help="The folder to make.")],
    root: RootOption,
) -> None:
    """Check a repository and write the release that both signed into a folder, as auditors keep it for replays.

    Exits with 2 when the repository is refused, or the folder exists already.
    """
    if to.exists():
        raise StartError(f"{to}: is there already; name a new folder")
    with tempfile.TemporaryDirectory() as folder:
        _client(source, root, Path(folder) / "metadata").extract(to)
    typer.echo(f"wrote {to}")


def export(
    source: Annotated[str, typer.Argument(help="The repository: a folder, or an https address.")],
    disk: Annotated[Path, typer.Argument(help="The folder on the disk. What is there of an older export is replaced.")],
    root: RootOption,
) -> None:
    """Check a repository and copy what is published to a disk: metadata and files, without keys or staged files.

    Exits with 2 when the repository is refused; then nothing is copied.
    """
    _carried(source, disk, root)


def import_(
    disk: Annotated[Path, typer.Argument(help="The folder on the disk.")],
    repository: Annotated[Path, typer.Argument(help="The folder that gateways on this side read: release.repository.")],
    root: RootOption,
) -> None:
    """Check a disk, and that it is not older than the last import, and copy it to where gateways read it.

    Exits with 2 when the disk is refused; then the existing files stay.
    """
    _carried(str(disk), repository, root)


def _carried(source: str, to: Path, root: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata"
        _seen(to / "metadata", metadata)  # rollback protection
        found = _client(source, root, metadata).load()
        if not Path(source).is_dir():
            raise StartError(f"{source}: copy a folder; an address is mirrored with any tool, and verified after it")
        if any(version(path) > found.metadata[ROOT] for path in (to / "metadata").glob(f"*.{ROOT}.json")):
            raise StartError(f"{to}: has a root that is not of this repository; name a new folder")
        for part in ("targets", "metadata"):
            paths = [p for p in (Path(source) / part).rglob("*") if p.is_file() and not p.name.startswith(".")]
            # Roots last: they are found without a timestamp, and do not verify what a key signed that they replaced.
            for path in sorted(paths, key=lambda p: (p.name.endswith(f".{ROOT}.json"), p)):
                if path.name != "timestamp.json":
                    _copied(path, to / path.relative_to(source))
        # A crash before this line leaves files that no timestamp refers to, maybe roots. After it, all is published.
        _copied(Path(source) / "metadata/timestamp.json", to / "metadata/timestamp.json")
        _client(str(to), root, metadata).load()
    _say(found)
    typer.echo(f"copied to {to}")


def _seen(there: Path, metadata: Path) -> None:
    """Use a folder's metadata as the last seen state. TUF verifies it and compares versions, even if it has expired.

    The roots are needed for that. Without them an older disk could bring older keys, with which the existing metadata
    does not verify.
    """
    found = [(path, f"root_history/{path.name}") for path in there.glob(f"*.{ROOT}.json")]
    snapshot = max(there.glob(f"*.{SNAPSHOT}.json"), key=version, default=None)
    found += [(snapshot, f"{SNAPSHOT}.json")] if snapshot else []
    found += [(path, path.name) for path in there.glob(f"{TIMESTAMP}.json")]
    for path, name in found:
        (metadata / name).parent.mkdir(parents=True, exist_ok=True)
        (metadata / name).write_bytes(read(path))


def _copied(source: Path, to: Path) -> None:
    data = read(source)
    try:
        put(to, data)
    except OSError as error:
        raise StartError(f"{to}: cannot be written: {error.strerror}") from error


def _client(source: str, root: Path, metadata: Path) -> Client:
    trusted = read(root)
    read_root(trusted, f"--root: {root}")
    if source.startswith("https://"):
        return Client(source, Https(None, FILE_S), source if source.endswith("/") else f"{source}/", trusted, metadata)
    return Client(source, Folder(Path(source)), FOLDER, trusted, metadata)


def _say(found: Release) -> None:
    typer.echo(f"release version {found.version}, digest {found.digest}")
    if found.base:
        typer.echo(f"narrower than {found.base}, which both signed: a holder took something away")
    for signature in found.signatures:
        typer.echo(f"{signature.role:8} version {found.metadata[signature.role]}, signed by {signature.holder}")
    expires = datetime.fromtimestamp((found.expires_us or 0) / 1_000_000, UTC)
    typer.echo(f"expires {expires:%Y-%m-%d %H:%M} UTC")


def _rebuilt(release: Path, out: Path) -> None:
    try:
        build(release / SOURCES, out)
    except BuildError as error:
        typer.echo(f"error: the sources of the release do not compile: {error}", err=True)
        raise typer.Exit(1) from error
    for name in (WASM, DATA, f"{SOURCES}release/data.json"):
        if (release / name).read_bytes() != (out / name).read_bytes():
            typer.echo(f"error: {name} is not what the sources of the release say", err=True)
            raise typer.Exit(1)
    typer.echo("rebuilt: the compiled policy is what its sources say, byte for byte")
