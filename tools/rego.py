"""Judges the policy below rego/ and compiles the starter release that travels with the package.

    python tools/rego.py gate            format, types, tests with coverage, the lint below, and the engine
    python tools/rego.py build           write gateway/assets/starter
    python tools/rego.py build --check   fail when what is committed is not what rego/ says

The starter is policy.wasm and data.json for the embedded engine, and rego/ for an OPA server: `opa run --server -b
gateway/assets/starter/rego` decides the same. rego/release/data.json holds the revision: the digest of the SHA-256 of
every other file in rego/, by path.
"""

from __future__ import annotations

import argparse
import asyncio
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

from gateway.canonical import digest
from gateway.config import Policy
from gateway.errors import StartError
from gateway.pdp.wasm import ENTRYPOINT, open_wasm
from gateway.types import Release

ROOT = Path(__file__).parent.parent
OPA = shutil.which("opa", path=os.pathsep.join([str(ROOT / ".tools/bin"), os.environ.get("PATH", "")])) or "opa"
STARTER = Path("gateway/assets/starter")
COVERAGE = 95.0
"""Percent of the lines of the policy, tests excluded, that its tests have to run."""
RULE_FOLDER = re.compile(r"brightline/(rules|agency/[^/]+/rules)/")
RULE_FILE = re.compile(
    r"brightline/(rules/(?P<cls>red_line|provider_baseline|law|directive|agency)|agency/[^/]+/rules)"
    r"/(?P<id>[^/]+)/(?P=id)(_test)?\.rego"
)
"""Where a rule lies: of everyone, by class; of one agency, without."""
READ = ("first_hand", "second_hand", "general_knowledge")


def main() -> int:
    """Run as the module's text says; returns the exit code."""
    parser = argparse.ArgumentParser(description="Judge the policy below rego/, or compile it.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to work on (default: this one)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("gate", help="format, types, tests with coverage, lint, and the engine")
    building = commands.add_parser("build", help="write gateway/assets/starter")
    building.add_argument("--check", action="store_true", help="fail when what is committed is not what rego/ says")
    arguments = parser.parse_args()
    try:
        if arguments.command == "gate":
            return report(gate(arguments.root / "rego"))
        if arguments.check:
            return report(stale(arguments.root))
        build(arguments.root / "rego", arguments.root / STARTER)
    except BuildError as error:
        return report(iter([str(error)]))
    return 0


def report(findings: Iterator[str]) -> int:
    """Print what was found; returns the exit code."""
    code = 0
    for finding in findings:
        print(finding, file=sys.stderr)
        code = 1
    return code


def opa(*arguments: str | Path, at: Path) -> subprocess.CompletedProcess[str]:
    """Run opa in the folder `at`; what it says is all in stdout."""
    command = [OPA, *arguments]
    return subprocess.run(command, cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


# --- gate ---------------------------------------------------------------------------------------------------------


def gate(rego: Path) -> Iterator[str]:
    """Everything that is wrong with the policy, each with its file and what to do; nothing when it may be built."""
    broken = [*lint(rego), *well_written(rego)]
    yield from broken
    if not broken:
        yield from tested(rego)
        yield from runs(rego)


def well_written(rego: Path) -> Iterator[str]:
    """Formatted, and typed against the schema of the input."""
    for line in opa("fmt", "--list", ".", at=rego).stdout.splitlines():
        yield f"rego/{line}: is not formatted; run: opa fmt -w rego"
    checked = opa("check", "--strict", "--schema", "schemas/input.json", "--bundle", ".", at=rego)
    if checked.returncode:
        yield f"opa check --strict, in rego/:\n{checked.stdout}"


def tested(rego: Path) -> Iterator[str]:
    """Every test passes, and the tests run enough of the policy."""
    run = opa("test", "--bundle", ".", "--coverage", "--format", "json", at=rego)
    if run.returncode:
        yield f"opa test, in rego/; for more run: opa test --verbose --bundle rego\n{run.stdout}"
        return
    ours = {path: lines for path, lines in json.loads(run.stdout)["files"].items() if is_policy(path)}
    covered = sum(lines.get("covered_lines", 0) for lines in ours.values())
    missed = sum(lines.get("not_covered_lines", 0) for lines in ours.values())
    percent = 100 * covered / max(covered + missed, 1)
    print(f"{percent:.1f} % of the policy's lines are tested")
    for path, lines in sorted(ours.items()):
        for place in lines.get("not_covered", []):
            text = f"rego/{path}:{place['start']['row']}-{place['end']['row']}: no test runs these lines"
            if percent < COVERAGE:
                yield f"{text}; add one to rego/{path.removesuffix('.rego')}_test.rego"
            else:
                print(text)


def runs(rego: Path) -> Iterator[str]:
    """The gateway's own engine opens what is built: one entrypoint, and nothing asked of the host."""
    with tempfile.TemporaryDirectory() as folder:
        starter = Path(folder)
        try:
            build(rego, starter)
            data = json.loads((starter / "data.json").read_bytes())
            revision = data["release"]["revision"]
            wasm = (starter / "policy.wasm").read_bytes()
            asyncio.run(open_wasm(Release("", 0, (), revision, wasm, data, {}, {}), Policy()).close())
        except (BuildError, StartError) as error:
            yield f"rego/: {error}"


# --- lint ---------------------------------------------------------------------------------------------------------


def lint(rego: Path) -> Iterator[str]:
    """Places, names, tests and metadata: what lets a reader and the dispatch find a rule by its folder."""
    entrypoints = []
    for path in filter(is_rego, files(rego)):
        parsed = opa("parse", "--format", "json", path, at=rego)
        if parsed.returncode:
            yield f"rego/{path}: is not Rego; `opa check rego/{path}` says where"
            continue
        module = json.loads(parsed.stdout)
        for problem in (*placed(rego, path, module), *described(path, module)):
            yield f"rego/{path}: {problem}"
        entrypoints += [path for a in module.get("annotations", []) if a.get("entrypoint")]
    if entrypoints != ["brightline/decision.rego"]:
        found = ", ".join(f"rego/{path}" for path in entrypoints) or "none"
        yield f"entrypoints: {found}; leave one `entrypoint: true`, in rego/brightline/decision.rego"


def placed(rego: Path, path: str, module: dict[str, Any]) -> Iterator[str]:
    """The file's place says its package, and policy and tests lie beside each other."""
    folder, _, name = path.rpartition("/")
    package = ".".join(part["value"] for part in module["package"]["path"][1:])
    expected = folder.replace("/", ".") + ("_test" if name.endswith("_test.rego") else "")
    if package != expected:
        yield f"package {package} is not its folder; write: package {expected}"
    if not re.fullmatch(r"([a-z][a-z0-9_]*/)+[a-z][a-z0-9_]*\.rego", path):
        yield "its path is not snake_case; rename it with lower-case letters, digits and underscores"
    if is_policy(path) and not (rego / path.replace(".rego", "_test.rego")).exists():
        yield f"has no tests; write them in {name.replace('.rego', '_test.rego')} beside it"
    if name.endswith("_test.rego") and not (rego / path.replace("_test.rego", ".rego")).exists():
        yield f"tests nothing; {name.replace('_test.rego', '.rego')} is not beside it"
    if RULE_FOLDER.match(path) and not RULE_FILE.fullmatch(path):
        yield "is not where the dispatch looks; one folder is one rule: rules/<class>/<id>/<id>.rego"
    for imported in module.get("imports", []):
        if [part["value"] for part in imported["path"]["value"]] == ["rego", "v1"]:
            yield "imports rego.v1; remove the line, it is the language here already"


def described(path: str, module: dict[str, Any]) -> Iterator[str]:
    """The metadata of the file's package has what a verdict, a caller and an auditor need."""
    if not is_policy(path):
        return
    scopes = ("package", "subpackages")
    about: dict[str, Any] = next((a for a in module.get("annotations", []) if a["scope"] in scopes), {})
    texts = {"title": about.get("title"), "description": about.get("description")}
    if rule := RULE_FILE.fullmatch(path):
        custom = about.get("custom", {})
        texts["custom.remedy"] = custom.get("remedy")
        yield from same("custom.id", custom.get("id"), rule["id"])
        yield from same("custom.class", custom.get("class"), rule["cls"] or "agency")
        yield from cited(custom.get("sources"))
    for key, text in texts.items():
        if not isinstance(text, str) or not text:
            yield f"its package has no {key}; add it to the METADATA above `package`"


def cited(sources: object) -> Iterator[str]:
    """At least one source, each with how its author read it."""
    if not isinstance(sources, list) or not sources:
        yield "its package has no custom.sources; add a list of {title, read} to the METADATA above `package`"
        return
    for source in sources:
        match source:
            case {"title": str(title), "read": str(read), **rest} if title and read in READ and not rest:
                pass
            case _:
                yield f"custom.sources: {source} is not {{title, read}}; read is one of {', '.join(READ)}"


def same(key: str, value: object, wanted: str) -> Iterator[str]:
    """The metadata repeats what the folder says."""
    if value != wanted:
        yield f"{key} is {value}, but its folder says {wanted}; make them the same"


def is_rego(path: str) -> bool:
    """Whether the file holds Rego rather than data."""
    return path.endswith(".rego")


def is_policy(path: str) -> bool:
    """Whether the file is part of a release: neither a test nor what tests share."""
    return is_rego(path) and not path.endswith("_test.rego") and not path.startswith("fixtures/")


# --- build --------------------------------------------------------------------------------------------------------


class BuildError(Exception):
    """opa cannot compile the policy; the text is opa's own."""


def build(rego: Path, starter: Path) -> None:
    """Compile the policy at `rego` into the folder `starter`, replacing what is there. Raises BuildError."""
    with tempfile.TemporaryDirectory() as folder:
        staged, bundle = Path(folder) / "rego", Path(folder) / "bundle.tar.gz"
        shutil.copytree(rego, staged, ignore=shutil.ignore_patterns("*_test.rego", "schemas", "fixtures"))
        revision = digest({p: hashlib.sha256((staged / p).read_bytes()).hexdigest() for p in files(staged)})
        (staged / "release").mkdir()
        (staged / "release/data.json").write_text(json.dumps({"revision": revision}) + "\n")
        compiled = opa(
            "build",
            "--optimize=1",
            "--target",
            "wasm",
            "--entrypoint",
            ENTRYPOINT,
            "--bundle",
            ".",
            "-o",
            bundle,
            at=staged,
        )
        if compiled.returncode:
            raise BuildError(f"opa build:\n{compiled.stdout}")
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
            made, kept = fresh / path, committed / path
            if not (made.exists() and kept.exists() and filecmp.cmp(made, kept, shallow=False)):
                yield f"{STARTER / path}: is not what rego/ says; run: make starter"


def files(folder: Path) -> list[str]:
    """Every file below `folder`, relative to it."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


if __name__ == "__main__":
    sys.exit(main())
