"""What goes wrong in a soak while calls are made: each trouble begins, lasts for a moment and is over."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway import config, deployment
from tests.soak.sampled import workers
from tests.support import opa
from tests.support.gateways import HEALTH, Deployment
from tests.support.releases import opa as program
from tests.support.releases import starter_files
from tests.support.waiting import until

PATIENT_S: Final = 600.0
FAULTS: Final = (f"write {errno.EIO}", f"write {errno.ENOSPC}", f"sync {errno.EIO}", "stall")


@dataclass
class Gateway:
    """One gateway under trouble. server: its Open Policy Agent, where it has one. control: what its disk is told."""

    deployed: Deployment
    process: subprocess.Popen[bytes]
    control: Path
    server: Server | None

    def troubles(self) -> Mapping[str, Callable[[Random, float], Awaitable[None]]]:
        """By name; each takes how long it lasts."""
        found: dict[str, Callable[[Random, float], Awaitable[None]]] = {
            "release changed": self._change,
            "log locked": self._lock,
            "disk fails": self._fail,
            "gateway stands still": self._stand,
            "worker killed": self._kill,
        }
        if self.server is not None:
            found["engine killed"] = self._without_engine
        return found

    async def _change(self, random: Random, _: float) -> None:
        number = random.getrandbits(32)
        await asyncio.to_thread(self.deployed.change_release, "tenants.json", lambda data: another(data, number))
        state = self.deployed.folder / deployment.STATE
        tried = json.loads(state.read_bytes())["tried"]
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: json.loads(state.read_bytes())["tried"] > tried, PATIENT_S)
        assert not json.loads(state.read_bytes())["trouble"], state.read_text()

    async def _lock(self, _: Random, seconds: float) -> None:
        path = config.load(self.deployed.config).audit.path
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)

    async def _fail(self, random: Random, seconds: float) -> None:
        draft = self.control.with_suffix(".draft")
        draft.write_text(random.choice(FAULTS))
        draft.rename(self.control)
        await asyncio.sleep(seconds)
        self.control.unlink()

    async def _stand(self, _: Random, seconds: float) -> None:
        self.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    async def _kill(self, _: Random, __: float) -> None:
        before = workers(self.process.pid)
        os.kill(before[-1], signal.SIGKILL)  # the youngest: the eldest shows whether one grows
        await until(lambda: before[-1] not in workers(self.process.pid), PATIENT_S)
        await until(lambda: len(workers(self.process.pid)) == len(before), PATIENT_S)

    async def _without_engine(self, _: Random, seconds: float) -> None:
        assert self.server is not None
        self.server.kill()
        await asyncio.sleep(seconds)
        await self.server.start()


def another(data: bytes, number: int) -> bytes:
    """The same tenants, one of which nobody asks for here has another fact."""
    document: dict[str, Any] = json.loads(data)
    next(t for t in document["tenants"] if t["id"] == HEALTH)["attributes"]["office"] = str(number)
    return json.dumps(document).encode()


@dataclass
class Server:
    """An Open Policy Agent server that is killed and started again on the same port."""

    port: int = field(default_factory=opa.free_port)
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Return when it answers."""
        address = f"127.0.0.1:{self.port}"
        options = ["--skip-version-check", "--log-level", "error", "--addr", address, *map(str, starter_files())]
        self.process = subprocess.Popen([program(), "run", "--server", *options], stderr=subprocess.PIPE)  # noqa: ASYNC220 - returns at once
        await opa.ready(self.process, f"http://{address}")

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@contextmanager
def killed_at_the_end(server: Server | None) -> Iterator[Server | None]:
    """It does not outlive this."""
    try:
        yield server
    finally:
        if server is not None:
            server.kill()
