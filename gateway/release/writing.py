"""Writes a release folder: a built policy with a deployment's own tenants and models.

Nobody has signed such a release, so `signers` in its manifest is empty.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway import atomic_files
from gateway.canonical import Json, NotCanonicalError, canonical
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.release.documents import GRANTS, MANIFEST, MODELS, TENANTS, VECTORS
from gateway.release.grants import Given
from gateway.release.reading import load, read_policy
from gateway.release.staging import read
from gateway.types import Model, Release, Tenant


def starter() -> Path:
    """The folder of the starter policy in this package: policy.wasm, data.json, rego/, manifest.json."""
    return Path(__file__).parent.parent / "assets" / "starter"


def create(
    folder: Path,
    version: int,
    tenants: Sequence[Tenant],
    models: Sequence[Model],
    signers: Sequence[str],
    *,
    policy: Path | None = None,
    vectors: Path | None = None,
) -> str:
    """Write a release to `folder`, which must not exist yet. Returns its digest.

    policy: a built policy; by default the starter policy.
    signers: unverified names for an unsigned release; a signed release leaves them out.
    vectors: the self-test; with the starter policy, by default the starter's.
    Raises StartError if the release can't be written, or could not be loaded again.
    """
    if folder.exists() or folder.is_symlink():
        raise StartError(f"{folder}: is already there; a release is never edited in place, name another folder")
    revision, files = read_policy(policy or starter())
    tested = vectors if policy or vectors else starter().parent / VECTORS
    if tested is not None:
        files[VECTORS] = read(tested)
    try:
        files[TENANTS] = canonical({"tenants": [_without_grants(t) for t in tenants]})
        if given := [grant for tenant in tenants for grant in _given(tenant)]:
            files[GRANTS] = canonical({"grants": given})
        files[MODELS] = canonical({"models": [_without_nothing(asdict(m)) for m in models]})
    except NotCanonicalError as error:
        raise StartError(f"a tenant or model of the release: {error}") from error
    manifest: dict[str, Json] = {
        "format": 1,
        "version": version,
        "signers": sorted(signers),
        "revision": revision,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _write(draft, {**files, MANIFEST: canonical(manifest)})
            made = load(draft, None)
            _unexpired(made)
            draft.chmod(0o755)
            # A crash before this line leaves a draft whose name starts with a dot. After it, the release is complete.
            draft.rename(folder)
            atomic_files.sync(folder.parent)
            return made.digest
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise StartError(f"{folder}: cannot be written: {error.strerror}") from error


def _without_nothing(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}


def _without_grants(tenant: Tenant) -> dict[str, Any]:
    quotas = {"quotas": dict(tenant.quotas)} if tenant.quotas else {}
    named = {"id": tenant.id, "certificates": list(tenant.certificates)}
    return named | quotas | {"attributes": {k: v for k, v in tenant.attributes.items() if k != "grants"}}


def _given(tenant: Tenant) -> list[Any]:
    """The tenant's grants as grants.json has them: each names its tenant."""
    grants = tenant.attributes.get("grants", [])
    if not isinstance(grants, list | tuple):
        raise StartError(f"{GRANTS}: {tenant.id}: grants are a list")
    return [{**grant, "tenant": tenant.id} if isinstance(grant, Mapping) else grant for grant in grants]


def _unexpired(made: Release) -> None:
    """Raise StartError for a grant that has already expired, because its author expects it to apply."""
    now_ms = system_us() // 1000
    for tenant in made.tenants.values():
        for given in _given(tenant):
            grant = Given.model_validate(given)
            if grant.expires < now_ms:
                raise StartError(
                    f"{GRANTS}: {tenant.id}: grant {grant.id}: expired at {grant.expires} (ms since 1970)\n"
                    "renew it with the provider, or leave it out"
                )


def _write(draft: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
            os.fsync(file.fileno())
    for inner in (draft, *(p for p in draft.rglob("*") if p.is_dir())):
        atomic_files.sync(inner)
