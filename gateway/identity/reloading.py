"""Caches the parsed content of one file, or of several that belong together, until one of them changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from gateway import regular_files

T = TypeVar("T")


class UnreadableError(Exception):
    """A file can't be read or parsed. The text names the file and the problem."""


class Watched(Generic[T]):
    """The parsed content of one or more files. parse: takes the bytes of each in order, and raises ValueError.
    max_bytes: limits each file.

    A change of inode, size or times is noticed at the next use. Replace a file by renaming a new one over it: a file
    that is rewritten in place may be read half written, and is refused until it is complete. A file that can't be read
    or parsed is an error at each use; earlier content is never used instead.
    """

    def __init__(self, paths: Path | tuple[Path, ...], parse: Callable[..., T], max_bytes: int) -> None:
        self._paths = paths if isinstance(paths, tuple) else (paths,)
        self._parse = parse
        self._max_bytes = max_bytes
        self._loading = asyncio.Lock()
        self._reading: set[asyncio.Task[None]] = set()
        self._stamp: tuple[int, ...] | None = None
        self._value: T
        self._problem = ""

    async def current(self) -> T:
        """The content of the files now. Raises UnreadableError."""
        if self._changed():
            reading = asyncio.create_task(self._read())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)
            await asyncio.shield(reading)  # a thread goes on when its call is cancelled, and so does its turn
        if self._problem:
            raise UnreadableError(self._problem)
        return self._value

    async def _read(self) -> None:
        async with self._loading:
            if self._changed():
                await asyncio.to_thread(self._load)

    def _changed(self) -> bool:
        stamp: tuple[int, ...] = ()
        for path in self._paths:
            try:
                stamp += _stamp(os.stat(path))  # noqa: PTH116 - runs in every call: takes half the time of Path.stat
            except OSError as error:
                raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
        return stamp != self._stamp

    def _load(self) -> None:
        stamp: tuple[int, ...] = ()
        contents = []
        for path in self._paths:
            try:
                with regular_files.opened(path) as file:
                    stamp += _stamp(os.fstat(file.fileno()))
                    contents.append(file.read(self._max_bytes + 1))
            except OSError as error:
                raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            self._value, self._problem = self._parse_bounded(contents), ""
        except ValueError as error:
            self._problem = f"{self._paths[0]}: {error}"
        self._stamp = stamp  # set last: until now, every reader waits for this load

    def _parse_bounded(self, contents: list[bytes]) -> T:
        if any(len(data) > self._max_bytes for data in contents):
            raise ValueError(f"larger than {self._max_bytes} bytes")
        return self._parse(*contents)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
