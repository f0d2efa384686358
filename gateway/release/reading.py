"""Reads a release folder. Everything that is used was digested first, from the same bytes.

1 read the manifest, strictly        2 compare its digest with the pinned one
3 read every file, bounded; the folder holds exactly what the manifest names, no more and no less
4 compare every digest               5 type every document
6 the policy is there and says the revision that the manifest says
7 no tenant or model twice; a certificate belongs to exactly one tenant; grants are the provider's
8 a grant relaxes a rule of the provider's baseline that says so, and a tenant selects rules that say so, never another
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from gateway.canonical import Json, NotCanonicalError, digest, parse
from gateway.errors import StartError
from gateway.release import documents, selftest
from gateway.release.documents import DATA, GRANTS, MANIFEST, MODELS, SOURCES, TENANTS, VECTORS, WASM, plain
from gateway.release.lines import line
from gateway.types import Model, Release, Tenant

MAX_BYTES = 64 << 20
"""The most that the files of a release hold together."""

MAX_FILES = 10_000

REQUIRED = (WASM, DATA, TENANTS, MODELS)

_WASM_MAGIC = b"\0asm"
_RULE = r"rego/brightline/rules/{}/(?P<id>[a-z0-9_]+)/(?P=id)\.rego"
_BASELINE_RULE = re.compile(_RULE.format("provider_baseline"))
_AGENCY_RULE = re.compile(_RULE.format("agency"))
_GRANTED = re.compile(rb"^#   (relaxed_by: grant|selected_by: grant)$", re.MULTILINE)
_SELECTED = re.compile(rb"^#   selected_by: tenant$", re.MULTILINE)
_AGAIN = "build or copy the release again; a release is never edited in place"

_D = TypeVar("_D", bound=documents.Document)
_T = TypeVar("_T", Tenant, Model)


def load(path: Path, pinned: str | None) -> Release:
    """The release in the folder `path`, whole. pinned: the digest it must have, 64 hexadecimal digits, or None.

    Raises StartError that names the file, what is wrong and what to do.
    """
    if not path.is_dir():
        raise StartError(f"{path}: is not a release folder; name one that `brightline init` or a release build wrote")
    raw = _read(path / MANIFEST, MAX_BYTES)
    manifest, found = named(path, raw, pinned)  # 1, 2
    return whole(path, manifest, found, _files(path, manifest.files, REQUIRED, MAX_BYTES - len(raw)))  # 3, 4


def named(path: Path, raw: bytes, pinned: str | None) -> tuple[documents.Manifest, str]:
    """Steps 1 and 2: the manifest and its digest. path: what to call the release in errors. Raises StartError."""
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
    """Steps 5 to 8. files: everything that the manifest names, with the digests that it says. Raises StartError."""

    def typed(name: str, kind: type[_D]) -> _D:  # 5
        return parsed(path / name, files[name], kind)

    data = typed(DATA, documents.PolicyData)
    given = typed(GRANTS, documents.Grants).grants if GRANTS in files else []
    tenants = _granted(typed(TENANTS, documents.Tenants).tenants, given)  # 7
    models = [
        Model(m.id, m.description, m.upstream, m.upstream_model, plain(m.attributes))
        for m in typed(MODELS, documents.Models).models
    ]
    if not files[WASM].startswith(_WASM_MAGIC) or not any(name.startswith(SOURCES) for name in files):  # 6
        raise StartError(f"{path}: the policy is empty: {WASM} is no module or {SOURCES} has no source; {_AGAIN}")
    if data.release.revision != manifest.revision:
        raise StartError(f"{path / DATA}: release.revision is not the revision in {MANIFEST}; {_AGAIN}")
    _one_owner(path / TENANTS, tenants)  # 7
    relaxed, selected = _saying(files, _BASELINE_RULE, _GRANTED), _saying(files, _AGENCY_RULE, _SELECTED)
    for tenant in tenants:
        _grants(path / GRANTS, tenant, relaxed)  # 8
        _selection(path / TENANTS, tenant, selected)
    tested = selftest.checks(str(path), typed(VECTORS, selftest.Vectors)) if VECTORS in files else ()
    return Release(
        digest=found,
        version=manifest.version,
        signers=tuple(manifest.signers),
        revision=manifest.revision,
        wasm=files[WASM],
        data=plain(data),
        tenants=_by_id(path / TENANTS, tenants),
        models=_by_id(path / MODELS, models),
        checks=tested,
    )


def read_policy(path: Path) -> tuple[str, dict[str, bytes]]:
    """The revision and the files of the built policy in the folder `path`, each as its manifest names it.

    Raises StartError.
    """
    raw = _read(path / MANIFEST, MAX_BYTES)
    manifest = parsed(path / MANIFEST, raw, documents.PolicyManifest)
    return manifest.revision, _files(path, manifest.files, (WASM, DATA), MAX_BYTES - len(raw))


def _files(path: Path, named: Mapping[str, str], required: tuple[str, ...], budget: int) -> dict[str, bytes]:
    """The bytes of every file but the manifest, once they are exactly the ones that the manifest names."""
    present = sorted(set(_walk(path, "")) - {MANIFEST})
    for name in present:
        if name not in named:
            raise StartError(f"{path / name}: is not named in {MANIFEST}; remove it, or {_AGAIN}")
    for name in (*named, *required):
        if name not in present:
            raise StartError(f"{path / name}: is missing from the release; {_AGAIN}")
    files = {}
    for name in present:
        files[name] = _read(path / name, budget)
        budget -= len(files[name])
        if hashlib.sha256(files[name]).hexdigest() != named[name]:
            raise StartError(f"{path / name}: is not the file that {MANIFEST} names (SHA-256 differs); {_AGAIN}")
    return files


def _walk(path: Path, prefix: str) -> Iterator[str]:
    """Relative names of the files in the folder, in no order."""
    try:
        entries = list(os.scandir(path / prefix))
    except OSError as error:
        raise StartError(f"{path / prefix}: cannot be read: {error.strerror}") from error
    if len(entries) > MAX_FILES:
        raise StartError(f"{path / prefix}: holds more than {MAX_FILES} files; {_AGAIN}")
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, f"{name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name
        else:
            raise StartError(f"{path / name}: is neither a file nor a folder; a release holds no links or devices")


def _read(path: Path, budget: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(budget + 1)
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}; {_AGAIN}") from error
    if len(raw) > budget:
        raise StartError(f"{path}: the release is larger than {MAX_BYTES} bytes; remove data from it")
    return raw


def _parse(path: Path, raw: bytes) -> Json:
    try:
        value = parse(raw)
        digest(value)  # refuses what has no canonical form, wherever it is
        return value
    except (NotCanonicalError, RecursionError) as error:
        raise StartError(f"{path}: {error}; {_AGAIN}") from error


def parsed(path: Path, raw: bytes, kind: type[_D]) -> _D:
    """A document from its bytes. path: what to call it in errors. Raises StartError."""
    return _typed(path, raw, _parse(path, raw), kind)


def _typed(path: Path, raw: bytes, value: Json, kind: type[_D]) -> _D:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        lines = [f"{_at(path, raw, e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in wrong[:10]]
        raise StartError("\n".join([*lines, f"correct the release; {_AGAIN}"])) from None


def _at(path: Path, raw: bytes, where: Sequence[str | int]) -> str:
    """File, line and field. What a program wrote stands on one line, which need not be named."""
    row = line(raw.decode("utf-8"), where)
    return f"{path}:{row}: {'.'.join(map(str, where))}" if row > 1 else f"{path}: {'.'.join(map(str, where))}"


def _one_owner(path: Path, tenants: Iterable[Tenant]) -> None:
    owner: dict[str, str] = {}
    for tenant in tenants:
        for certificate in tenant.certificates:
            if certificate in owner:
                raise StartError(
                    f"{path}: {certificate} is listed for {owner[certificate]} and for {tenant.id}\n"
                    "a certificate names one tenant; remove one of the two"
                )
            owner[certificate] = tenant.id


def _saying(files: Mapping[str, bytes], place: re.Pattern[str], words: re.Pattern[bytes]) -> frozenset[str]:
    """The rules of a layer whose METADATA has these words."""
    rules = ((place.fullmatch(name), raw) for name, raw in files.items())
    return frozenset(rule["id"] for rule, raw in rules if rule and words.search(raw))


def _granted(named: Sequence[documents.Tenant], given: Iterable[documents.Given]) -> list[Tenant]:
    """The tenants, each with what the provider granted it. A grant to one that is gone gives nothing to anybody."""
    grants: dict[str, list[Json]] = {tenant.id: [] for tenant in named}
    for grant in given:
        if grant.tenant in grants:
            grants[grant.tenant].append({key: value for key, value in plain(grant).items() if key != "tenant"})
    return [
        Tenant(t.id, tuple(t.certificates), plain(t.attributes) | {"grants": grants[t.id]}, _quotas(t)) for t in named
    ]


def _quotas(tenant: documents.Tenant) -> dict[str, int]:
    return tenant.quotas.model_dump(exclude_unset=True) if tenant.quotas else {}


def _grants(path: Path, tenant: Tenant, relaxed: frozenset[str]) -> None:
    grants = tenant.attributes["grants"]
    if not isinstance(grants, list):
        raise TypeError("grants were typed as a list")
    names = [str(grant["id"]) for grant in grants if isinstance(grant, Mapping)]
    for name in names:
        if names.count(name) > 1:
            raise StartError(f"{path}: {tenant.id}: grant {name} is there twice; an id names one")
    for grant in grants:
        if isinstance(grant, Mapping) and grant["rule"] not in relaxed:
            raise StartError(
                f"{path}: {tenant.id}: grant {grant['id']}: no grant relaxes {grant['rule']}\n"
                f"a grant names one of: {', '.join(sorted(relaxed)) or 'none, in this policy'}"
            )


def _selection(path: Path, tenant: Tenant, selected: frozenset[str]) -> None:
    rules = tenant.attributes["rules"]
    if not isinstance(rules, list):
        raise TypeError("rules were typed as a list")
    for rule in rules:
        if rule not in selected:
            raise StartError(
                f"{path}: {tenant.id}: rules: {rule} is no rule that a tenant selects\n"
                f"a tenant selects any of: {', '.join(sorted(selected)) or 'none, in this policy'}"
            )


def _by_id(path: Path, items: Iterable[_T]) -> Mapping[str, _T]:
    found: dict[str, _T] = {}
    for item in items:
        if item.id in found:
            raise StartError(f"{path}: {item.id} is there twice; an id names one, rename or remove the other")
        found[item.id] = item
    return MappingProxyType(found)
