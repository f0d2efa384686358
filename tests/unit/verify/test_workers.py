from __future__ import annotations

import os
from operator import add, truediv

import pytest

from brightline_verify import workers


def test_results_come_in_order_from_several_processes() -> None:
    """However many processes there are, each result comes once and in the order of the tasks."""
    tasks = [(n, n) for n in range(50)]
    for processes in (0, 1, 2, 5):
        assert list(workers.run(add, tasks, processes)) == [2 * n for n in range(50)]
    assert len(set(workers.run(os.getpid, [()] * 9, 3)) - {os.getpid()}) == 3


def test_large_results_do_not_block() -> None:
    """Results of a megabyte, more of them than are waited for at once, come through."""
    assert sum(map(len, workers.run(bytes, [(1 << 20,)] * 20, 2))) == 20 << 20


def test_processes_end_with_the_results_and_when_nobody_reads_on() -> None:
    """A reader that stops early leaves no process behind."""
    results = workers.run(os.getpid, [()] * 100, 2)
    worker = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_worker_that_fails_is_an_error() -> None:
    """A task that raises ends the work, and is not taken for a result."""
    with pytest.raises(EOFError):
        list(workers.run(truediv, [(1, 0)], 2))
    with pytest.raises(ZeroDivisionError):
        list(workers.run(truediv, [(1, 0)], 1))
