"""Judges the policy below rego/ and compiles the starter release that travels with the package.

    python tools/rego.py gate            format, types, tests with coverage, and the lint below
    python tools/rego.py build           write gateway/assets/starter
    python tools/rego.py build --check   fail when what is committed is not what rego/ says

The starter is policy.wasm and data.json for the embedded engine, and rego/ for an OPA server: `opa run --server -b
gateway/assets/starter/rego` decides the same. rego/release/data.json holds the revision: the digest of the SHA-256 of
every other file in rego/, by path.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opapywasm import OpaWasmPolicy

from gateway.canonical import digest

ROOT = Path(__file__).parent.parent
OPA = shutil.which("opa", path=os.pathsep.join([str(ROOT / ".tools/bin"), os.environ.get("PATH", "")])) or "opa"
STARTER = Path("gateway/assets/starter")
ENTRYPOINT = "brightline/decision"
COVERAGE = 95.0
"""Percent of the lines of the policy, tests excluded, that its tests have to run."""
CLASSES = ("red_line", "provider_baseline", "law", "directive", "agency")
READ = ("first_hand", "second_hand", "general_knowledge")


def main() -> int:
    """Run as the module's text says; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to work on (default: this one)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("gate")
    commands.add_parser("build").add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "gate":
        return report(gate(arguments.root / "rego"))
    if arguments.check:
        return report(stale(arguments.root))
    build(arguments.root / "rego", arguments.root / STARTER)
    return 0


def report(findings: Iterator[str]) -> int:
    """Print what was found; returns the exit code."""
    found = list(findings)
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


# --- build --------------------------------------------------------------------------------------------------------


def build(rego: Path, starter: Path) -> None:
    """Compile the policy at `rego` into the folder `starter`, replacing what is there. Leaves the program on failure."""
    with tempfile.TemporaryDirectory() as folder:
        staged, bundle = Path(folder) / "rego", Path(folder) / "bundle.tar.gz"
        shutil.copytree(rego, staged, ignore=shutil.ignore_patterns("*_test.rego", "schemas"))
        release = staged / "release/data.json"
        revision = digest({p: hashlib.sha256((staged / p).read_bytes()).hexdigest() for p in files(staged)})
        release.parent.mkdir()
        release.write_text(json.dumps({"revision": revision}) + "\n")
        compiled = opa("build", "--target", "wasm", "--entrypoint", ENTRYPOINT, "--bundle", ".", "-o", bundle, at=staged)
        if compiled.returncode:
            sys.exit(compiled.stderr)
        shutil.rmtree(starter, ignore_errors=True)
        shutil.copytree(staged, starter / "rego")
        with tarfile.open(bundle) as archive:
            (starter / "policy.wasm").write_bytes(member(archive, "/policy.wasm"))
            data = json.loads(member(archive, "/data.json"))
        (starter / "data.json").write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def member(archive: tarfile.TarFile, name: str) -> bytes:
    """The bytes of one file of a bundle."""
    file = archive.extractfile(name)
    return file.read() if file else b""


def stale(root: Path) -> Iterator[str]:
    """Every file of the committed starter that differs from a fresh build."""
    with tempfile.TemporaryDirectory() as folder:
        fresh, committed = Path(folder) / "starter", root / STARTER
        build(root / "rego", fresh)
        for path in sorted({*files(fresh), *files(committed)}):
            ours, theirs = fresh / path, committed / path
            if not (ours.exists() and theirs.exists() and filecmp.cmp(ours, theirs, shallow=False)):
                yield f"{STARTER / path}: is not what rego/ says; run: make starter"


def files(folder: Path) -> list[str]:
    """Every file below `folder`, relative to it."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def opa(*arguments: str | Path, at: Path) -> subprocess.CompletedProcess[str]:
    """Run opa in the folder `at`."""
    return subprocess.run([OPA, *arguments], cwd=at, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
