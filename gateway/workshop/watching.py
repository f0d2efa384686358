"""Watches a policy folder. Each edit is tested, built and put in force, or its faults are reported.

A broken file is checked again at each edit until it is repaired, and nothing is put in force before that. An edited
rule has its own tests run, an agency's file has all tests of the agency run, and a shared file has every test run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from gateway.errors import StartError
from gateway.release.documents import VECTORS
from gateway.workshop import gate, testing
from gateway.workshop.deciding import Decide
from gateway.workshop.dev_activation import Gateway
from gateway.workshop.layout import RULE_FILE, Finding, agency_of, files, misplaced

Seen: TypeAlias = dict[str, tuple[int, int, int]]
"""Identifies the state of each file, by its path."""

LOOK_S: Final = 0.05
"""The interval between two looks at the folder. An edit counts once two consecutive looks see the same state."""


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one edit. changed: the files. findings: what is wrong. release: what came in force, if anything."""

    changed: tuple[str, ...]
    findings: tuple[Finding, ...]
    release: str
    took_s: float


@dataclass(slots=True)
class Watch:
    """A policy folder under watch. pending: files that were edited since the last round without findings."""

    rego: Path
    gateway: Gateway
    pending: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen = look(self.rego)

    def rounds(self) -> Iterator[Round]:
        """One round for the current state, then one for each edit, endlessly. Raises StartError if no gateway runs."""
        started = time.monotonic()
        self.pending |= self.gateway.differs(self.rego)
        while True:
            yield self.round(started)
            started = self._edited()

    def round(self, started: float) -> Round:
        """Check the pending files, and put them in force if nothing is wrong. started: when the edit was first seen."""
        changed = tuple(sorted(self.pending))
        with tempfile.TemporaryDirectory() as folder:
            built, vectors = Path(folder) / "built", Path(folder) / VECTORS
            findings, release = judge(self.rego, changed, built, lambda decide: self.gateway.renew(decide, vectors)), ""
            if not findings:
                try:
                    release = "" if self.gateway.has(built) else self.gateway.put(built, vectors)
                    self.pending.clear()
                except StartError as error:
                    findings = (Finding("", str(error)),)
        return Round(changed, findings, release, time.monotonic() - started)

    def _edited(self) -> float:
        """Wait for an edit to be complete. Returns when it was first seen."""
        started = 0.0
        while True:
            found = look(self.rego)
            edited = {path for path in found.keys() | self.seen.keys() if found.get(path) != self.seen.get(path)}
            self.seen = found
            self.pending |= edited
            if edited:
                started = started or time.monotonic()
            elif started:
                return started
            time.sleep(LOOK_S)


def look(rego: Path) -> Seen:
    """The state of every file."""
    found = {}
    for path in files(rego):
        try:
            status = (rego / path).lstat()
        except OSError:
            continue  # deleted between listing and stat
        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def judge(
    rego: Path, changed: tuple[str, ...], built: Path, ask: Callable[[Decide], object] | None = None
) -> tuple[Finding, ...]:
    """What is wrong with the policy and its tests. If nothing is, the policy is built into the folder `built`.

    ask: further work for the engine that was opened for the check, because compiling takes longer than deciding.
    """
    if found := tuple(misplaced(rego)):
        return found
    with ThreadPoolExecutor() as pool:  # the threads wait for programs that each use a core
        written = pool.submit(lambda: tuple(gate.written(rego)))
        tested = pool.submit(lambda: tuple(_tested(rego, changed)))
        runs = pool.submit(lambda: tuple(gate.runs_in(rego, built, ask)))
        return written.result() or tested.result() or runs.result()


def _tested(rego: Path, changed: tuple[str, ...]) -> Iterator[Finding]:
    """The failures of the tests that cover what changed."""
    about = [_about(path) for path in changed]
    if changed:
        yield from testing.failing(rego, which="" if None in about else "|".join(sorted({*filter(None, about)})))


def _about(path: str) -> str | None:
    """A pattern that matches the names of this file's tests; None if every test is relevant."""
    if owner := agency_of(path):
        return rf"\.agency\.{owner}(\.|_test\.)"
    rule = RULE_FILE.fullmatch(path)
    return rf"\.{rule['id']}_test\." if rule else None
