"""Options of commands that read a log: its place and its public key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from brightline_verify.database import File
from brightline_verify.note import Verifier
from brightline_verify.stored import Source
from gateway import config as configuration
from gateway.audit import places
from gateway.audit.index import Held, index_path
from gateway.audit.keys import load_verifier, public_path
from gateway.cli.terminal import safe
from gateway.config import Audit
from gateway.errors import StartError
from gateway.release.documents import MANIFEST

MOST: Final = (1 << 63) - 1
"""An upper bound on the records of a log: its database can count no further."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A log, its public key, and the place of its search index.

    release: the release in force, if known. settings: of the log's gateway, if the log is the configured one.
    """

    source: Source
    index: Path
    verifier: Verifier
    release: Path | None = None
    settings: Audit | None = None

    def together(self) -> Sequence[Held]:
        """This log and, for a configured log, those stored together with it. Raises UnreadableError."""
        return places.together(self.settings) if self.settings else [Held(self.source, self.index)]

    def with_keys(self) -> dict[Source, Verifier]:
        """This log, and those stored together with it whose keys are configured. Raises StartError."""
        others = places.keys(self.settings) if self.settings else {}
        known = {places.source(self.settings, name): key for name, key in others.items() if self.settings}
        return {self.source: self.verifier, **known}


def stored(
    config: Annotated[Path | None, typer.Option(help="The gateway's configuration, which names log and key.")] = None,
    log: Annotated[Path | None, typer.Option(help="The log itself, where there is no configuration.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="With --log or --origin: its public key, the .pub file beside the key.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="With --config and --key: another gateway's log in the same PostgreSQL.")
    ] = None,
) -> Stored:
    """The log. Exits with 2 if the options don't name log and key, or if the key can't be read."""
    release, own, given = None, None, key
    try:
        match config, log, key, origin:
            case Path(), None, None, None:
                whole = configuration.load(config)
                own, release = whole.audit, _in_force(whole, config)
                source, key = places.source(own), public_path(own.signing_key)
                index = index_path(own.path)
            case Path(), None, Path(), str():
                settings = configuration.load(config).audit
                if settings.dsn is None:
                    raise unusable(f"--origin: goes with a log in PostgreSQL, and {config} has no audit.dsn")
                source, index = places.source(settings, origin), places.other_index(settings, origin)
            case None, Path(), Path(), None:
                source, index = File(log), index_path(log)
            case _:
                raise unusable("give --config, or --log and --key, or --config, --origin and --key")
        verifier = load_verifier(key, "audit.signing_key" if given is None else "--key")
        return Stored(source, index, verifier, release, own)
    except StartError as error:
        raise unusable(str(error)) from error


def _in_force(whole: configuration.Config, config: Path) -> Path | None:
    """The folder of the release in force. A development deployment has it beside its configuration."""
    if whole.release.path is not None:
        return whole.release.path
    beside = config.parent / "release"
    return beside if (beside / MANIFEST).is_file() else None


def unusable(text: str) -> typer.Exit:
    """Print on standard error what can't be read or written. Raise the result to exit with 2."""
    typer.echo(f"error: {safe(text)}", err=True)
    return typer.Exit(2)
