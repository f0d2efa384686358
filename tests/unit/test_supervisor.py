"""The workers with workers that only say that they serve: how it starts them, waits for them and replaces them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway import app, config, supervisor, worker_slot
from gateway.activation import Activation
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import StartError
from gateway.gate import Gate
from gateway.lifecycle import _renew
from gateway.supervisor import Supervisor
from tests.support.gateways import Deployment
from tests.support.waiting import until

STAND_IN = """
import json, os, socket, struct, sys
from pathlib import Path
folder = Path(sys.argv[1])
if (folder / "broken").exists():
    sys.exit(1)
end = socket.socket(fileno=int(sys.argv[2])).makefile("rwb")
while head := end.read(8):
    text, rest = struct.unpack(">II", head)
    said = json.loads(end.read(text + rest)[:text])
    if "in_force" in said:
        (folder / f"worker-{os.getpid()}").touch()
        answer = json.dumps({"serving": said["in_force"][0]}).encode()
        end.write(struct.pack(">II", len(answer), 0) + answer)
        end.flush()
"""
"""A worker for the keeper: it follows at once whatever it is told, unless there is a file `broken`."""


pytestmark = pytest.mark.asyncio(loop_scope="module")

Keeper = tuple[Config, Gate]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keeper(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keeper]:
    """What the process with the log opens. It has no detectors: it reads no content."""
    deployed = Deployment.create(tmp_path_factory.mktemp("keeper"))
    deployed.edit("[listener]\n", "[listener]\nworkers = 2\n")
    settings = config.load(deployed.config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "reading", None)
        patch.setattr(app, "ask", lambda _: asyncio.sleep(0))  # nothing is decided here
        async with app.opened(settings, Clock()) as opened:
            yield settings, opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-ins see what to do, and leave a mark when they serve."""
    monkeypatch.setattr(worker_slot, "WORKER", (sys.executable, "-IS", "-c", STAND_IN, str(tmp_path)))
    return tmp_path


def marks(folder: Path) -> set[Path]:
    """A file for each worker that serves, or did."""
    return {*folder.glob("worker-*")}


def kill(folder: Path) -> None:
    """End every worker."""
    for mark in marks(folder):
        mark.unlink()
        os.kill(int(mark.name.partition("-")[2]), signal.SIGKILL)


def runs(mark: Path) -> bool:
    """Whether the worker that left the mark is there."""
    return Path(f"/proc/{mark.name.partition('-')[2]}").exists()


def serving(folder: Path) -> bool:
    """Whether both workers serve."""
    return len(marks(folder)) == 2


async def fails(workers: Supervisor) -> None:
    """Return once the workers says that no worker could serve."""
    for _ in range(1000):  # those that were killed are not missed at once
        if await workers.followed() == "a worker ended before it served":
            return
        await asyncio.sleep(0.01)
    pytest.fail("the workers did not notice")


async def test_a_worker_that_the_system_does_not_start_is_tried_again(
    keeper: Keeper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no process can be started the keeper goes on, and says so; once one can, both workers are there again."""
    async with supervisor.supervised(*keeper) as workers:
        program = worker_slot.WORKER
        monkeypatch.setattr(worker_slot, "WORKER", ("/nowhere/python",))
        kill(folder)
        await fails(workers)
        monkeypatch.setattr(worker_slot, "WORKER", program)
        assert await workers.followed() == ""
        assert serving(folder)


async def test_a_change_is_waited_for_after_no_worker_served(keeper: Keeper, folder: Path) -> None:
    """That all workers had failed once does not let a later change pass for followed."""
    async with supervisor.supervised(*keeper) as workers:
        (folder / "broken").touch()
        kill(folder)
        await fails(workers)
        (folder / "broken").unlink()
        assert await workers.followed() == ""
        assert serving(folder)


async def test_workers_are_replaced_one_after_the_other(keeper: Keeper, folder: Path) -> None:
    """Each goes once another serves in its place; in the end all are others, and none is left over."""
    async with supervisor.supervised(*keeper) as workers:
        before = marks(folder)
        assert await workers.replace(keeper[0]) == ""
        assert len(marks(folder) - before) == 2
        assert not any(map(runs, before))
        assert await workers.followed() == ""


async def test_a_worker_that_can_not_be_replaced_stays(keeper: Keeper, folder: Path) -> None:
    """Where no other serves in its place, the old one goes on, and so do those after it."""
    async with supervisor.supervised(*keeper) as workers:
        (folder / "broken").touch()
        assert await workers.replace(keeper[0]) == "a worker ended before it served"
        assert all(map(runs, marks(folder)))
        assert serving(folder)
        assert await workers.followed() == ""


async def test_a_stop_while_workers_are_replaced_ends_all_of_them(keeper: Keeper, folder: Path) -> None:
    """Those that began and those that are to go end with the gateway."""
    async with supervisor.supervised(*keeper) as workers:
        before = marks(folder)
        replacing = asyncio.create_task(workers.replace(keeper[0]))
        await until(lambda: len(marks(folder) - before) == 1)
        replacing.cancel()
        await asyncio.wait({replacing})
    assert not any(map(runs, marks(folder)))


async def test_a_start_is_refused_where_no_worker_serves(keeper: Keeper, folder: Path) -> None:
    """The first that ends before it serves ends the start, with what to look at."""
    (folder / "broken").touch()
    with pytest.raises(StartError, match=r"listener\.workers: a worker ended before it served; see"):
        async with supervisor.supervised(*keeper):
            pass


async def test_what_fails_while_the_configuration_is_read_again_can_be_mended(keeper: Keeper, folder: Path) -> None:
    """Whatever goes wrong, the workers stay, and they are replaced the next time that this is wanted."""
    settings, gate = keeper
    found: list[Config] = []
    asked = 0

    def reread() -> Config:
        nonlocal asked
        asked += 1
        return found[0]

    async with supervisor.supervised(*keeper) as workers:
        before, wanted = marks(folder), asyncio.Event()
        renewing = asyncio.create_task(_renew(wanted, workers, Activation(settings, gate), reread))
        wanted.set()
        await until(lambda: asked == 1)
        found.append(settings)
        wanted.set()
        await until(lambda: renewing.done() or len(marks(folder) - before) == 2)
        assert not renewing.done()
        renewing.cancel()
        await asyncio.wait({renewing})
