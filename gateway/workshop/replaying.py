"""Decides many inputs with two policies on every core, and compares.

Each process has both policies open in the embedded engine, and writes each input once for both. Lines are read as they
are handed out, so that their number costs no memory; what is kept are the decisions that flip.
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
"""How many chunks a process may have waiting."""


_open_here: Final = ExitStack()
_deciding: Final[list[Decide]] = []
_trouble: Final[list[StartError]] = []
"""The old and the new policy, in a process that compares; and why one of them can't be opened there."""


def replay(old: Release, new: Release, found: Iterable[Numbered], progress: Callable[[int], None]) -> Impact:
    """Compare what the policies decide about every line. progress: told how many lines more are done.

    Raises StartError when a policy can't be opened.
    """
    impact = Impact()
    workers = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")  # the engine's clock is a thread, which a fork would lose
    with ProcessPoolExecutor(workers, context, _open, (_bare(old), _bare(new))) as pool:
        waiting: deque[tuple[int, Future[Impact]]] = deque()
        try:
            for chunk in chain([[]], _chunks(found)):  # of nothing too it is said that a policy can't be opened
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
    """What deciding needs of a release, in a form that can be sent to another process."""
    return replace(release, data=dict(release.data), tenants={}, models={})


def _open(*releases: Release) -> None:
    """Open both policies for the life of this process, which ends with the one that started it."""
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
