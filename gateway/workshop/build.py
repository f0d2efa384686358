"""Compiles a policy folder: policy.wasm and data.json for the embedded engine, rego/ for an OPA server, and a manifest.

`opa run --server -b OUT/rego` makes the same decisions as OUT/policy.wasm. rego/release/data.json holds the revision:
the digest of the SHA-256 of every other file in OUT/rego, by path. The build is reproducible: equal sources give equal
bytes.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.canonical import Json, canonical, digest
from gateway.pdp.wasm import ENTRYPOINT
from gateway.release.documents import DATA, MANIFEST, SOURCES, WASM
from gateway.workshop.layout import Finding, files, sources
from gateway.workshop.opa import opa, said


class BuildError(Exception):
    """The policy can't be compiled, or can't be written to that folder."""


def build(rego: Path, out: Path) -> str:
    """Compile the policy into the folder `out`, replacing its contents. Raises BuildError.

    Returns the digest of the canonical manifest, which names every other file with its SHA-256.
    """
    if out.exists() and any(out.iterdir()) and not (out / WASM).exists():
        raise BuildError(f"{out}: holds something else than a built policy; name a new folder, or empty this one")
    with tempfile.TemporaryDirectory() as folder:
        staged, bundle = Path(folder) / "rego", Path(folder) / "bundle.tar.gz"
        for path in sources(rego):
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(rego / path, staged / path)
        revision = digest(_digests(staged))
        (staged / "release").mkdir()
        (staged / "release/data.json").write_text(json.dumps({"revision": revision}) + "\n")
        # Without --optimize, which would turn the lookup of the tenant's agency into a search through all agencies.
        target = ("--target", "wasm", "--entrypoint", ENTRYPOINT)
        compiled = opa("build", *target, "--bundle", ".", "--output", bundle, at=staged)
        if compiled.returncode:
            raise BuildError(f"opa build:\n{said(compiled)}")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(staged, out / "rego")
        with tarfile.open(bundle) as archive:
            (out / WASM).write_bytes(_member(archive, "/policy.wasm"))
            data = json.loads(_member(archive, "/data.json"))
        (out / DATA).write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        manifest: Json = {"format": 1, "revision": revision, "files": _digests(out)}
        (out / MANIFEST).write_bytes(canonical(manifest))
        return digest(manifest)


def policy_of(release: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a release that a build makes, without the manifest."""
    return {name: raw for name, raw in release.items() if name in {WASM, DATA} or name.startswith(SOURCES)}


def differing(policy: Mapping[str, bytes]) -> list[str]:
    """The files of a built policy that differ, byte for byte, from a build of its sources. Raises BuildError."""
    with tempfile.TemporaryDirectory() as folder:
        at, out = Path(folder) / "given", Path(folder) / "built"
        for name, raw in policy.items():
            if not set(name.split("/")).isdisjoint({"", ".", ".."}):
                raise BuildError(f"{name}: is no name of a file of a policy")
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            (at / name).write_bytes(raw)
        build(at / SOURCES, out)
        fresh = policy_of({name: (out / name).read_bytes() for name in files(out)})
    return sorted(name for name in {*policy, *fresh} if policy.get(name) != fresh.get(name))


def _digests(folder: Path) -> dict[str, Json]:
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in files(folder)}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    return file.read() if file else b""


def stale(rego: Path, out: Path) -> Iterator[Finding]:
    """Every file in `out` that differs from a fresh build."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "out"
        build(rego, fresh)
        for path in sorted({*files(fresh), *files(out)}):
            made, kept = fresh / path, out / path
            if not (made.exists() and kept.exists() and filecmp.cmp(made, kept, shallow=False)):
                yield Finding(path, "is not what the policy says; build it again")
