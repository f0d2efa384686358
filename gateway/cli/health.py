"""`brightline health`: asks this host's gateway for its health, for probes without a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway import config, queue_probe
from gateway.errors import StartError
from gateway.health import LIVE, READY


def health(
    path: Annotated[Path, typer.Option("--config", help="The configuration file.")],
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it answers at all, in place of whether calls can be permitted.")
    ] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, max=60, help="Seconds to wait for an answer.")] = 5,
) -> None:
    """Ask the gateway that runs on this host with this configuration for its health, as the gateway's own user.

    The command uses the gateway's local socket beside `identity.ledger`, and waits in the queue as every call does.
    With several workers, one serving worker is enough.

    Exits with 0 when it says SERVING, 1 when it says anything else or nobody answers, 2 when the configuration can't be
    read.

    Example: `brightline health --config dev/gateway.toml`
    """
    beside = config.load(path).identity.ledger.parent
    if not queue_probe.is_short(beside):
        raise StartError(
            f"identity.ledger: the path {beside} is too long for a socket below it, so that the gateway has its own "
            f"way in elsewhere; choose one of {queue_probe.LONGEST} bytes at most"
        )
    said = queue_probe.stands(beside, LIVE if live else READY, timeout_s)
    typer.echo(said or f"nobody answers beside {beside}; does the gateway run, and as this user?")
    raise typer.Exit(0 if said == queue_probe.SERVING else 1)
