"""What keeps a change of the release from being felt by the calls beside it.

A release of ten thousand tenants is a million objects. Making them holds the interpreter for seconds, in small pieces:
so threads change places often meanwhile. A garbage collection walks over all of them at once: so there is none until
they are made, and they are left out of later ones. Freeing them at once would hold everybody up, too: so they are freed
one by one in a thread, and what is free then goes back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from gateway.inforce import InForce

TURN_S: Final = 0.000_5
"""How long a thread works before another one gets its turn; ten times as long is the default."""


@contextmanager
def unhurried() -> Iterator[None]:
    """While another release is loaded beside calls."""
    turn_s, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(TURN_S)
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(turn_s)
        if gc.get_freeze_count():  # as gateway.memory left it
            gc.freeze()
        if collecting:
            gc.enable()


async def retire(before: InForce) -> None:
    """Close what was in force after its last call, and free it."""
    await before.retire()
    pieces: list[Any] = [*before.release.tenants.values(), *before.release.checks]
    del before
    await asyncio.to_thread(_free, pieces)


def _free(pieces: list[Any]) -> None:
    while pieces:
        pieces.pop()
    with suppress(AttributeError, OSError):  # glibc has it, others need not
        ctypes.CDLL(None).malloc_trim(0)
