"""All checks that a policy has to pass before it is built into a release, except its tests."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from gateway.config import Policy
from gateway.errors import StartError
from gateway.types import Release
from gateway.workshop import agency, data, fact_usage, lint, literals, metadata, modules, type_check
from gateway.workshop.build import BuildError, build
from gateway.workshop.deciding import Decide, embedded
from gateway.workshop.layout import Finding, agencies, files, is_data, misplaced
from gateway.workshop.opa import opa

THINKING_MS: Final = 1000
"""The limit for one decision here: four times a gateway's limit, for busy machines."""


def check(rego: Path) -> Iterator[Finding]:
    """Everything that is wrong with the policy source; empty if its tests may run.

    1 files in their places, none too large    2 Rego, formatted       3 packages, names, tests, one entrypoint
    4 METADATA, and the facts it names         5 confines of agencies  6 effects and obligations of verdicts
    7 types and built-in functions             8 data by its schemas   9 built, opened and asked by the embedded engine
    """
    if found := list(misplaced(rego)):  # 1: before anything is read
        yield from found
        return
    for finding in written(rego):
        found.append(finding)
        yield finding
    if not found:
        yield from runs(rego)  # 9


def written(rego: Path) -> Iterator[Finding]:
    """Steps 2 to 8."""
    parsed, broken = modules.parse(rego)  # 2
    yield from broken
    yield from type_check.formatted(rego)
    yield from lint.placed(rego, parsed)  # 3
    rules, wrong = metadata.described(parsed)  # 4
    yield from wrong
    yield from fact_usage.declared(rules, parsed)
    yield from agency.confined(parsed)  # 5
    yield from literals.understood(rego, parsed)  # 6
    if not broken:
        yield from type_check.checked(rego)  # 7
    yield from data.typed(rego)  # 8


def runs(rego: Path) -> Iterator[Finding]:
    """Step 9: the embedded engine opens the built policy and decides for every agency within the time limit."""
    with tempfile.TemporaryDirectory() as folder:
        yield from runs_in(rego, Path(folder) / "out")


def runs_in(rego: Path, out: Path, ask: Callable[[Decide], object] | None = None) -> Iterator[Finding]:
    """Step 9, built into the folder `out`. ask: further work for the engine, once it decides for every agency."""
    try:
        build(rego, out)
        with embedded(_built(out), Policy(deadline_ms=THINKING_MS)) as decide:
            found = list(_undecided(rego, decide))
            yield from found
            if ask is not None and not found:
                ask(decide)
    except (BuildError, StartError) as error:
        yield Finding("", str(error))


def _built(folder: Path) -> Release:
    said = json.loads((folder / "data.json").read_bytes())
    return Release("", 0, (), said["release"]["revision"], (folder / "policy.wasm").read_bytes(), said, {}, {})


def _undecided(rego: Path, decide: Decide) -> Iterator[Finding]:
    samples = list(_samples(rego))
    for (owner, _), made in zip(samples, decide([facts for _, facts in samples]), strict=True):
        if isinstance(made, str):
            path = f"brightline/agency/{owner}" if owner else "brightline"
            yield Finding(path, f"no decision within {THINKING_MS} ms: {made}; bound what the rules run over")


def _samples(rego: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Facts to decide, by the agency whose policy applies to them."""
    yield "", {}
    facts = _permitted(rego)
    if facts is None:
        return
    for owner in ("", *agencies(rego)):
        yield owner, {**facts, "tenant": {**facts["tenant"], "policy": owner}}


def _permitted(rego: Path) -> dict[str, Any] | None:
    """The facts that the fixtures call permitted: from fixtures and data or, if that fails, with the whole policy."""
    few = [f"{path.rpartition('/')[0].replace('/', '.')}:{path}" for path in files(rego) if is_data(path)]
    alone = [option for one in ("fixtures", *few) for option in ("--data", one)]
    for options in (alone, ["--bundle", "."]):
        done = opa("eval", "--format", "raw", *options, "data.fixtures.permitted", at=rego)
        if done.returncode == 0 and done.stdout.strip():
            facts: dict[str, Any] = json.loads(done.stdout)
            return facts
    return None
