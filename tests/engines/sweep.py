"""`make engines`: many generated inputs through both engines, which have to decide all of them alike.

Inputs are numbers until they are made, so that a difference is shrunk by leaving numbers out: what is printed is the
smallest input with a difference, and what each engine decides about it.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import Progress

from gateway.release import starter
from gateway.types import Decision
from gateway.workshop.deciding import Decide, Made, beside, embedded, same
from gateway.workshop.policies import Opened, opened
from tests.support.generate import drawn, made

Numbers: TypeAlias = tuple[int, list[int]]

CHUNK = 2000
"""How many inputs one run of Open Policy Agent is asked about."""

_open_here = ExitStack()

SHOWN = 3
"""How many differences are shrunk and printed."""


@dataclass(slots=True)
class Found:
    """What a sweep found. rules: how often each fired; differences: the numbers of the inputs that made them."""

    inputs: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    differences: list[Numbers] = field(default_factory=list)

    def merge(self, other: Found) -> None:
        """Add what another process found."""
        self.inputs += other.inputs
        self.effects.update(other.effects)
        self.rules.update(other.rules)
        self.differences += other.differences


def main() -> int:
    """Sweep, print what was found, write JSON; returns 1 when there is a difference."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other inputs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console = Console(stderr=True)
    started = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("deciding twice", total=arguments.inputs)
        found = sweep(arguments.inputs, arguments.seed, lambda done: bar.advance(task, done))
    report(found, time.monotonic() - started, arguments.json)
    return 1 if found.differences else 0


def sweep(count: int, seed: int, progress: Callable[[int], None] = lambda _: None) -> Found:
    """Compare the engines on this many inputs, on every core."""
    found = Found()
    chunks = [(seed, first, min(CHUNK, count - first)) for first in range(0, count, CHUNK)]
    context = multiprocessing.get_context("spawn")  # the engine's clock is a thread, which a fork would lose
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(chunks)), context) as pool:
        for part in pool.map(compare, chunks):
            found.merge(part)
            progress(part.inputs)
    return found


def compare(chunk: tuple[int, int, int]) -> Found:
    """Compare the engines on the inputs of one chunk: a seed, the number of the first input, and how many."""
    seed, first, count = chunk
    rng = random.Random(f"{seed} {first}")  # noqa: S311 - generated tests, not secrets
    numbers = [drawn(rng) for _ in range(count)]
    found = Found(count)
    for given, wasm, opa in zip(numbers, *decide(numbers), strict=True):
        if not same(wasm, opa):
            found.differences.append(given)
        found.effects[wasm.effect.name.lower() if isinstance(wasm, Decision) else "no decision"] += 1
        if isinstance(wasm, Decision):
            found.rules.update(rule.id for rule in wasm.rules)
    return found


def decide(numbers: Sequence[Numbers]) -> tuple[list[Made], list[Made]]:
    """What the starter decides about the inputs of these numbers, in Wasm and on Open Policy Agent."""
    inputs = [made(*given) for given in numbers]
    policy, wasm = _open()
    return wasm(inputs), beside(policy, inputs)


@functools.cache
def _open() -> tuple[Opened, Decide]:
    """A copy of the starter, which may be built anew meanwhile, open for the life of this process."""
    copy = Path(_open_here.enter_context(tempfile.TemporaryDirectory())) / "starter"
    policy = _open_here.enter_context(opened(Path(shutil.copytree(starter(), copy))))
    return policy, _open_here.enter_context(embedded(policy.release))


def shrink(given: Numbers, differs: Callable[[Numbers], bool]) -> Numbers:
    """Leave out changes as long as there is still a difference."""
    base, changes = given
    for fewer in ([*changes[:at], *changes[at + 1 :]] for at in range(len(changes))):
        if differs((base, fewer)):
            return shrink((base, fewer), differs)
    return given


def smallest(found: Found) -> Iterator[str]:
    """Some of the differences, shrunk, as text."""
    for given in found.differences[:SHOWN]:
        small = shrink(given, lambda numbers: not same(*(side[0] for side in decide([numbers]))))
        (wasm,), (opa,) = decide([small])
        yield f"input: {json.dumps(made(*small))}\n  wasm: {wasm}\n  opa:  {opa}"


def report(found: Found, took_s: float, path: Path | None) -> None:
    """Print what was found, and write it."""
    told = {
        "inputs": found.inputs,
        "differences": len(found.differences),
        "effects": dict(found.effects.most_common()),
        "rules": dict(found.rules.most_common()),
        "seconds": round(took_s, 1),
    }
    sys.stdout.write(f"{found.inputs} inputs, {len(found.differences)} differences, {took_s:.0f} s\n")
    for word in ("effects", "rules"):
        sys.stdout.write(f"{word}: {json.dumps(told[word])}\n")
    for text in smallest(found):
        sys.stdout.write(f"{text}\n")
    if path:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
