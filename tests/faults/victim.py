"""A gateway that kills itself: `brightline serve`, with one point of its path at which the process dies by SIGKILL.

The gateway's code has no hooks for this: the real function at the point is wrapped before the gateway starts. What a
kill leaves is what the operating system already has; a loss of power, which takes more, is not shown here.
"""

from __future__ import annotations

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from gateway import cli, inference_service, pep
from gateway.audit import disk
from gateway.audit.log import Log
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.trail import Trail
from gateway.identity import Identity
from gateway.types import Text
from gateway.upstream import loopback


@dataclass(frozen=True)
class Point:
    """Where to die: before or after a call of `owner.name` whose arguments `counts`. most: passages that a load makes
    for sure.
    """

    owner: Any
    name: str
    most: int
    after: bool = False
    counts: Callable[..., bool] = lambda *_: True


def _inserts(kind: str) -> Callable[..., bool]:
    """Whether a batch has a record of this kind."""
    return lambda _, rows: kind in {row[4] for row in rows}


def _intended(trail: Trail, *_: object) -> bool:
    return trail._intended


def _checkpoint_file(source: object, _: object) -> bool:
    return str(source).endswith(".checkpoint.tmp")


POINTS = {
    "before_authentication": Point(Identity, "prove", 40),
    "after_authentication": Point(Identity, "prove", 40, after=True),
    "after_decision": Point(pep, "decide", 40, after=True),
    "before_intent_commit": Point(Sqlite, "insert", 10, counts=_inserts("intent")),
    "after_intent_commit": Point(Sqlite, "insert", 10, after=True, counts=_inserts("intent")),
    "before_forwarding": Point(loopback.Loopback, "_forwarded", 20),
    "while_upstream_answers": Point(loopback, "attempt", 20),
    "mid_stream": Point(inference_service, "_event", 20, after=True, counts=lambda _, piece: isinstance(piece, Text)),
    "before_outcome": Point(Trail, "__aexit__", 20, counts=_intended),
    "before_outcome_commit": Point(Sqlite, "insert", 10, counts=_inserts("outcome")),
    "after_outcome_commit": Point(Sqlite, "insert", 10, after=True, counts=_inserts("outcome")),
    "after_outcome": Point(Trail, "__aexit__", 20, after=True, counts=_intended),
    "before_checkpoint_file": Point(disk, "replace", 5),
    "before_checkpoint_rename": Point(os, "replace", 5, counts=_checkpoint_file),
    "after_checkpoint_rename": Point(os, "replace", 5, after=True, counts=_checkpoint_file),
    "start_before_mark": Point(Sqlite, "insert", 1, counts=_inserts("outcome")),
    "start_after_mark": Point(Sqlite, "insert", 1, after=True, counts=_inserts("outcome")),
    "stop_before_record": Point(Log, "close", 1),
    "stop_before_checkpoint": Point(Store, "close", 1),
}


def arm(point: Point, passage: int) -> None:
    """From now on the process dies at that passage of the point, counted from 1."""
    real = getattr(point.owner, point.name)
    passages = count(1)

    def reached(*arguments: object) -> None:
        if point.counts(*arguments) and next(passages) == passage:
            os.kill(os.getpid(), signal.SIGKILL)

    async def coroutine(*arguments: Any) -> Any:
        if not point.after:
            reached(*arguments)
        result = await real(*arguments)
        if point.after:
            reached(*arguments)
        return result

    def function(*arguments: Any) -> Any:
        if not point.after:
            reached(*arguments)
        result = real(*arguments)
        if point.after:
            reached(*arguments)
        return result

    setattr(point.owner, point.name, coroutine if inspect.iscoroutinefunction(real) else function)


def main() -> None:
    """Serve until the point is reached."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", choices=POINTS)
    parser.add_argument("--passage", type=int, default=1)
    parser.add_argument("--config", required=True)
    given = parser.parse_args()
    if given.die_at is not None:
        arm(POINTS[given.die_at], given.passage)
    sys.argv = ["brightline", "serve", "--config", given.config]
    cli.main()


if __name__ == "__main__":
    main()
