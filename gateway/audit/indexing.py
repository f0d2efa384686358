"""Keeps the index of a log up to date, in a process of its own, so that the gateway that writes the log never waits.

The process is told on its standard input which log that is, and lives as long as that is open: whoever started it and
is gone, however, has closed it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import select
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from brightline_verify.report import UnreadableError
from brightline_verify.stored import Source
from gateway.audit import reader
from gateway.audit.filter import terms
from gateway.audit.index import Builder
from gateway.audit.reader import Reader
from gateway.audit.search import said

TICK_S: Final = 0.25
"""A new record is in the index after at most this and the time that it takes."""
_AT_ONCE: Final = 2000
_NICE: Final = 10

log = structlog.get_logger()


def catch_up(log: Reader, builder: Builder, told: Callable[[int, int], None] = lambda _done, _size: None) -> None:
    """Take every record that the index does not have. Raises UnreadableError, sqlite3.Error."""
    size = log.size()
    while rows := log.since(builder.size, None, _AT_ONCE):
        for index, leaf in rows:
            record = said(leaf)
            time_us = record.get("time_us")
            builder.add(index, leaf, terms(record), time_us if isinstance(time_us, int) else 0)
        builder.flush()
        told(builder.size, size)


def follow(source: Source, index: Path, until_closed: int) -> None:
    """Catch up again and again until that descriptor is closed. What fails is tried again; it is said once."""
    trouble, anew = "", False
    while not select.select([until_closed], [], [], TICK_S)[0]:
        try:
            with reader.opened(source) as opened, contextlib.closing(Builder(index, opened, anew=anew)) as builder:
                anew = False
                while not select.select([until_closed], [], [], 0 if builder.size < opened.size() else TICK_S)[0]:
                    catch_up(opened, builder)
                return
        except (UnreadableError, OSError, sqlite3.Error, ValueError, TypeError) as error:
            anew = not isinstance(error, UnreadableError | OSError | sqlite3.OperationalError)  # a damaged index
            if str(error) != trouble:
                log.warning("audit index waits", detail=str(error), anew=anew)
            trouble = str(error)


if __name__ == "__main__":
    os.nice(_NICE)
    told = pickle.loads(base64.b64decode(sys.stdin.buffer.readline()))  # noqa: S301 - of the gateway that started it
    follow(told, Path(sys.argv[1]), sys.stdin.fileno())
