"""Everything that a policy has to pass before it may be built into a release, its tests excepted."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.config import Policy
from gateway.errors import StartError
from gateway.pdp.wasm import open_wasm
from gateway.types import Release
from gateway.workshop.build import BuildError, build
from gateway.workshop.lint import lint
from gateway.workshop.opa import opa, said
from gateway.workshop.places import Finding


def check(rego: Path) -> Iterator[Finding]:
    """Everything that is wrong with the policy as it is written; nothing when its tests may run."""
    found = False
    for finding in (*lint(rego), *well_written(rego)):
        found = True
        yield finding
    if not found:
        yield from runs(rego)


def well_written(rego: Path) -> Iterator[Finding]:
    """Formatted, and typed against the schema of the input."""
    for line in opa("fmt", "--list", ".", at=rego).stdout.splitlines():
        yield Finding(line, "is not formatted; run: brightline policy fmt --write")
    checked = opa("check", "--strict", "--schema", "schemas/input.json", "--bundle", ".", at=rego)
    if checked.returncode:
        yield Finding("", f"opa check --strict:\n{said(checked)}")


def runs(rego: Path) -> Iterator[Finding]:
    """The gateway's own engine opens what is built: one entrypoint, and nothing asked of the host."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        try:
            revision = build(rego, out)
            data = json.loads((out / "data.json").read_bytes())
            wasm = (out / "policy.wasm").read_bytes()
            asyncio.run(open_wasm(Release("", 0, (), revision, wasm, data, {}, {}), Policy()).close())
        except (BuildError, StartError) as error:
            yield Finding("", str(error))
