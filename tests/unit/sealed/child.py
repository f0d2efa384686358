"""Gateways that seal, each killed at one durable write. Arguments: a folder that has one below it for each."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.audit.sealed.store import SealedStore
from gateway.audit.sealed.vault import Files
from tests.support import logs, sealing

WRITES = {"create": Files, "keep": SealedStore, "put": SealedStore}
"""The wrapping key, the keys of a period, an envelope."""
POINTS = [(name, when, well) for name in WRITES for when in ("before", "after") for well in range(2)]
"""Which write, when, and how many such writes go well before."""


def mortal(real: Callable[..., Any], when: str, well: int) -> Callable[..., Any]:
    """The write, which is the last thing that this process does."""
    left = [well]

    def write(*arguments: Any) -> Any:
        last, left[0] = left[0] == 0, left[0] - 1
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*arguments)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return write


async def calls(folder: Path) -> None:
    """Calls of three tenants, so that each write is made more than once."""
    async with logs.opened(folder, sealed=sealing.settings(folder)) as log:
        for tenant in ("a", "b", "c"):
            await sealing.ask(log, f"asked by {tenant}", tenant=tenant)


def main(folder: Path) -> None:
    """Kill one gateway at each point."""
    for name, when, well in POINTS:
        killed = os.fork()
        if not killed:
            setattr(WRITES[name], name, mortal(getattr(WRITES[name], name), when, well))
            asyncio.run(calls(folder / f"{name}-{when}-{well}"))
            os._exit(0)
        _, status = os.waitpid(killed, 0)
        assert os.WIFSIGNALED(status), (name, when, well, status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
