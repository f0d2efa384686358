"""One slot for a worker. When its worker ends, the slot starts the next one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.audit.joint.hub import Hub, Told
from gateway.config import Config
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.telemetry import Meters

log = structlog.get_logger()

WORKER: Final = sys.executable, "-P", "-m", "gateway.worker"
AGAIN_S: Final = 0.2
LONGEST_S: Final = 5.0
"""The longest pause in seconds before a worker is restarted. The pause doubles each time one ends before it served."""
_MORE_S: Final = 2.0
"""Seconds that a worker may take to end beyond its time to drain."""


@dataclass(slots=True)
class Tally:
    """past: the counters of workers that ended; ended: how many ended unasked."""

    past: Meters = field(default_factory=Meters)
    ended: int = 0


class WorkerSlot:
    """A slot for a worker. config: of the whole gateway; port: shared by the workers; told: called at every change.

    failed: whether a worker that was started since `ask` ended before it served.
    """

    def __init__(
        self, number: int, config: Config, *, gate: Gate, port: int, told: Callable[[], None], tally: Tally
    ) -> None:
        self.hub: Hub | None = None
        self.failed, self._asked = False, 0
        self._number, self._config, self._gate, self._port, self._told = number, config, gate, port, told
        self._tally = tally
        self._ending = asyncio.Event()
        self.done = asyncio.create_task(self._keep())

    @property
    def serving(self) -> str:
        """The digest of the release that the worker says it decides by; empty if there is none."""
        return self.hub.serving if self.hub else ""

    def ask(self) -> None:
        """Reset `failed`; only workers started from now on count."""
        self.failed = False
        self._asked += 1

    def stop(self) -> None:
        """Let the worker drain and end; it is killed if it does not end in time. `done` finishes then."""
        self._ending.set()

    async def _keep(self) -> None:
        pause_s = AGAIN_S
        while not self._ending.is_set():
            asked, served = self._asked, False
            try:
                served = await self._serve()
            except OSError as error:  # out of memory, files or processes: a later try may succeed
                log.critical("worker not started", worker=self._number, why=str(error))
            self._tally.ended += not self._ending.is_set()
            pause_s = AGAIN_S if served else min(2 * pause_s, LONGEST_S)
            if not served and asked == self._asked:
                self.failed = True
                self._told()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._ending.wait()

    async def _serve(self) -> bool:
        """Run one worker, from its start until its open intents are marked. Whether it served. Raises OSError."""
        mine, its = socket.socketpair()
        hub = Hub(self._gate.log, self._told, self._decides)
        try:
            await hub.join(mine, self._greeting(), lambda: told_of(self._gate.in_force, handed=True))
            self.hub = hub
            await self._run(its)
        finally:
            its.close()
            hub.hang_up()
            self.hub = None
            self._tally.past.add(hub.counted.meters.said())  # at once, so that no count decreases
            await hub.closed()
        return bool(hub.serving)

    async def _run(self, its: socket.socket) -> None:
        """Start the process with its end of the socket pair; wait until it ends. Raises OSError if it can't start."""
        with its:
            process = await asyncio.create_subprocess_exec(*WORKER, str(its.fileno()), pass_fds=[its.fileno()])
        ended, ending = asyncio.create_task(process.wait()), asyncio.create_task(self._ending.wait())
        await asyncio.wait({ended, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not ended.done():
            process.terminate()
            await asyncio.wait({ended}, timeout=self._config.limits.drain_ms / 1000 + _MORE_S)
        if not ended.done():
            log.error("worker killed", worker=self._number)
            process.kill()
        await ended
        if not self._ending.is_set():
            log.critical("worker ended", worker=self._number, status=process.returncode)

    def _decides(self, digest: str) -> bool:
        return self._gate.in_force.decides(digest, self._gate.clock())

    def _greeting(self) -> dict[str, object]:
        config = self._config.of_worker(self._port)
        key = self._gate.log.archive.keys[self._config.audit.origin]
        return {
            "worker": self._number + 1,
            "config": config.model_dump_json(exclude_unset=True),
            "log_key": str(key),
            "clocks_apart_us": self._gate.clock.apart_us,
        }


def told_of(now: InForce, *, handed: bool) -> Told:
    """What a worker is told about `now`. handed: include the release itself."""
    return Told((now.release.digest, now.since_us), now.expires_us, now.handed if handed else b"")
