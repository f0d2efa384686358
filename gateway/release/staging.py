"""Makes the files of the next release, its manifest included, from the published release and replacements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from gateway.canonical import Json, canonical
from gateway.errors import StartError
from gateway.release import reading, selftest
from gateway.release.documents import DATA, GRANTS, MANIFEST, MODELS, SOURCES, TENANTS, VECTORS, WASM
from gateway.types import Release

NAME = Path("the new release")


def files(published: Mapping[str, bytes], *, policy: Path | None = None, **documents: Path | None) -> dict[str, bytes]:
    """The files of the next release. Raises StartError.

    policy: a built policy. documents: the files for tenants, grants, models and vectors. None keeps what is published.
    """
    made = {name: data for name, data in published.items() if name != MANIFEST}
    revision, version = "", 1
    if published:
        manifest, _ = reading.named(NAME, published[MANIFEST], None)
        revision, version = manifest.revision, manifest.version + 1
    if policy is not None:
        revision, built = reading.read_policy(policy)
        made = {n: d for n, d in made.items() if n not in {WASM, DATA} and not n.startswith(SOURCES)} | built
    for name, document in ((TENANTS, "tenants"), (GRANTS, "grants"), (MODELS, "models"), (VECTORS, "vectors")):
        path = documents.get(document)
        if path is not None:
            made[name] = read(path)
    for name in (WASM, TENANTS, MODELS, VECTORS):
        if name not in made:
            raise StartError(f"{name}: the first release has to be given everything: policy, tenants, models, vectors")
    named: dict[str, Json] = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    manifest_: Json = {"format": 1, "version": version, "signers": [], "revision": revision, "files": named}
    made[MANIFEST] = canonical(manifest_)
    if not selftest.tells(release(made).checks):
        raise StartError(f"{VECTORS}: has to hold a use that is allowed and one that is denied; nothing is tested else")
    return made


def folder(path: Path) -> dict[str, bytes]:
    """The files of a release folder, unchanged. Raises StartError."""
    found = {p.relative_to(path).as_posix(): read(p) for p in sorted(path.rglob("*")) if p.is_file()}
    if MANIFEST not in found:
        raise StartError(f"{path}: is not a release folder; it has no {MANIFEST}")
    return found


def release(made: Mapping[str, bytes]) -> Release:
    """The files as a release, with the same checks as at loading. Raises StartError."""
    manifest, found = reading.named(NAME, made[MANIFEST], None)
    for name in sorted({*manifest.files, *made} - {MANIFEST}):
        if name not in made or manifest.files.get(name) != hashlib.sha256(made[name]).hexdigest():
            raise StartError(f"{NAME / name}: is not the file that {MANIFEST} names; stage the release again")
    return reading.whole(NAME, manifest, found, made)


def read(path: Path) -> bytes:
    """A file of a release. Raises StartError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
