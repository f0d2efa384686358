"""`brightline audit lock`: adds a lock store to an existing log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from brightline_verify.note import NoteError, encode, open_checkpoint
from brightline_verify.report import plain
from brightline_verify.stored import verify
from brightline_verify.whole import Trust
from gateway import config as configuration
from gateway.audit import keys, places
from gateway.cli.log_options import unusable


def lock(
    config: Annotated[Path, typer.Option(help="The gateway's configuration, which names log, key and lock store.")],
) -> None:
    """Put the log's checkpoint into a lock store that has none of this log yet, after checking the whole log.

    Only needed if the log was begun without a lock store. Exits with 0, with 1 when the log does not hold, 2 when there
    is nothing to do or something can't be read or written.
    """
    settings = configuration.load(config).audit
    store, log = places.lock_store(settings), places.source(settings)
    if store is None:
        raise unusable("audit.lock_store: is not configured")
    verifier = keys.load_signer(settings.signing_key, settings.origin).verifier
    try:
        if store.read() is not None:
            raise unusable(f"{store} has a checkpoint of this log already, and is never set back")
        report = verify(log, Trust(verifier), processes=os.cpu_count() or 1)
        if report.problem is not None:
            typer.echo(f"error: the log does not hold: {plain(report.problem.what)}", err=True)
            raise typer.Exit(1)
        with log.reading() as rows:
            last = rows.last_note(report.covered)
        if last is None:
            raise unusable(f"{log}: there is no checkpoint yet")
        signed = open_checkpoint(last[1], verifier)
        if (signed.size, encode(signed.root)) != (report.covered, report.root) or not isinstance(last[1], bytes):
            raise unusable(f"{log}: changed after it was verified")
        store.write(last[1])
    except (OSError, NoteError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"{store} has the checkpoint of {settings.origin} now")
