"""What a worker takes from its keeper in the place of loading a release."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

import pytest

from gateway import app
from gateway.activation import Activation
from gateway.audit.joint.hub import Hub, Told
from gateway.audit.joint.member import Member
from gateway.compiled_release import CompiledRelease, Refused, Same, refusal, whole
from gateway.config import Config
from gateway.errors import StartError
from gateway.inforce import InForce
from gateway.worker import _follow, from_keeper
from tests.support import logs
from tests.support.releases import release

RELEASE: Final = release(b"")
RAW: Final = whole(RELEASE, b"code", ("d", 1))
SETTINGS: Final = Config.model_construct()


def before(digest: str) -> InForce:
    return cast("InForce", SimpleNamespace(release=SimpleNamespace(digest=digest), state=("before",)))


async def test_a_worker_takes_the_release_that_its_keeper_loaded(tmp_path: Path) -> None:
    """It arrives whole, is taken once, is nothing new where it decides already, and a new expiry comes by itself."""
    async with logs.opened(tmp_path) as log:
        mine, its = socket.socketpair()
        hub = Hub(log, lambda: None, lambda _: True)
        await hub.join(mine, {}, lambda: Told(("old", 1), None, b""))
        member = await Member.join(its)
        hub.follow(Told((RELEASE.digest, 2), 7, RAW))
        hub.follow(Told((RELEASE.digest, 2), 8, b""))
        async with asyncio.timeout(60):
            while member.expires_us != 8:
                await member.wanted.wait()
                member.wanted.clear()
        assert member.in_force == (RELEASE.digest, 2)
        found = await from_keeper(member, SETTINGS, before("old"))
        assert isinstance(found, CompiledRelease)
        assert (found.release.digest, found.code, found.state, found.raw) == (RELEASE.digest, b"code", ("d", 1), b"")
        assert await from_keeper(member, SETTINGS, before("old")) == Same(8, ("before",))
        member.handed = RAW
        assert await from_keeper(member, SETTINGS, before(RELEASE.digest)) == Same(8, ("before",))
        await member.close()
        await hub.closed()


@pytest.mark.parametrize(("raw", "named"), [(b"", "is none: error"), (refusal(Refused("no")), "handed over none")])
async def test_a_worker_begins_with_a_release_or_not_at_all(raw: bytes, named: str) -> None:
    """What its keeper handed over is whole and a release, or the start is refused with what is wrong."""
    member = Member()
    member.handed = raw
    with pytest.raises(StartError, match=named):
        await app.handed_over(SETTINGS, member)


class Overtaken:
    """The activation of a worker whose keeper puts another release in force before the first one is there."""

    def __init__(self, member: Member) -> None:
        self.tries = 0
        self.gate = SimpleNamespace(in_force=before("old"))
        self.trouble = ""
        self._member = member

    async def refresh(self) -> None:
        self.tries += 1
        if self.tries == 1:
            self._member.in_force = ("newer", 3)
            self._member.wanted.set()
        else:
            self.gate.in_force = before("newer")


async def test_a_worker_that_is_overtaken_follows_the_next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where it can't put in force what its keeper has replaced meanwhile, and says what it decides by."""
    member, said = Member(), asyncio.Queue[str]()
    monkeypatch.setattr(member, "serving", said.put_nowait)
    member.in_force = ("new", 2)
    member.wanted.set()
    following = asyncio.create_task(_follow(member, cast("Activation", Overtaken(member))))
    saying = asyncio.create_task(said.get())
    await asyncio.wait({following, saying}, return_when=asyncio.FIRST_COMPLETED)
    assert not following.done()
    assert await saying == "newer"
    following.cancel()
    await asyncio.wait({following})
