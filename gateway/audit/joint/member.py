"""A worker's side: hands entries to the keeper, and waits for its answer that they are durable.

An entry that was handed over can't be withdrawn. If its deadline passes, it may still turn out durable: its caller is
refused, and the trail takes care of the record. When the keeper is gone, nothing becomes durable, and the worker ends.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import structlog

from gateway.audit.joint import frames
from gateway.audit.record import Entry
from gateway.audit.store import Rejection, Result
from gateway.audit.writing import unavailable
from gateway.telemetry import Counted

log = structlog.get_logger()


class Member:
    """The writer of a worker. wanted: set if another release may have to be put in force. gone: the keeper is gone.

    in_force: digest of the release that the keeper recorded, and since when. expires_us, handed: the expiry and the
    release that the keeper sent last; `take` takes the release. said: the keeper's greeting.
    """

    def __init__(self) -> None:
        self.wanted, self.gone = asyncio.Event(), asyncio.Event()
        self.said: dict[str, Any] = {}
        self.in_force: tuple[str, int] = ("", 0)
        self.expires_us: int | None = None
        self.handed = b""
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._frames = frames.Frames(self._heard, self._lost)
        self._greeted = asyncio.Event()
        self._deadline_s = 1.0
        self._ready = self._healthy = False
        self._number = 0
        self._waiting: dict[int, tuple[asyncio.Future[Result], asyncio.TimerHandle]] = {}
        self._late: set[int] = set()
        self._rows: list[tuple[object, ...]] = []
        self._leaves: list[bytes] = []

    @classmethod
    async def join(cls, end: socket.socket) -> Member:
        """The member at this end of a socket pair, after the keeper has said what is in force. Raises OSError."""
        member = cls()
        await member._loop.create_unix_connection(lambda: member._frames, sock=end)
        await member._greeted.wait()
        if member.gone.is_set():
            raise ConnectionError("the keeper of the log is gone")
        return member

    def limit(self, deadline_ms: int) -> None:
        """Bound every append from now on by this deadline."""
        self._deadline_s = deadline_ms / 1000

    @property
    def ready(self) -> bool:
        """See Writing."""
        return self._ready and not self._late

    @property
    def healthy(self) -> bool:
        """See Writing."""
        return self._healthy and not self._late

    @property
    def size(self) -> int:
        """See Writing."""
        return self._size

    def append(self, entry: Entry) -> asyncio.Future[Result]:
        """See Writing."""
        result: asyncio.Future[Result] = self._loop.create_future()
        if not self.ready:
            result.set_exception(unavailable("the log is not being written"))
            return result
        self._number += 1
        number = self._number
        # Two steps: if the loop stood still for a while, answers that are already waiting come before deadlines.
        timer = self._loop.call_later(self._deadline_s, self._loop.call_soon, self._expire, number)
        self._waiting[number] = result, timer
        if not self._rows:
            self._loop.call_soon(self._hand_over)
        self._rows.append(frames.row(number, entry))
        self._leaves.append(entry.leaf)
        return result

    def take(self) -> bytes:
        """The release that the keeper handed over last; empty if it was already taken."""
        raw, self.handed = self.handed, b""
        return raw

    def serving(self, digest: str) -> None:
        """Tell the keeper that this worker decides calls by this release."""
        self._frames.say(frames.packed({"serving": digest}))

    def counted(self, counted: Counted) -> None:
        """Tell the keeper what this worker counted since its start."""
        self._frames.say(frames.packed({"counted": counted.said()}))

    async def close(self) -> bool:
        """Wait for the answers about entries that were handed over. Returns whether all of them are durable."""
        if self._waiting:
            await asyncio.wait([result for result, _ in self._waiting.values()], timeout=self._deadline_s)
        self._frames.close()
        return not self._late

    def _hand_over(self) -> None:
        self._frames.say(frames.packed({"entries": self._rows}, self._leaves))
        self._rows, self._leaves = [], []

    def _heard(self, said: dict[str, Any], content: memoryview) -> None:
        if "greeting" in said:
            self.said = said["greeting"]
        if "log" in said:
            self._ready, self._healthy, self._size = said["log"]
        if "in_force" in said:
            self.in_force, self.expires_us = tuple(said["in_force"]), said["expires_us"]
            self.handed = bytes(content) or self.handed
            self.wanted.set()
            self._greeted.set()
        for number, result in said.get("answers", ()):
            self._answer(number, result)

    def _answer(self, number: int, said: int | str | None) -> None:
        self._late.discard(number)
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        result, timer = waiting
        timer.cancel()
        if said is None:
            result.set_exception(unavailable("the record could not be written"))
        else:
            result.set_result(said if isinstance(said, int) else Rejection[said])

    def _expire(self, number: int) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            if not self._late:
                log.critical("audit log late", deadline_ms=round(self._deadline_s * 1000))
            self._late.add(number)  # until the keeper answers
            waiting[0].set_exception(unavailable("the record was not durable before its deadline"))

    def _lost(self) -> None:
        self._ready = self._healthy = False
        self.gone.set()
        self._greeted.set()
        for number in [*self._waiting]:
            self._answer(number, None)
