"""A gateway that gives up at once if another process has taken its port when it has to reopen it.

python -m tests.support.impatient_gateway serve --config gateway.toml
"""

from __future__ import annotations

from gateway import listener
from gateway.cli import main

if __name__ == "__main__":
    listener.REOPEN_S = 0.0
    main()
