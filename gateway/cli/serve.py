"""`brightline serve`: the gateway itself."""

from __future__ import annotations

import resource
import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


def serve(
    path: Annotated[Path, typer.Option("--config", help="The configuration file.")],
    address_file: Annotated[
        Path | None,
        typer.Option(help="Where to write host and port once calls are served; a development deployment has its own."),
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or SIGINT, then let calls in flight end.

    SIGHUP reloads the release. SIGUSR1 reads the configuration again and replaces workers, one by one.

    Everything is checked first. A missing key, an unknown setting or a log that was tampered with refuses the start and
    gives the remedy.

    Example: `brightline serve --config dev/gateway.toml`
    """
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # until their handlers are installed, these signals would kill the start
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # a core dump would hold keys and prompts
    import uvloop  # noqa: PLC0415 - all of these take time to import

    from gateway import config, lifecycle, logs  # noqa: PLC0415
    from gateway.deployment import STATE  # noqa: PLC0415

    settings = config.load(path)
    logs.configure(settings.log_level)
    state_file = None
    if settings.profile == "development":
        address_file = address_file or path.parent / "address"
        state_file = path.parent / STATE
    uvloop.run(lifecycle.run(settings, address_file, state_file, partial(config.load, path)))
