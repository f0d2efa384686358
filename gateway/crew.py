"""Workers: processes that share the port, and hand what they record to this one, which keeps the log.

1 the port is reserved, so that nobody else takes it  2 each worker is told all that it has to know, and opens its part
3 one that ends is replaced, after its open intents are marked  4 what comes in force here comes in force in each
5 at the end each lets its calls end, then the log is closed
A worker never has the key that signs the log. The kernel spreads connections over the workers, not calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from gateway import transport
from gateway.audit.joint.hub import Hub
from gateway.config import Config
from gateway.errors import StartError
from gateway.pep import Gate
from gateway.telemetry import Counted, Meters

log = structlog.get_logger()

WORKER: Final = sys.executable, "-m", "gateway.worker"
TICK_S: Final = 0.1
START_S: Final = 120.0
AGAIN_S: Final = 0.2
LONGEST_S: Final = 5.0
"""How long until a worker is replaced: soon, and later each time that one ends before it served."""
_MORE_S: Final = 2.0
"""Beside its drain, for a worker to end."""


@asynccontextmanager
async def crew(config: Config, gate: Gate) -> AsyncIterator[Crew]:
    """Workers that serve `gate.in_force`; on exit they drain. Raises StartError."""
    with transport.reserved(config.listener.address) as port:
        made = Crew(config, gate, port.getsockname()[1])  # 1
        try:
            await made.start()
            yield made
        finally:
            await made.close()


class Crew:
    """The workers of a gateway. port: the number of the port that they share."""

    def __init__(self, config: Config, gate: Gate, port: int) -> None:
        self.port = port
        self._config, self._gate = config, gate
        self._hubs: list[Hub | None] = [None] * config.listener.workers
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failed, self._asked = "", 0
        self._past, self._replaced = Meters(), 0

    async def start(self) -> None:
        """Return when every worker serves. Raises StartError when one can't."""
        self._tasks = [asyncio.create_task(self._keep(number)) for number in range(len(self._hubs))]
        self._tasks.append(asyncio.create_task(self._tell()))
        if failed := await self.followed():
            raise StartError(f"listener.workers: {failed}; see what it wrote above")

    async def until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set."""
        await stop.wait()

    async def followed(self) -> str:
        """Empty once every worker decides by what is in force here; else why not: none could, or it took too long."""
        self._failed = ""
        self._asked += 1  # a worker that was started before says nothing about whether one can follow now
        try:
            async with asyncio.timeout(START_S):
                while not self._failed and any(
                    hub is None or hub.serving != self._gate.in_force.release.digest for hub in self._hubs
                ):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._failed = f"a worker did not serve within {START_S:.0f} s"
        if self._failed:
            log.error("workers do not follow", why=self._failed)
        return self._failed

    def counted(self) -> tuple[Counted, int, int]:
        """What all workers counted, those that ended among them; how many serve; how many were replaced."""
        hubs = [hub for hub in self._hubs if hub is not None and hub.serving]
        return Counted.together((hub.counted for hub in hubs), self._past), len(hubs), self._replaced

    async def close(self) -> None:
        """5: each worker drains; one that does not end in time is killed."""
        self._gate.draining = True
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _keep(self, number: int) -> None:
        """3: one worker, and the next when it has ended."""
        pause_s = AGAIN_S
        while not self._stopping.is_set():
            asked, served = self._asked, False
            try:
                served = await self._serve(number)
            except OSError as error:  # no memory, no file, no process: there may be one later
                log.critical("worker not started", worker=number, why=str(error))
            self._replaced += not self._stopping.is_set()
            pause_s = AGAIN_S if served else min(2 * pause_s, LONGEST_S)
            if not served and not self._served() and asked == self._asked:
                self._failed = "a worker ended before it served"
                self._changed.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()

    async def _serve(self, number: int) -> bool:
        """2: one worker, from its start until what it left open is marked; whether it served. Raises OSError."""
        mine, its = socket.socketpair()
        hub = Hub(self._gate.log, self._changed.set)
        try:
            await hub.join(mine, self._greeting(number), self._in_force)
            self._hubs[number] = hub
            await self._run(number, its)
        finally:
            its.close()
            hub.hang_up()
            self._hubs[number] = None
            self._past.add(hub.counted.meters.said())  # at once: no count goes back
            await hub.closed()
        return bool(hub.serving)

    async def _run(self, number: int, its: socket.socket) -> None:
        """Start the process with its end, and wait for its own. Raises OSError when there is none."""
        with its:
            process = await asyncio.create_subprocess_exec(*WORKER, str(its.fileno()), pass_fds=[its.fileno()])
        ended, stopping = asyncio.create_task(process.wait()), asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.terminate()
            await asyncio.wait({ended}, timeout=self._config.limits.drain_ms / 1000 + _MORE_S)
        if not ended.done():
            log.error("worker killed", worker=number)
            process.kill()
        await ended
        stopping.cancel()
        if not self._stopping.is_set():
            log.critical("worker ended", worker=number, status=process.returncode)

    def _greeting(self, number: int) -> dict[str, Any]:
        config = self._config.of_worker(self.port)
        key = self._gate.log.archive.keys[self._config.audit.origin]
        return {"worker": number + 1, "config": config.model_dump_json(exclude_unset=True), "log_key": str(key)}

    def _served(self) -> bool:
        return any(hub is not None and hub.serving for hub in self._hubs)

    def _in_force(self) -> tuple[str, int]:
        return self._gate.in_force.release.digest, self._gate.in_force.since_us

    async def _tell(self) -> None:
        """4: what is new here, to each worker."""
        told = self._gate.in_force, self._gate.in_force.expires_us
        while not self._stopping.is_set():
            await asyncio.sleep(TICK_S)
            now = self._gate.in_force, self._gate.in_force.expires_us
            for hub in self._hubs:
                if hub is not None:
                    hub.look()
                    if now != told:
                        hub.follow(self._in_force(), now[1], now[0].handed)
            now[0].handed = b""
            told = now
