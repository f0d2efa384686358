"""A worker's side: hands entries to the keeper and waits for its word that they are durable.

What was handed over can't be taken back: an entry whose deadline passes may still turn out durable, so its caller is
refused and the trail sees to the record. When the keeper is gone nothing is durable any more, and the worker ends.
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
    """The writer of a worker. wanted: set when another release may have to be put in force; gone: the keeper is.

    in_force: digest of the release that the keeper recorded, and since when. expires_us, handed: when it expires and
    the release itself, until it is taken, as the keeper told last. said: what the keeper said first.
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
        """The member at this end of a socket pair, once the keeper has said what is in force. Raises OSError."""
        member = cls()
        await member._loop.create_unix_connection(lambda: member._frames, sock=end)
        await member._greeted.wait()
        if member.gone.is_set():
            raise ConnectionError("the keeper of the log is gone")
        return member

    def limit(self, deadline_ms: int) -> None:
        """Every append is bounded by this from now on."""
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
        # Two steps: after a time in which the loop stood still, answers that wait for it come before deadlines.
        timer = self._loop.call_later(self._deadline_s, self._loop.call_soon, self._expire, number)
        self._waiting[number] = result, timer
        if not self._rows:
            self._loop.call_soon(self._hand_over)
        self._rows.append(frames.row(number, entry))
        self._leaves.append(entry.leaf)
        return result

    def take(self) -> bytes:
        """The release that the keeper handed over last, once; empty when it was taken."""
        raw, self.handed = self.handed, b""
        return raw

    def serving(self, digest: str) -> None:
        """Tell the keeper that calls are decided by this release."""
        self._frames.say(frames.packed({"serving": digest}))

    def counted(self, counted: Counted) -> None:
        """Tell the keeper what was counted here since the start."""
        self._frames.say(frames.packed({"counted": counted.said()}))

    async def close(self) -> bool:
        """Wait for what was handed over. Returns whether all of it is durable."""
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
