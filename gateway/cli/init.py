"""`brightline init`: makes a development deployment."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from gateway import deployment
from gateway.clock import system_us


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make. It must not exist yet.")],
    port: Annotated[
        int, typer.Option(help="The port to listen on; 0 chooses a free one at each start.", min=0, max=65535)
    ] = 0,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="With a store for sealed content, and a policy that obliges to it.")
    ] = False,
) -> None:
    """Make a DEVELOPMENT deployment: CA, certificates, token keys, three sample tenants, configuration, log keys.

    The keys of all parties are made here, on one disk. That suffices for trying things out, but never for production.

    Example: `brightline init dev`, then `brightline serve --config dev/gateway.toml`.
    """
    config = deployment.create(folder, system_us(), port, sealed=sealed)
    typer.echo(f"made {folder} with tenants {', '.join(t.id for t in deployment.TENANTS)}")
    typer.echo("the keys of the CA and of the token issuer are in it: for development only")
    typer.echo("WARNING: the release is signed by both holders, and the keys of BOTH are in signers/: nobody else has")
    typer.echo("agreed to anything. Never use them, or this folder, in production")
    typer.echo(f"next: brightline serve --config {shlex.quote(str(config))}")
