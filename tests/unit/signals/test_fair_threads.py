"""Texts are read by turns of tenants, and no further than somebody wants them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signals import fair_threads
from gateway.signals.fair_threads import FairThreads, finished

ENDLESS = 1 << 30


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is one step."""
    monkeypatch.setattr(fair_threads, "TURN_S", 1e-9)


def steps(number: int, read: list[str], name: str) -> Generator[None, None, str]:
    """So many steps, each told; returns the name."""
    for _ in range(number):
        read.append(name)
        yield
    return name


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=12))
def test_every_text_is_read_to_its_end(texts: list[tuple[str, int]]) -> None:
    """Whoever's they are and however long, each gets what its own steps return."""

    async def read() -> list[str]:
        desk = FairThreads(2)
        return await asyncio.gather(
            *(desk.read(whose, steps(long, [], f"{whose}{n}")) for n, (whose, long) in enumerate(texts))
        )

    assert asyncio.run(read()) == [f"{whose}{n}" for n, (whose, _) in enumerate(texts)]


async def test_a_tenant_with_long_texts_holds_up_nobody() -> None:
    """However many texts of one tenant wait, a short one of another is read after a few of their steps."""
    desk, read, begun = FairThreads(1), list[str](), threading.Event()

    def first() -> Generator[None, None, None]:
        begun.wait(60)  # until all others wait
        yield

    opening = asyncio.create_task(desk.read("noisy", first()))
    noisy = [asyncio.create_task(desk.read("noisy", steps(ENDLESS, read, "noisy"))) for _ in range(20)]
    quiet = asyncio.create_task(desk.read("quiet", steps(3, read, "quiet")))
    await asyncio.sleep(0)
    begun.set()
    assert await quiet == "quiet"
    assert read.index("quiet") <= 3
    assert "".join(name[0] for name in read[: len(read) - read[::-1].index("quiet")]).count("n") <= 6
    for task in (opening, *noisy):
        task.cancel()
    await asyncio.gather(opening, *noisy, return_exceptions=True)


async def test_what_is_not_wanted_is_not_read_on() -> None:
    """A text whose caller has gone keeps no thread: the next one is read although the first has no end."""
    desk, read = FairThreads(1), list[str]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await desk.read("a", steps(ENDLESS, read, "gone"))
    assert await asyncio.wait_for(desk.read("a", steps(2, read, "next")), 60) == "next"
    assert read[-1] == "next"


async def test_a_failure_is_of_its_own_text_alone() -> None:
    """What steps raise reaches who waits for them, and other texts are read on."""

    def broken() -> Generator[None, None, None]:
        yield
        raise LookupError

    desk = FairThreads(1)
    other = asyncio.create_task(desk.read("b", steps(5, [], "other")))
    with pytest.raises(LookupError):
        await desk.read("a", broken())
    assert await other == "other"


def test_all_steps_at_once() -> None:
    """Without anybody to share with, the steps' result is there at once."""
    assert finished(steps(3, [], "done")) == "done"
