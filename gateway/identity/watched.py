"""A file that is parsed once and again whenever it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class UnreadableError(Exception):
    """The file can't be read or understood. The text names the file and says why."""


class Watched(Generic[T]):
    """The parsed content of a file. parse raises ValueError; max_bytes bounds what is read.

    A change is seen by its inode, size and times, at the next use. Replace the file by renaming a new one over it: a
    rewrite in place can be read half written, and is then refused until it is whole. What can't be read or parsed is
    an error at each use, never the content of before.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], max_bytes: int) -> None:
        self._path = path
        self._parse = parse
        self._max_bytes = max_bytes
        self._loading = asyncio.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._value: T
        self._problem = ""

    async def current(self) -> T:
        """The content as the file has it now. Raises UnreadableError."""
        if self._changed():
            async with self._loading:
                if self._changed():
                    await asyncio.to_thread(self._load)
        if self._problem:
            raise UnreadableError(self._problem)
        return self._value

    def _changed(self) -> bool:
        try:
            return _stamp(os.stat(self._path)) != self._stamp  # noqa: PTH116 - on every call: half the time of Path.stat
        except OSError as error:
            raise UnreadableError(f"{self._path}: cannot be read: {error.strerror}") from error

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                data = file.read(self._max_bytes + 1)
        except OSError as error:
            raise UnreadableError(f"{self._path}: cannot be read: {error.strerror}") from error
        try:
            self._value, self._problem = self._parse_bounded(data), ""
        except ValueError as error:
            self._problem = f"{self._path}: {error}"
        self._stamp = stamp  # last: until now every reader waits for this one

    def _parse_bounded(self, data: bytes) -> T:
        if len(data) > self._max_bytes:
            raise ValueError(f"larger than {self._max_bytes} bytes")
        return self._parse(data)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
