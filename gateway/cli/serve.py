"""`brightline serve`: the gateway itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from gateway import app, config, logs


def serve(
    path: Annotated[Path, typer.Option("--config", help="The configuration file.")],
) -> None:
    """Run the gateway until SIGTERM or SIGINT, then let calls in flight end.

    Everything is checked first: a missing key, an unknown setting or a log that was tampered with refuses the start and
    says what to do. Once calls are served, host and port are written to the file `address` beside the configuration.

    Example: `brightline serve --config dev/gateway.toml`
    """
    settings = config.load(path)
    logs.configure(settings.log_level)
    uvloop.run(app.run(settings, path.parent / "address"))
