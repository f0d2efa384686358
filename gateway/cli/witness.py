"""`brightline audit witness`: for an independent party that detects a truncated or rewritten log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from brightline_verify.note import NoteError
from brightline_verify.report import plain
from gateway.audit.keys import load_cosigner, load_verifier
from gateway.audit.witness import RefusedError
from gateway.audit.witness import witness as sign
from gateway.cli.log_options import unusable
from gateway.errors import StartError


def witness(  # noqa: PLR0917 - one parameter for each option
    published: Annotated[Path, typer.Argument(help="The folder that `brightline audit tiles` made.")],
    log_key: Annotated[Path, typer.Option(help="The log's public key.")],
    key: Annotated[Path, typer.Option(help="The witness's key; its public half is `<key>.pub`.")],
    state: Annotated[Path, typer.Option(help="What was signed last. Keep it: without it nothing is signed.")],
    to: Annotated[Path, typer.Option(help="The file for the signed checkpoint. Keep it beside the state.")],
    begin: Annotated[bool, typer.Option("--begin", help="The first time, when there is no state yet.")] = False,
) -> None:
    """Sign the log's published checkpoint, if it extends the last one that was signed.

    Run it on a host of its own, with a key made by `brightline audit keygen --witness`, as often as the log is to be
    watched. Exits with 0, 1 when it refuses to sign, 2 when something can't be read or written.
    """
    try:
        verifier = load_verifier(log_key, "--log-key")
        signed = sign(published, verifier, load_cosigner(key), state, to, int(time.time()), begin=begin)
    except RefusedError as error:
        typer.echo(f"REFUSED: {plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    except (NoteError, OSError, StartError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"signed {signed.split(maxsplit=2)[1].decode()} records of {plain(verifier.name)}")
