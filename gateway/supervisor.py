"""Runs workers: processes that share the port and hand their records to this process, the keeper of the log.

1 reserve the port, so that no other process takes it  2 start each worker, with all that it needs to know
3 replace a worker that ends, after its open intents are marked  4 pass what comes in force here on to each worker
5 replace all on request: one drains after the other, each once its replacement serves
6 at the end let each worker finish its calls, then close the log
A worker never has the key that signs the log. The kernel spreads connections over the workers, not calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from gateway import transport
from gateway.config import Config
from gateway.errors import StartError
from gateway.gate import Gate
from gateway.telemetry import Counted
from gateway.worker_slot import Tally, WorkerSlot, told_of

log = structlog.get_logger()

TICK_S: Final = 0.1
START_S: Final = 120.0


@asynccontextmanager
async def supervised(config: Config, gate: Gate) -> AsyncIterator[Supervisor]:
    """Workers that serve `gate.in_force`; on exit they drain. Raises StartError."""
    with transport.reserved(config.listener.address) as port:
        made = Supervisor(config, gate, port.getsockname()[1])  # 1
        try:
            await made.start()
            yield made
        finally:
            await made.close()


class Supervisor:
    """The workers of a gateway. port: the port that they share."""

    def __init__(self, config: Config, gate: Gate, port: int) -> None:
        self.port = port
        self._gate = gate
        self._calls = config.limits.concurrent_calls
        self._changed = asyncio.Event()
        self._tally = Tally()
        self._started = partial(WorkerSlot, gate=gate, port=port, told=self._changed.set, tally=self._tally)
        self._workers = [self._started(number, config) for number in range(config.listener.workers)]  # 2, 3
        self._others: set[WorkerSlot] = set()
        """Workers that are starting or ending during a replacement."""
        self._telling = asyncio.create_task(self._tell())

    async def start(self) -> None:
        """Return when every worker serves. Raises StartError if none can, or if it takes too long."""
        if failed := await self.followed():
            raise StartError(f"listener.workers: {failed}; see what it wrote above")

    async def until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set."""
        await stop.wait()

    async def followed(self) -> str:
        """Empty once every worker decides by what is in force; else why not: none could, or it took too long."""
        return await self._serve(self._workers)

    async def replace(self, config: Config) -> str:
        """5: replace all workers by workers of this configuration. Empty, or why the remaining ones stay."""
        for number, old in enumerate(self._workers):
            fresh = self._started(number, config)
            self._others.add(fresh)
            if failed := await self._serve([fresh]):
                await self._end(fresh)
                return failed
            self._workers[number] = fresh
            self._others.remove(fresh)
            await self._end(old)
        self._calls = config.limits.concurrent_calls
        return ""

    def counted(self) -> tuple[Counted, int, int, int]:
        """The counters of all workers, past ones included; how many serve; how many were replaced unasked; how many
        calls they take at once.
        """
        hubs = [worker.hub for worker in (*self._workers, *self._others) if worker.hub is not None and worker.serving]
        return (
            Counted.together((hub.counted for hub in hubs), self._tally.past),
            len(hubs),
            self._tally.ended,
            self._calls,
        )

    async def close(self) -> None:
        """6: let each worker drain. One that does not end in time is killed."""
        self._gate.draining = True
        await asyncio.gather(*map(self._end, (*self._workers, *self._others)))
        self._telling.cancel()
        await asyncio.wait({self._telling})

    async def _end(self, worker: WorkerSlot) -> None:
        """Let the worker drain. If this is cancelled, `close` finishes it."""
        self._others.add(worker)
        worker.stop()
        await asyncio.shield(worker.done)
        self._others.discard(worker)

    async def _serve(self, workers: Sequence[WorkerSlot]) -> str:
        """Empty once these workers decide by what is in force; else why not."""
        failed = ""
        for worker in workers:
            worker.ask()  # an earlier start says nothing about whether the worker can follow now
        try:
            async with asyncio.timeout(START_S):
                while not failed and {worker.serving for worker in workers} != {self._gate.in_force.release.digest}:
                    self._changed.clear()
                    await self._changed.wait()
                    if any(worker.failed for worker in workers) and not any(worker.serving for worker in workers):
                        failed = "a worker ended before it served"
        except TimeoutError:
            failed = f"a worker did not serve within {START_S:.0f} s"
        if failed:
            log.error("workers do not follow", why=failed)
        return failed

    async def _tell(self) -> None:
        """4: pass on to each worker what is new here."""
        told = self._gate.in_force, self._gate.in_force.expires_us
        while True:
            await asyncio.sleep(TICK_S)
            now = self._gate.in_force, self._gate.in_force.expires_us
            for worker in (*self._workers, *self._others):
                if worker.hub is not None:
                    worker.hub.look()
                    if now != told:
                        worker.hub.follow(told_of(now[0], handed=now[0] is not told[0]))
            told = now
