"""Threads that read for everybody, a little at a time: tenants whose texts wait take turns, whoever has more to read.

A text takes its time in steps. Nobody can stop a step, so what is not wanted any more ends after the one that is under
way, and whoever comes waits for a few steps of others, not for their texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TypeVar

__all__ = ["FairThreads", "finished"]

TURN_S: Final = 0.01
"""How long a text is read before the next tenant's turn, and to the end of the step after that."""

T = TypeVar("T")


@dataclass(slots=True)
class _Text:
    steps: Generator[None, None, Any]
    tell: Callable[[Callable[[asyncio.Future[Any]], None]], None]
    wanted: bool = True


class FairThreads:
    """threads: how many texts are read at once."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "reading")
        self._lock = Lock()
        self._waiting: dict[str | None, deque[_Text]] = {}
        """By tenant, the one whose turn it is next first; none that is empty."""

    async def read(self, whose: str | None, steps: Generator[None, None, T]) -> T:
        """What the steps return. Raises what they raise. Cancelled, they are not gone on with."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def say(what: Callable[[asyncio.Future[T]], None]) -> None:
            if not result.done():
                what(result)

        def tell(what: Callable[[asyncio.Future[T]], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who asked
                loop.call_soon_threadsafe(say, what)

        text = _Text(steps, tell)
        self._wait(whose, text)
        try:
            return await result
        finally:
            text.wanted = False

    def _wait(self, whose: str | None, text: _Text) -> None:
        with self._lock:
            self._waiting.setdefault(whose, deque()).append(text)
        self._pool.submit(self._turn)

    def _turn(self) -> None:
        """Read on in the text whose turn it is: one waits for each time that this is called."""
        with self._lock:
            whose = next(iter(self._waiting))
            texts = self._waiting.pop(whose)
            text = texts.popleft()
            if texts:
                self._waiting[whose] = texts  # behind all other tenants
        ends = time.monotonic() + TURN_S
        try:
            while text.wanted:
                next(text.steps)
                if time.monotonic() > ends:
                    self._wait(whose, text)
                    break
        except StopIteration as done:
            value = done.value
            text.tell(lambda result: result.set_result(value))
        except Exception as error:  # noqa: BLE001 - whoever waits for it sees to it
            failed = error
            text.tell(lambda result: result.set_exception(failed))


def finished(steps: Generator[None, None, T]) -> T:
    """What the steps return, all at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            value: T = done.value
            return value
