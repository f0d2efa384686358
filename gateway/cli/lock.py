"""`brightline audit lock`: gives a log that exists its lock store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from brightline_verify import database
from brightline_verify.report import UnreadableError
from brightline_verify.whole import Trust
from gateway import config as configuration
from gateway.audit import keys
from gateway.audit.lock_store import Folder
from gateway.cli.stored import unusable


def lock(
    config: Annotated[Path, typer.Option(help="The gateway's configuration, which names log, key and lock store.")],
) -> None:
    """Put the log's checkpoint into a lock store that has none of this log yet, after checking the whole log.

    Only needed where a log was begun without a lock store. Exits with 0, with 1 when the log does not hold, 2 when
    there is nothing to do or something can't be read or written.
    """
    settings = configuration.load(config).audit
    if settings.lock_store is None:
        raise unusable("audit.lock_store: is not configured")
    store = Folder(settings.lock_store, settings.origin)
    verifier = keys.load_signer(settings.signing_key, settings.origin).verifier
    try:
        if store.read() is not None:
            raise unusable(f"{store} has a checkpoint of this log already, and is never set back")
        note = database.checkpoint_path(settings.path).read_bytes()
        problem = database.verify(settings.path, Trust(verifier), processes=os.cpu_count() or 1).problem
        if problem is not None:
            typer.echo(f"error: the log does not hold: {problem.what}", err=True)
            raise typer.Exit(1)
        store.write(note)
    except (UnreadableError, OSError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"{store} has the checkpoint of {settings.origin} now")
