"""Decides many inputs with two policies, on all cores, and compares the decisions.

Each process opens both policies in the embedded engine, and serialises each input once for both. Lines are read as they
are handed out, and only flipped decisions are kept, so memory use does not grow with the number of lines.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final, TypeAlias

from gateway.canonical import Written
from gateway.errors import StartError
from gateway.types import Release
from gateway.workshop.deciding import Decide, embedded
from gateway.workshop.impact import Impact
from gateway.workshop.lines import of

Numbered: TypeAlias = tuple[int, bytes]

CHUNK: Final = 500
"""How many lines a process gets at a time."""

AHEAD: Final = 4
"""How many chunks may wait for each process."""


_open_here: Final = ExitStack()
_deciding: Final[list[Decide]] = []
_trouble: Final[list[StartError]] = []
"""In a worker process: the old and the new policy, and the error if one of them can't be opened."""


def replay(old: Release, new: Release, found: Iterable[Numbered], progress: Callable[[int], None]) -> Impact:
    """Compare the decisions of both policies about every line. progress: called with the number of lines just finished.

    Raises StartError if a policy can't be opened.
    """
    impact = Impact()
    workers = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")  # the engine's clock is a thread, which would not survive a fork
    with ProcessPoolExecutor(workers, context, _open, (_bare(old), _bare(new))) as pool:
        waiting: deque[tuple[int, Future[Impact]]] = deque()
        try:
            for chunk in chain([[]], _chunks(found)):  # the empty chunk opens the policies even without lines
                waiting.append((len(chunk), pool.submit(_compare, chunk)))
                if len(waiting) == workers * AHEAD:
                    _take(waiting, impact, progress)
            while waiting:
                _take(waiting, impact, progress)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return impact


def _take(waiting: deque[tuple[int, Future[Impact]]], impact: Impact, progress: Callable[[int], None]) -> None:
    count, future = waiting.popleft()
    impact.merge(future.result())
    progress(count)


def _chunks(found: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    rest = iter(found)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _bare(release: Release) -> Release:
    """The parts of a release that deciding needs, in a form that can be sent to another process."""
    return replace(release, data=dict(release.data), tenants={}, models={})


def _open(*releases: Release) -> None:
    """Open both policies for the life of this worker process, which ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _deciding.extend(_open_here.enter_context(embedded(release)) for release in releases)
    except StartError as error:
        _trouble.append(error)


def _compare(chunk: list[Numbered]) -> Impact:
    for error in _trouble:
        raise error
    old, new = _deciding
    impact = Impact()
    found = [of(*numbered) for numbered in chunk]
    good = [line for line in found if not line.error]
    inputs: list[Any] = [Written(line.input) for line in good]
    for line, before, after in zip(good, old(inputs), new(inputs), strict=True):
        impact.add(line, before, after)
    impact.errors += [line.error for line in found if line.error]
    return impact
