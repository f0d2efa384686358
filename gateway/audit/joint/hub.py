"""The keeper's side: writes what workers hand over, and closes what a worker left open when it ended.

1 entries of all workers go into the log in the order of arrival; each is answered once it is durable
2 an intent of a release that is not in force any more is refused: its worker may have stood still meanwhile
3 the hub knows the open intents of its worker; when the worker ends, they are marked outcome_unknown
4 workers are told when the log can't be written, and when it can again
5 if a worker's record does not match what was said of it, or only the keeper may write it, the connection is closed
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from brightline_verify.record import Kind
from gateway.audit.joint import frames
from gateway.audit.log import Log
from gateway.audit.record import Entry, columns
from gateway.audit.store import Rejection, Result
from gateway.telemetry import Counted, Meters

_KEEPERS: Final = Kind.START, Kind.STOP


class Told(NamedTuple):
    """What a worker is told about the release in force: digest and time in force; its expiry; the release itself, empty
    if the worker has it.
    """

    in_force: tuple[str, int]
    expires_us: int | None
    handed: bytes


class Hub:
    """One worker, as the keeper sees it.

    serving: the digest of the release that the worker last said it decides by; at first empty. counted: last counts.
    decides: whether a release, by its digest, may still decide a call.
    """

    def __init__(self, log: Log, told: Callable[[], None], decides: Callable[[str], bool]) -> None:
        self.serving = ""
        self.counted = Counted(Meters())
        self._log, self._told, self._decides = log, told, decides
        self._frames = frames.Frames(self._heard, self._gone)
        self._open: dict[str, str] = {}
        self._answers: list[tuple[int, int | str | None]] = []
        self._state: tuple[bool, bool] | None = None
        self._left: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

    async def join(self, end: socket.socket, greeting: dict[str, Any], in_force: Callable[[], Told]) -> None:
        """Greet the worker at the other end of a socket pair. in_force: called at the greeting."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self._frames, sock=end)
        self._frames.say(frames.packed({"greeting": greeting}))
        self.follow(in_force())
        self.look()

    def look(self) -> None:
        """4: tell the worker if the state of the log has changed."""
        if (state := (self._log.ready, self._log.healthy)) != self._state:
            self._state = state
            self._frames.say(frames.packed({"log": [*state, self._log.size]}))

    def follow(self, told: Told) -> None:
        """Tell the worker which release decides from now on."""
        said = {"in_force": told.in_force, "expires_us": told.expires_us}
        self._frames.say(frames.packed(said, [told.handed]))

    def hang_up(self) -> None:
        """Take nothing more from this worker."""
        self._frames.close()

    async def closed(self) -> None:
        """Return once the worker is gone and its open intents are marked, as far as the log can be written."""
        await (await self._left)

    def _heard(self, said: dict[str, Any], content: memoryview) -> None:
        if "serving" in said:
            self.serving = said["serving"]
            self._told()
        if "counted" in said:
            self.counted = Counted.heard(said["counted"])
        for number, entry in frames.entries(said.get("entries", []), content):  # 1
            record = _checked(entry)  # 5
            if entry.kind == Kind.INTENT:
                if not self._decides(record["release"]):  # 2
                    self._say(number, Rejection.REPLACED)
                    continue
                self._open[entry.decision_id] = entry.tenant
            self._log.append(entry).add_done_callback(partial(self._written, number, entry))

    def _written(self, number: int, entry: Entry, result: asyncio.Future[Result]) -> None:
        failed = result.exception() is not None
        said = None if failed else result.result()
        if not failed and (entry.kind == Kind.OUTCOME or (entry.kind == Kind.INTENT and not isinstance(said, int))):
            self._open.pop(entry.decision_id, None)
        self._say(number, said)

    def _say(self, number: int, said: Result | None) -> None:
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._answer)
        self._answers.append((number, said if said is None or isinstance(said, int) else said.name))

    def _answer(self) -> None:
        self._state = self._log.ready, self._log.healthy
        self._frames.say(frames.packed({"answers": self._answers, "log": [*self._state, self._log.size]}))
        self._answers = []

    def _gone(self) -> None:
        self._left.set_result(asyncio.get_running_loop().create_task(self._log.abandon(self._open)))  # 3


def _checked(entry: Entry) -> dict[str, Any]:
    """The record. Raises ValueError for one that a worker may not write. About releases, it may record only a refusal.

    Whether a record has the fields of its kind is not checked: every call's records pass through this one process.
    """
    record: dict[str, Any] = orjson.loads(entry.leaf)
    if columns(record) != (entry.decision_id, entry.kind, entry.time_us, entry.tenant, entry.idempotency_key):
        raise ValueError("the record is not what was said of it")
    if entry.kind in _KEEPERS or (entry.kind == Kind.RELEASE and record.get("release") is not None):
        raise ValueError(f"no worker writes such a record of kind {entry.kind}")
    return record
