"""A release changes beside calls: turns are short meanwhile, nothing is collected, and what was in force is freed."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Mapping

import pytest

from gateway import facts
from gateway.beside import TURN_S, retire, unhurried
from gateway.canonical import Json
from gateway.inforce import InForce
from gateway.types import Decision
from tests.support.releases import release


class Engine:
    """Decides nothing; knows whether it was closed."""

    name = version = "none"
    closed = False

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002, ARG002 - as policies call it
        raise AssertionError("nobody asks")

    async def close(self) -> None:
        self.closed = True


def test_turns_are_short_and_nothing_is_collected_meanwhile() -> None:
    """While it lasts, and also when it fails, and afterwards all is as before."""
    before = sys.getswitchinterval(), gc.isenabled()
    seen = []

    def fails() -> None:
        with unhurried():
            seen.append((sys.getswitchinterval(), gc.isenabled()))
            raise OSError("failed")

    with pytest.raises(OSError, match="failed"):
        fails()
    assert seen == [(pytest.approx(TURN_S), False)]
    assert (sys.getswitchinterval(), gc.isenabled()) == before


async def test_what_was_in_force_is_closed_and_freed() -> None:
    """After its last call the engine is closed, and nothing holds what was made of the release any more."""
    engine, old = Engine(), release(b"")
    before = InForce(old, facts.prepare(old, "CUI", ""), engine)
    seen = weakref.ref(before._idle)
    retiring = retire(before)
    del before, old
    await retiring
    assert engine.closed
    gc.collect()
    assert seen() is None
