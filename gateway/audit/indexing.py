"""Keeps the indexes of logs up to date in a separate process, so that a gateway that writes never waits.

The process reads from standard input which logs to index, and runs while standard input is open. When the process that
started it ends, however it ends, standard input is closed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import select
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Final

import structlog

from brightline_verify.report import UnreadableError
from gateway.audit import reader
from gateway.audit.filter import terms
from gateway.audit.index import Builder, Held
from gateway.audit.reader import Reader
from gateway.audit.search import said

TICK_S: Final = 0.25
"""Seconds between looks for new records. A record is indexed after at most this and the time that indexing takes."""
_AT_ONCE: Final = 2000
_NICE: Final = 10

log = structlog.get_logger()


def catch_up(log: Reader, builder: Builder, told: Callable[[int, int], None] = lambda _done, _size: None) -> None:
    """Index every record that the index lacks. Raises UnreadableError, sqlite3.Error."""
    size = log.size()
    while take(log, builder):
        told(builder.size, size)


def take(log: Reader, builder: Builder) -> bool:
    """Index some records that the index lacks; whether there were any. Raises as `catch_up` does."""
    rows = log.since(builder.size, None, _AT_ONCE)
    for index, leaf in rows:
        record = said(leaf)
        time_us = record.get("time_us")
        builder.add(index, leaf, terms(record), time_us if isinstance(time_us, int) else 0)
    builder.flush()
    return bool(rows)


class _Following:
    """One log and its index. A failure is logged once and tried again at the next step."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._stack = ExitStack()
        self._open: tuple[Reader, Builder] | None = None
        self._anew = False
        self._trouble = ""

    def step(self) -> bool:
        """Index some records; whether more may be there already."""
        try:
            if self._open is None:
                opened = self._stack.enter_context(reader.opened(self._held.source))
                builder = self._stack.enter_context(closing(Builder(self._held.index, opened, anew=self._anew)))
                self._open, self._anew = (opened, builder), False
            took = take(*self._open)
            self._trouble = ""
            return took
        except (UnreadableError, OSError, sqlite3.Error, ValueError, TypeError) as error:
            self._anew = not isinstance(error, UnreadableError | OSError | sqlite3.OperationalError)  # a damaged index
            self._open = None
            with contextlib.suppress(sqlite3.Error, OSError):
                self._stack.close()
            if str(error) != self._trouble:
                log.warning("audit index waits", detail=str(error), anew=self._anew)
            self._trouble = str(error)
            return False

    def close(self) -> None:
        """Close the files."""
        self._stack.close()


def follow(held: Sequence[Held], until_closed: int) -> None:
    """Keep these indexes up to date until the descriptor is closed."""
    following = [_Following(one) for one in held]
    wait_s = 0.0
    while not select.select([until_closed], [], [], wait_s)[0]:
        took = [one.step() for one in following]
        wait_s = 0.0 if any(took) else TICK_S
    for one in following:
        one.close()


if __name__ == "__main__":
    os.nice(_NICE)
    told = pickle.loads(base64.b64decode(sys.stdin.buffer.readline()))  # noqa: S301 - from the gateway that started it
    follow(told, sys.stdin.fileno())
