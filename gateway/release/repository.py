"""A repository on the side of those who sign. What is proposed stands in staged/ until it has every signature.

    metadata/   what clients read: N.root.json, N.targets.json, N.provider.json, N.agency.json, N.snapshot.json,
                timestamp.json
    targets/    the files, each with its SHA-256 before its name
    staged/     metadata that waits for signatures, and below it files that are new

1 init or stage proposes    2 each holder looks and signs    3 the agency publishes, which signs snapshot and timestamp
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from gateway.errors import StartError
from gateway.release import holders
from gateway.release.documents import MANIFEST
from gateway.release.holders import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from gateway.release.parts import HOLDERS, holder_of, paths, target
from gateway.release.restrictions import NAME as RESTRICTIONS

STAGED: Final = (ROOT, TARGETS, *HOLDERS)
"""What people sign, in this order. The rest is signed at publication."""

DAYS: Final = {ROOT: 365, TARGETS: 180, SNAPSHOT: 14, TIMESTAMP: 14}
"""How long metadata lasts by default; a holder's own as long as targets."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The folder."""

    folder: Path

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StartError(f"{error.filename or self.folder}: {error.strerror}") from error
        except (RepositoryError, ValueError, KeyError) as error:
            raise StartError(f"{self.folder}: is no repository, or was changed by hand: {error}") from error

    # --- what is there -------------------------------------------------------------------------------------------

    def published(self, role: str) -> Metadata[Any] | None:
        """The newest published metadata of the role, None when there is none. Raises StartError."""
        if role == TIMESTAMP:
            return self._read(self.folder / "metadata/timestamp.json")
        versions = [_version(p) for p in (self.folder / "metadata").glob(f"*.{role}.json")]
        return self._read(self.folder / f"metadata/{max(versions)}.{role}.json") if versions else None

    def staged(self, role: str) -> Metadata[Any] | None:
        """What waits for signatures. Raises StartError."""
        return self._read(self.folder / f"staged/{role}.json")

    def newest(self, role: str) -> Metadata[Any]:
        """What is staged, else what is published. Raises StartError when there is neither."""
        found = self.staged(role) or self.published(role)
        if found is None:
            raise StartError(f"{self.folder}: has no {role}; begin with `brightline release init`")
        return found

    def file(self, name: str, *, staged: bool = False) -> bytes | None:
        """A file of the release by its name there, as staged or as published. Raises StartError."""
        metadata = self._of(name, staged)
        info = metadata.signed.targets.get(target(name)) if metadata else None
        return self._content(info) if info else None

    def agreed(self) -> dict[str, bytes]:
        """Every file of the newest release that both signed, its manifest included; empty when there is none.

        What is published need not be: the online key alone can publish. A change is shown against what was agreed.
        Raises StartError.
        """
        roots = [self._read(path) for path in (self.folder / "metadata").glob("*.root.json")]
        for path in sorted((self.folder / "metadata").glob("*.targets.json"), key=_version, reverse=True):
            metadata = self._read(path)
            signed = [set(holders.signers(root.signed, TARGETS, metadata)) for root in roots if root and metadata]
            if metadata is not None and set(HOLDERS) in signed:
                return self._named(metadata.signed.targets[MANIFEST])
        return {}

    def _named(self, info: TargetFile) -> dict[str, bytes]:
        manifest = self._content(info)
        found = {MANIFEST: manifest}
        for name, digest in json.loads(manifest)["files"].items():
            place, _, last = target(name).rpartition("/")
            with self._readable():
                found[name] = (self.folder / "targets" / place / f"{digest}.{last}").read_bytes()
            if hashlib.sha256(found[name]).hexdigest() != digest:
                raise StartError(f"{self.folder}: {name}: is not the file that both signed")
        return found

    def files(self, *, staged: bool = False) -> dict[str, bytes]:
        """Every file of the release that is published, or staged; its manifest included, empty when there is none.

        Raises StartError.
        """
        found = {}
        for role in (TARGETS, *HOLDERS):
            metadata = (self.staged(role) if staged else None) or self.published(role)
            for name, info in (metadata.signed.targets if metadata else {}).items():
                if name != f"{role}/{RESTRICTIONS}":
                    found[name.removeprefix(f"{role}/")] = self._content(info)
        return found

    def custom(self, *, staged: bool = False) -> dict[str, Any]:
        """What the metadata says beside the manifest: the changes and their computed effect. Raises StartError."""
        metadata = self._of(MANIFEST, staged)
        info = metadata.signed.targets.get(MANIFEST) if metadata else None
        return dict(info.custom or {}) if info else {}

    def missing(self, role: str) -> list[str]:
        """The holders whose signature staged metadata still needs. Raises StartError."""
        metadata = self.newest(role)
        return sorted(
            {h for d in self._delegators(role) for h in _wanted(role) - set(holders.signers(d, role, metadata))}
        )

    # --- 1 propose -----------------------------------------------------------------------------------------------

    def init(self, keys: Iterable[tuple[str, Key]], now: datetime, days: Mapping[str, int] = DAYS) -> None:
        """Propose the first root. keys: by name, root and release of each holder and online. Raises StartError."""
        if (self.folder / "metadata").exists() or (self.folder / "staged").exists():
            raise StartError(f"{self.folder}: is a repository already")
        root = Root(version=1, expires=_after(now, days[ROOT]), consistent_snapshot=True)
        for name, key in keys:
            for role in {"root": [ROOT], "release": [TARGETS], "online": [SNAPSHOT, TIMESTAMP]}[name]:
                root.add_key(key, role)
        for role in (ROOT, TARGETS):
            root.roles[role].threshold = len(HOLDERS)
        holders.check_root(root)
        self._stage(ROOT, Metadata(root))

    def stage(
        self, files: Mapping[str, bytes], custom: dict[str, Any], now: datetime, days: int = DAYS[TARGETS]
    ) -> None:
        """Propose a release: every file by its name, the manifest among them. Raises StartError."""
        root = self.newest(ROOT).signed
        targets: dict[str, dict[str, TargetFile]] = {role: {} for role in (TARGETS, *HOLDERS)}
        for name, data in files.items():
            info = TargetFile.from_data(target(name), data, ["sha256"])
            if name == MANIFEST:
                info.unrecognized_fields["custom"] = custom
            targets[holder_of(name) or TARGETS][target(name)] = info
            self._keep(info, data)
        for role, found in targets.items():
            before = self.published(role)
            fresh = Targets((before.signed.version if before else 0) + 1, expires=_after(now, days), targets=found)
            if role == TARGETS:
                fresh.delegations = _delegations(root)
            self._stage(role, Metadata(fresh))

    def restrict(self, holder: str, document: bytes | None, now: datetime, days: int = DAYS[TARGETS]) -> None:
        """Propose what one holder takes away alone; None takes its restriction back. Raises StartError."""
        before = self.published(holder)
        if before is None or holder not in HOLDERS:
            raise StartError(f"{self.folder}: {holder} has published nothing that it could restrict")
        found = {n: i for n, i in before.signed.targets.items() if n != f"{holder}/{RESTRICTIONS}"}
        if document is not None:
            info = TargetFile.from_data(f"{holder}/{RESTRICTIONS}", document, ["sha256"])
            found[info.path] = info
            self._keep(info, document)
        self._stage(holder, Metadata(Targets(before.signed.version + 1, expires=_after(now, days), targets=found)))

    def replace_key(self, old: str, new: Key, now: datetime, *, revoked: bool) -> list[str]:
        """Propose another key of the same holder, wherever the old one stands; the roles that have to be signed anew.

        revoked: the old one can never come back. Raises StartError.
        """
        root = cast("Metadata[Root]", self.newest(ROOT)).signed
        roles = [name for name, role in root.roles.items() if old in role.keyids]
        if not roles:
            raise StartError(f"{self.folder}: no role has the key {old}; `brightline release status` lists them")
        if holders.of(new) != holders.of(root.keys[old]):
            raise StartError(f"the new key is of {holders.of(new)}, the old one of {holders.of(root.keys[old])}")
        for name in roles:
            root.roles[name].keyids = [new.keyid if k == old else k for k in root.roles[name].keyids]
        del root.keys[old]
        root.keys[new.keyid] = new
        if revoked:
            gone = root.unrecognized_fields.get(holders.REVOKED, [])
            root.unrecognized_fields[holders.REVOKED] = sorted({*gone, old})
        before = self.published(ROOT)
        root.version = (before.signed.version if before else 0) + 1
        root.expires = _after(now, DAYS[ROOT])
        holders.check_root(root)
        self._stage(ROOT, Metadata(root))
        changed = [ROOT]
        for role in (TARGETS, holders.of(new)) if TARGETS in roles and self.published(TARGETS) else ():
            signed = cast("Metadata[Targets]", self.newest(role)).signed
            published = self.published(role)
            signed.version = (published.signed.version if published else 0) + 1
            if role == TARGETS:
                signed.delegations = _delegations(root)
            self._stage(role, Metadata(signed))
            changed.append(role)
        return changed

    # --- 2 sign --------------------------------------------------------------------------------------------------

    def signable(self, keyid: str) -> list[str]:
        """What is staged and this key may sign. Raises StartError."""
        there = [role for role in STAGED if self.staged(role) is not None]
        return [r for r in there if any(keyid in d.get_delegated_role(r).keyids for d in self._delegators(r))]

    def sign(self, signer: Signer) -> list[str]:
        """Add the signature to all that is staged and the key may sign; what that was. Raises StartError."""
        signed = self.signable(signer.public_key.keyid)
        for role in signed:
            metadata = self.newest(role)
            metadata.sign(signer, append=True)
            self._stage(role, metadata)
        return signed

    # --- 3 publish -----------------------------------------------------------------------------------------------

    def publish(self, online: Signer, now: datetime, days: Mapping[str, int] = DAYS) -> list[str]:
        """Put what is staged where clients read it, or renew the times alone; the roles that are new.

        A crash leaves files and metadata that no timestamp leads to; publishing again completes it. Raises StartError.
        """
        ready = [role for role in STAGED if self.staged(role) is not None]
        for role in ready:
            if missing := self.missing(role):
                raise StartError(f"{self.folder}: {role} is not signed by {' and '.join(missing)} yet")
        root, staged = self.newest(ROOT).signed, {role: self.newest(role) for role in ready}
        for name in (SNAPSHOT, TIMESTAMP):
            if online.public_key.keyid not in root.roles[name].keyids:
                raise StartError(f"{name} is not signed with this key; root names {', '.join(root.roles[name].keyids)}")
        with self._readable():
            for metadata in staged.values():
                for info in metadata.signed.targets.values() if isinstance(metadata.signed, Targets) else ():
                    _put(self._target(info), self._content(info))
            for role in (*HOLDERS, TARGETS, ROOT):
                if role in staged:
                    _put(self.folder / f"metadata/{staged[role].signed.version}.{role}.json", staged[role].to_bytes())
            if self.published(TARGETS) is not None:
                self._times(online, now, days)
            shutil.rmtree(self.folder / "staged", ignore_errors=True)
        return ready

    def _times(self, online: Signer, now: datetime, days: Mapping[str, int]) -> None:
        meta = {f"{role}.json": _meta(self._bytes(role)) for role in (TARGETS, *HOLDERS)}
        before = self.published(SNAPSHOT)
        snapshot = Metadata(Snapshot((before.signed.version if before else 0) + 1, expires=_after(now, days[SNAPSHOT])))
        snapshot.signed.meta = meta
        snapshot.sign(online)
        data = snapshot.to_bytes()
        _put(self.folder / f"metadata/{snapshot.signed.version}.snapshot.json", data)
        last = self.published(TIMESTAMP)
        timestamp = Timestamp((last.signed.version if last else 0) + 1, expires=_after(now, days[TIMESTAMP]))
        timestamp.snapshot_meta = _meta(data)
        stamped = Metadata(timestamp)
        stamped.sign(online)
        _put(self.folder / "metadata/timestamp.json", stamped.to_bytes())  # before this line nobody sees any of it

    # --- files ---------------------------------------------------------------------------------------------------

    def _of(self, name: str, staged: bool) -> Metadata[Any] | None:
        role = holder_of(name) or TARGETS
        return (self.staged(role) if staged else None) or self.published(role)

    def _delegators(self, role: str) -> list[Root | Targets]:
        """Who says which keys sign the role: for a root the one before it, too."""
        root = self.newest(ROOT).signed
        if role in HOLDERS:
            return [self.newest(TARGETS).signed]
        before = self.published(ROOT) if role == ROOT else None
        return [before.signed, root] if before else [root]

    def _read(self, path: Path) -> Metadata[Any] | None:
        with self._readable():
            return Metadata.from_file(str(path)) if path.exists() else None

    def _bytes(self, role: str) -> bytes:
        found = self.published(role)
        if found is None:
            raise StartError(f"{self.folder}: {role} was never published")
        return (self.folder / f"metadata/{found.signed.version}.{role}.json").read_bytes()

    def _stage(self, role: str, metadata: Metadata[Any]) -> None:
        with self._readable():
            _put(self.folder / f"staged/{role}.json", metadata.to_bytes())

    def _keep(self, info: TargetFile, data: bytes) -> None:
        if not self._target(info).exists():
            with self._readable():
                _put(self._target(info, "staged/targets"), data)

    def _target(self, info: TargetFile, below: str = "targets") -> Path:
        place, _, name = info.path.rpartition("/")
        return self.folder / below / place / f"{info.hashes['sha256']}.{name}"

    def _content(self, info: TargetFile) -> bytes:
        staged = self._target(info, "staged/targets")
        with self._readable():
            data = (staged if staged.exists() else self._target(info)).read_bytes()
            info.verify_length_and_hashes(data)
            return data


def _delegations(root: Root) -> Delegations:
    """Each holder over its own paths, with the key that it signs targets with."""
    keys = {holders.of(root.keys[keyid]): root.keys[keyid] for keyid in root.roles[TARGETS].keyids}
    roles = {h: DelegatedRole(h, [keys[h].keyid], 1, terminating=True, paths=paths(h)) for h in HOLDERS}
    return Delegations({key.keyid: key for key in keys.values()}, roles)


def _wanted(role: str) -> set[str]:
    return set(HOLDERS) if role in {ROOT, TARGETS} else {role}


def _meta(data: bytes) -> MetaFile:
    version: int = Metadata.from_bytes(data).signed.version
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def _after(now: datetime, days: int) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=days)


def _version(path: Path) -> int:
    number = path.name.partition(".")[0]
    return int(number) if number.isdigit() else 0


def _put(path: Path, data: bytes) -> None:
    """Write the file whole. A crash before the rename leaves a hidden draft that the next run overwrites."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
