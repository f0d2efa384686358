"""Releases for tests: the starter, and small policies that are compiled on the spot.

compile_policy(rego)          # policy.wasm of one module, by the real compiler
release(wasm=..., data=...)   # a Release in memory
write(folder, files)          # a release folder with its manifest, for tests to break
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gateway.canonical import Json, canonical
from gateway.release import load, starter
from gateway.types import Model, Release, Tenant

ROOT = Path(__file__).parent.parent.parent
REVISION = "test-revision"
DATA: dict[str, Json] = {"release": {"revision": REVISION}}

ATTRIBUTES: dict[str, Json] = {
    "kind": "civil",
    "policy": "",
    "rules": [],
    "purposes": ["summarisation"],
    "models": ["loopback"],
    "marking_ceiling": "UNCLASSIFIED",
    "region": "US",
    "owners": ["US"],
    "national_security": False,
    "grants": [],
}
TENANT = Tenant("agency", ("spiffe://agency.example/app",), ATTRIBUTES)
MODEL = Model(
    "loopback",
    "answers with what it was asked",
    "loopback",
    "loopback",
    {
        "marking_ceiling": "SECRET",
        "levels": [{"framework": "RSP", "level": "ASL-2"}],
        "safeguards": ["input_classifier", "output_classifier"],
        "report": {"reference": "report-1", "issued": 0, "expires": 4_102_444_800_000},
        "issued": 0,
        "expires": 4_102_444_800_000,
        "enclaves": ["development"],
    },
)


def opa() -> str:
    """The pinned Open Policy Agent of the checkout, otherwise the one on PATH."""
    pinned = ROOT / ".tools/bin/opa"
    found = str(pinned) if os.access(pinned, os.X_OK) else shutil.which("opa")
    assert found, "Open Policy Agent is missing; run: make setup"
    return found


@functools.cache
def compile_policy(rego: str, entrypoint: str = "brightline/decision") -> bytes:
    """The Wasm module of one Rego module."""
    with tempfile.TemporaryDirectory() as folder:
        source, bundle = Path(folder) / "policy.rego", Path(folder) / "bundle.tar.gz"
        source.write_text(rego)
        build = [opa(), "build", "-t", "wasm", "-e", entrypoint, "-o", str(bundle), str(source)]
        subprocess.run(build, check=True, capture_output=True)
        with tarfile.open(bundle) as archive:
            module = archive.extractfile("/policy.wasm")
            assert module is not None
            return module.read()


def release(wasm: bytes, data: Mapping[str, Json] = DATA, revision: str = REVISION) -> Release:
    """A release in memory, with one tenant and one model."""
    return Release(
        digest="0" * 64,
        version=1,
        signers=("agency", "provider"),
        revision=revision,
        wasm=wasm,
        data=data,
        tenants={TENANT.id: TENANT},
        models={MODEL.id: MODEL},
    )


@functools.cache
def starter_release() -> Release:
    """The starter policy as a release in memory."""
    data = json.loads((starter() / "data.json").read_bytes())
    return release((starter() / "policy.wasm").read_bytes(), data, data["release"]["revision"])


def starter_files() -> list[Path]:
    """The files that an OPA server loads to serve the starter policy."""
    return [*sorted((starter() / "rego").rglob("*.rego")), starter() / "data.json"]


def files(**documents: Json) -> dict[str, bytes]:
    """The files of a small valid release. documents replace its JSON documents by name."""
    given: dict[str, Json] = {
        "data": DATA,
        "tenants": {
            "tenants": [{"id": TENANT.id, "certificates": list(TENANT.certificates), "attributes": ATTRIBUTES}]
        },
        "models": {
            "models": [
                {
                    "id": MODEL.id,
                    "description": MODEL.description,
                    "upstream": MODEL.upstream,
                    "upstream_model": MODEL.upstream_model,
                    "attributes": MODEL.attributes,
                }
            ]
        },
        **documents,
    }
    made = {f"{name}.json": json.dumps(document).encode() for name, document in given.items()}
    return {"policy.wasm": b"\0asm\1\0\0\0", "rego/brightline/decision.rego": b"package brightline\n", **made}


def write(folder: Path, content: Mapping[str, bytes], **manifest: Json) -> Path:
    """Write the files and a manifest that names them. Keywords replace keys of the manifest."""
    named: dict[str, Json] = {
        "format": 1,
        "version": 1,
        "signers": ["provider"],
        "revision": REVISION,
        "files": {name: hashlib.sha256(raw).hexdigest() for name, raw in content.items()},
        **manifest,
    }
    for name, raw in {**content, "manifest.json": canonical(named)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def load_written(folder: Path, **documents: Json) -> Release:
    """The release of `files(**documents)`, written to the folder and loaded."""
    return load(write(folder, files(**documents)), None)
