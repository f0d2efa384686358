"""Reads a release folder. Only bytes whose digest was checked are used.

1 read the manifest, strictly        2 compare its digest with the pinned one
3 read every file, bounded; the folder holds exactly the files that the manifest names
4 compare every digest               5 type every document
6 the policy is present and states the manifest's revision
7 ids of tenants and models are unique; a certificate belongs to exactly one tenant; only the provider gives grants
8 grants relax only relaxable rules of the provider's baseline; tenants select only selectable rules
9 if a tenant's spend is limited, every model that it may ask has a price
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from gateway.canonical import Json, NotCanonicalError, digest, parse
from gateway.errors import StartError
from gateway.release import documents, folder, selftest
from gateway.release.consistency import Said, by_id
from gateway.release.documents import DATA, GRANTS, MANIFEST, MODELS, SOURCES, TENANTS, VECTORS, WASM, plain
from gateway.release.grants import Grants
from gateway.release.lines import at
from gateway.release.values import Document
from gateway.types import Model, Price, Release

REQUIRED = (WASM, DATA, TENANTS, MODELS)

_WASM_MAGIC = b"\0asm"
_D = TypeVar("_D", bound=Document)


def load(path: Path, pinned: str | None) -> Release:
    """Load the release in the folder `path`. pinned: the digest that it must have, 64 hexadecimal digits, or None.

    Raises StartError that names the file, the fault and the remedy.
    """
    if not path.is_dir():
        raise StartError(f"{path}: is not a release folder; name one that `brightline init` or a release build wrote")
    raw = folder.read(path / MANIFEST, folder.MAX_BYTES)
    manifest, found = named(path, raw, pinned)  # 1, 2
    files = folder.contents(path, manifest.files, REQUIRED, folder.MAX_BYTES - len(raw))  # 3, 4
    return whole(path, manifest, found, files)


def named(path: Path, raw: bytes, pinned: str | None) -> tuple[documents.Manifest, str]:
    """Steps 1 and 2: the manifest and its digest. path: names the release in errors. Raises StartError."""
    value = _parse(path / MANIFEST, raw)
    manifest = _typed(path / MANIFEST, raw, value, documents.Manifest)
    found = digest(value)
    if pinned is not None and pinned != found:
        raise StartError(
            f"{path}: is release {found}, and {pinned} is pinned\n"
            "put the pinned release there, or pin this one (release.digest) once you know who made it"
        )
    return manifest, found


def whole(path: Path, manifest: documents.Manifest, found: str, files: Mapping[str, bytes]) -> Release:
    """Steps 5 to 9. files: everything that the manifest names, with digests already checked. Raises StartError."""

    def typed(name: str, kind: type[_D]) -> _D:  # 5
        return parsed(path / name, files[name], kind)

    data = typed(DATA, documents.PolicyData)
    given = typed(GRANTS, Grants).grants if GRANTS in files else []
    listed = typed(TENANTS, documents.Tenants).tenants
    models = [
        Model(m.id, m.description, m.upstream, m.upstream_model, plain(m.attributes), _price(m))
        for m in typed(MODELS, documents.Models).models
    ]
    if not files[WASM].startswith(_WASM_MAGIC) or not any(name.startswith(SOURCES) for name in files):  # 6
        raise StartError(f"{path}: the policy is empty: {WASM} is no module or {SOURCES} has no source; {folder.AGAIN}")
    if data.release.revision != manifest.revision:
        raise StartError(f"{path / DATA}: release.revision is not the revision in {MANIFEST}; {folder.AGAIN}")
    tenants = Said(path, files, listed, given, models).agreed()  # 7, 8, 9
    tested = selftest.checks(str(path), typed(VECTORS, selftest.Vectors)) if VECTORS in files else ()
    return Release(
        digest=found,
        version=manifest.version,
        signers=tuple(manifest.signers),
        revision=manifest.revision,
        wasm=files[WASM],
        data=plain(data),
        tenants=by_id(path / TENANTS, tenants),
        models=by_id(path / MODELS, models),
        checks=tested,
    )


def _price(model: documents.Model) -> Price | None:
    return Price(model.price.million_bytes, model.price.million_tokens) if model.price else None


def read_policy(path: Path) -> tuple[str, dict[str, bytes]]:
    """The revision and the files of the built policy in the folder `path`, checked against its manifest.

    Raises StartError.
    """
    raw = folder.read(path / MANIFEST, folder.MAX_BYTES)
    manifest = parsed(path / MANIFEST, raw, documents.PolicyManifest)
    return manifest.revision, folder.contents(path, manifest.files, (WASM, DATA), folder.MAX_BYTES - len(raw))


def _parse(path: Path, raw: bytes) -> Json:
    try:
        value = parse(raw)
        digest(value)  # refuses any value that has no canonical form
        return value
    except (NotCanonicalError, RecursionError) as error:
        raise StartError(f"{path}: {error}; {folder.AGAIN}") from error


def parsed(path: Path, raw: bytes, kind: type[_D]) -> _D:
    """Parse a document from its bytes. path: names the document in errors. Raises StartError."""
    return _typed(path, raw, _parse(path, raw), kind)


def _typed(path: Path, raw: bytes, value: Json, kind: type[_D]) -> _D:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        lines = [f"{at(path, raw, e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in wrong[:10]]
        raise StartError("\n".join([*lines, f"correct the release; {folder.AGAIN}"])) from None
