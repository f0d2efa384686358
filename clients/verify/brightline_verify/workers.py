"""Runs a function in several processes and yields the results in order.

Each process is `python -P -m brightline_verify.workers`, with tasks on standard input and results on standard output.
It does not import what the main program imports. A task is only a few bytes, so neither side blocks on a full pipe.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import cycle
from typing import IO, Any, Final, Self, TypeVar

T = TypeVar("T")
PROGRAM: Final = (sys.executable, "-P", "-m", "brightline_verify.workers")
"""-P keeps the current folder off the module path: the data to verify may have come with modules."""
_AHEAD: Final = 3


def run(function: Callable[..., T], tasks: Iterable[tuple[object, ...]], processes: int) -> Iterator[T]:
    """The results of `function` for each task's arguments. processes: 0 or 1 runs in this process."""
    if processes <= 1:
        for task in tasks:
            yield function(*task)
        return
    with ExitStack() as running:
        workers = cycle([running.enter_context(_Worker()) for _ in range(processes)])
        waiting: deque[_Worker] = deque()
        for task, worker in zip(tasks, workers, strict=False):
            if len(waiting) == processes * _AHEAD:
                yield waiting.popleft().result()
            worker.send((function, task))
            waiting.append(worker)
        while waiting:
            yield waiting.popleft().result()


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - fixed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def send(self, task: object) -> None:
        pickle.dump(task, _open(self._process.stdin))
        _open(self._process.stdin).flush()

    def result(self) -> Any:
        return pickle.load(_open(self._process.stdout))  # noqa: S301 - from a process of our own


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the worker has no pipe")
    return pipe


def main() -> None:
    """Work until standard input ends."""
    while True:
        try:
            function, task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from a process of our own
        except EOFError:
            return
        pickle.dump(function(*task), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
