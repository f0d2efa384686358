"""Whether calls come faster than they are taken: whose are refused then, and that nobody's are otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import admission
from gateway.admission import Admission, fair
from tests.support.waiting import until

PATIENCE_S = 1.0


@dataclass(slots=True)
class Line:
    """A port whose line is as long as it is told, on a clock of its own."""

    now: float = 0.0
    probes: list[asyncio.Future[bool]] = field(default_factory=list)
    of: Admission = field(init=False)

    def __post_init__(self) -> None:
        self.of = Admission(self._probe, PATIENCE_S, lambda: self.now)

    async def _probe(self) -> bool:
        self.probes.append(asyncio.get_running_loop().create_future())
        return await self.probes[-1]

    async def probed(self) -> asyncio.Future[bool]:
        """The probe that is not answered yet."""
        await until(lambda: bool(self.probes) and not self.probes[-1].done())
        return self.probes[-1]

    async def takes(self, seconds: float, *, answered: bool = True) -> None:
        """A call waits for so long."""
        probe, before = await self.probed(), len(self.probes)
        self.now += seconds
        probe.set_result(answered)
        await until(lambda: self.comes("first", 1) >= 0 and len(self.probes) > before)

    async def stands(self) -> None:
        """The line is somewhat too long for longer than a burst lasts."""
        for _ in range(admission.BURST):
            await self.takes(1.5 * PATIENCE_S)

    def comes(self, lane: str, calls: int) -> int:
        """How many of so many calls are refused."""
        return sum(self.of.refuses(lane) for _ in range(calls))

    def counted(self) -> None:
        """A window is over."""
        self.now += 1.01 * admission.WINDOW_S


@asynccontextmanager
async def line(monkeypatch: pytest.MonkeyPatch, rested_s: float = 0.0) -> AsyncIterator[Line]:
    """A line of calls that are under way, and are asked for. rested_s: for how long there were none before."""
    monkeypatch.setattr(admission, "OFTEN_S", 0)
    monkeypatch.setattr(admission, "SELDOM_S", 0)
    monkeypatch.setattr(admission, "STALL_S", 1000.0)  # the clock of these tests jumps
    made = Line()
    made.now += rested_s
    with made.of, made.of:
        assert not made.comes("first", 1)
        yield made
        await made.of.close()


@given(asked=st.lists(st.integers(0, 1000), min_size=1, max_size=20), percent=st.integers(0, 150))
def test_the_share_is_max_min_fair(asked: list[int], percent: int) -> None:
    """All together have no more than was taken, and a bigger share for anybody would be more than that."""
    taken = sum(asked) * percent // 100
    share = fair(asked, taken)
    assert sum(min(want, share) for want in asked) <= taken + 1e-6
    if max(asked) > share:
        assert sum(min(want, share) for want in asked) >= taken - 1e-6
    else:
        assert share == max(asked)


async def test_nobody_is_refused_while_the_line_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls come: as long as none waits for too long, each is taken."""
    async with line(monkeypatch) as port:
        for _ in range(20):
            await port.takes(0.9 * PATIENCE_S)
            assert port.comes("noisy", 1000) == port.comes("quiet", 10) == 0


async def test_a_burst_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is too long once is none that stands."""
    async with line(monkeypatch) as port:
        await port.takes(0.9 * admission.BURST * PATIENCE_S)
        assert port.comes("noisy", 1000) == 0


async def test_a_burst_after_a_rest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that come at once to a gateway that nobody has called for an hour are a burst, too."""
    async with line(monkeypatch, rested_s=3600.0) as port:
        await port.takes(0.9 * admission.BURST * PATIENCE_S)
        assert port.comes("noisy", 1000) == 0


async def test_of_a_line_that_stands_those_who_ask_most_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for half as much as the noisiest is refused with it, who asks for less is not; none once it is short."""
    async with line(monkeypatch) as port:
        await port.stands()
        port.counted()
        port.comes("noisy", 1000), port.comes("loud", 700), port.comes("quiet", 300)
        port.counted()
        assert (port.comes("noisy", 100), port.comes("loud", 100), port.comes("quiet", 100)) == (100, 100, 0)
        await port.takes(0.5)
        assert port.comes("noisy", 100) == 0
        await port.takes(1.5)
        port.counted()
        assert port.comes("noisy", 100) > 0


async def test_a_line_that_gets_longer_all_the_same_is_for_small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """When refusing the noisiest is not enough, nobody gets more than a fair share of what is taken."""
    async with line(monkeypatch) as port:
        await port.stands()
        port.counted()
        for tenant in range(10):
            port.comes(f"tenant {tenant}", 100)
        port.comes("noisy", 1000)
        port.counted()
        assert port.comes("tenant 1", 100) == 0
        port.counted()
        await port.takes(2.5 * PATIENCE_S)
        refused = [port.comes(f"tenant {tenant}", 200) for tenant in range(10)]
        assert all(refused)
        assert port.comes("small", 5) == 0


async def test_who_asks_little_is_taken_while_everything_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long nobody was taken for being too many: the first small caller has room."""
    async with line(monkeypatch) as port:
        await port.stands()
        await port.takes(2.5 * PATIENCE_S)
        for _ in range(20):
            port.counted()
            assert port.comes("noisy", 1000) > 900
        port.counted()
        assert port.comes("small", 2) == 0
        assert port.comes("noisy", 1000) == 1000


@pytest.mark.parametrize("answered", [True, False])
async def test_a_probe_that_is_late_or_fails_counts(monkeypatch: pytest.MonkeyPatch, *, answered: bool) -> None:
    """A call that still waits is a wait, and one that gRPC ended is a line that is too long."""
    async with line(monkeypatch) as port:
        if answered:
            await port.probed()
            port.now += 2 * admission.BURST * PATIENCE_S
            await until(lambda: port.comes("noisy", 1000) > 0)
        else:
            port.counted()
            port.comes("noisy", 1)
            await port.takes(0.0, answered=False)
            assert port.comes("noisy", 1000) > 0


async def test_a_process_that_stood_still_has_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it stood: what came meanwhile is taken."""
    async with line(monkeypatch) as port:
        monkeypatch.setattr(admission, "STALL_S", 0.05)
        for _ in range(3):
            await port.takes(60.0)
            assert port.comes("noisy", 1000) == 0


async def test_nobody_probes_for_one_call_alone() -> None:
    """A caller that no other is beside costs no second call, and two that wait for models cost none, either."""
    port = Line()
    with port.of:
        assert port.comes("alone", 100) == 0
    assert not port.probes
    with port.of, port.of:
        port.comes("one of two", 1)
        probe = await port.probed()
        port.counted()
        probe.set_result(True)
        watching = port.of._watching
        assert watching is not None
        await watching
        assert len(port.probes) == 1
    await port.of.close()


async def test_a_probe_that_breaks_is_followed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in it: nobody is refused for it, and the next call has the line measured again."""
    async with line(monkeypatch) as port:
        await port.stands()
        probe = await port.probed()
        probe.set_exception(RuntimeError("of a test"))
        watching = port.of._watching
        assert watching is not None
        await asyncio.wait({watching})
        assert isinstance(watching.exception(), RuntimeError)
        assert port.comes("noisy", 1000) == 0
        assert await port.probed() is not probe
