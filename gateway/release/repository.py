"""A repository as its signers see it. A proposal stays in staged/ until it has every signature.

    metadata/   what clients read: N.root.json, N.targets.json, N.provider.json, N.agency.json, N.snapshot.json,
                timestamp.json
    targets/    the files, each with its SHA-256 before its name
    staged/     metadata that waits for signatures, and its new files

1 init or stage proposes
2 each holder inspects and signs
3 the agency publishes, which signs snapshot and timestamp
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from securesystemslib.signer import Signer
from tuf.api.metadata import (
    Key,
    Metadata,
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
from gateway.release.making import after, delegations, meta, put
from gateway.release.parts import HOLDERS, holder_of, target
from gateway.release.repository_view import Shelf
from gateway.release.restrictions import NAME as RESTRICTIONS

STAGED: Final = (ROOT, TARGETS, *HOLDERS)
"""The roles that people sign, in this order. Snapshot and timestamp are signed at publication."""

DAYS: Final = {ROOT: 365, TARGETS: 180, SNAPSHOT: 14, TIMESTAMP: 14}
"""Default lifetimes of metadata in days. The holders' delegated roles last as long as targets."""


@dataclass(frozen=True, slots=True)
class Repository(Shelf):
    """The repository folder and the operations that change it."""

    # --- 1 propose -----------------------------------------------------------------------------------------------

    def init(self, keys: Iterable[tuple[str, Key]], now: datetime, days: Mapping[str, int] = DAYS) -> None:
        """Propose the first root. Raises StartError.

        keys: with their names; root and release of each holder, and online.
        """
        if (self.folder / "metadata").exists() or self.staged(ROOT) is not None:
            raise StartError(f"{self.folder}: is a repository already")
        root = Root(version=1, expires=after(now, days[ROOT]), consistent_snapshot=True)
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
        """Propose a release: every file by its name, the manifest included. Raises StartError."""
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
            fresh = Targets((before.signed.version if before else 0) + 1, expires=after(now, days), targets=found)
            if role == TARGETS:
                fresh.delegations = delegations(root)
            self._stage(role, Metadata(fresh))

    def restrict(self, holder: str, document: bytes | None, now: datetime) -> None:
        """Propose a restriction by one holder alone. None withdraws the holder's restriction. Raises StartError."""
        before = self.published(holder)
        if before is None or holder not in HOLDERS:
            raise StartError(f"{self.folder}: {holder} has published nothing that it could restrict")
        found = {n: i for n, i in before.signed.targets.items() if n != f"{holder}/{RESTRICTIONS}"}
        if document is not None:
            info = TargetFile.from_data(f"{holder}/{RESTRICTIONS}", document, ["sha256"])
            found[info.path] = info
            self._keep(info, document)
        self._stage(
            holder, Metadata(Targets(before.signed.version + 1, expires=after(now, DAYS[TARGETS]), targets=found))
        )

    def replace_key(self, old: str, new: Key, now: datetime, *, revoked: bool) -> list[str]:
        """Propose to replace a key by another of the same holder, in every role that has it. Raises StartError.

        revoked: whether the old key may never be used again. Returns the roles that have to be signed again.
        """
        root = cast("Metadata[Root]", self.newest(ROOT)).signed
        roles = [name for name, role in root.roles.items() if old in role.keyids]
        gone = root.unrecognized_fields.get(holders.REVOKED, [])
        if not roles and new.keyid in root.keys and (not revoked or old in gone):
            raise StartError(
                f"{self.folder}: the key {old} is replaced by {new.keyid} already; "
                "`brightline release status` says who has to sign"
            )
        if not roles:
            raise StartError(f"{self.folder}: no role has the key {old}; `brightline release status` lists them")
        if holders.of(new) != holders.of(root.keys[old]):
            raise StartError(f"the new key is of {holders.of(new)}, the old one of {holders.of(root.keys[old])}")
        for name in roles:
            root.roles[name].keyids = [new.keyid if k == old else k for k in root.roles[name].keyids]
        replaced = root.keys.pop(old)
        root.keys[new.keyid] = new
        if revoked:
            root.unrecognized_fields[holders.REVOKED] = sorted({*gone, old, holders.public(replaced)})
        before = self.published(ROOT)
        root.version = (before.signed.version if before else 0) + 1
        root.expires = after(now, DAYS[ROOT])
        holders.check_root(root)
        changed = [ROOT]
        for role in (TARGETS, holders.of(new)) if TARGETS in roles and self.published(TARGETS) else ():
            signed = cast("Metadata[Targets]", self.newest(role)).signed
            published = self.published(role)
            signed.version = (published.signed.version if published else 0) + 1
            if role == TARGETS:
                signed.delegations = delegations(root)
            self._stage(role, Metadata(signed))
            changed.append(role)
        # A crash before this line leaves the old key in the newest root. The same command then stages all again.
        self._stage(ROOT, Metadata(root))
        return changed

    # --- 2 sign --------------------------------------------------------------------------------------------------

    def signable(self, keyid: str) -> list[str]:
        """The staged roles that this key may sign. Raises StartError."""
        there = [role for role in STAGED if self.staged(role) is not None]
        return [r for r in there if any(keyid in d.get_delegated_role(r).keyids for d in self._delegators(r))]

    def sign(self, signer: Signer) -> list[str]:
        """Sign all staged metadata that the key may sign. Returns the roles that were signed.

        Raises StartError, also if the staged metadata changed since the signer inspected it.
        """
        signed = self.signable(signer.public_key.keyid)
        if self.held is not None and self.looked_at(signer.public_key, STAGED).held != self.held:
            raise StartError(f"{self.folder}: what is staged was changed while you looked; look at it again, then sign")
        for role in signed:
            metadata = self.newest(role)
            metadata.sign(signer, append=True)
            self._stage(role, metadata)
        return signed

    # --- 3 publish -----------------------------------------------------------------------------------------------

    def publish(self, online: Signer, now: datetime, days: Mapping[str, int] = DAYS) -> list[str]:
        """Publish what is staged, or only renew snapshot and timestamp. Returns the roles that are new.

        A crash leaves files and metadata that no timestamp refers to, except a root, which is found by its number.
        Between those two files nothing verifies that a replaced key signed. Publishing again completes it. Raises
        StartError.
        """
        ready = [role for role in STAGED if self.staged(role) is not None]
        for role in STAGED:
            if (role in ready or self.published(role)) and (missing := self.missing(role)):
                raise StartError(f"{self.folder}: {role} is not signed by {' and '.join(missing)} yet")
        root, staged = self.newest(ROOT).signed, {role: self.newest(role) for role in ready}
        for name in (SNAPSHOT, TIMESTAMP):
            if online.public_key.keyid not in root.roles[name].keyids:
                raise StartError(f"{name} is not signed with this key; root names {', '.join(root.roles[name].keyids)}")
        with self._readable():
            for metadata in staged.values():
                for info in metadata.signed.targets.values() if isinstance(metadata.signed, Targets) else ():
                    put(self._target(info), self._content(info))
            for role in (*HOLDERS, TARGETS):
                self._put(role, staged)
            timestamp = self._times(online, now, days) if self.published(TARGETS) else None
            self._put(ROOT, staged)
            if timestamp is not None:
                put(self.folder / "metadata/timestamp.json", timestamp)  # until now nobody sees any but root
            shutil.rmtree(self.folder / "staged", ignore_errors=True)
        return ready

    def _put(self, role: str, staged: Mapping[str, Metadata[Any]]) -> None:
        if role in staged:
            put(self.folder / f"metadata/{staged[role].signed.version}.{role}.json", staged[role].to_bytes())

    def _times(self, online: Signer, now: datetime, days: Mapping[str, int]) -> bytes:
        """Put a new snapshot; the timestamp that leads to it."""
        named = {f"{role}.json": meta(self._bytes(role)) for role in (TARGETS, *HOLDERS)}
        before = self.published(SNAPSHOT)
        snapshot = Metadata(Snapshot((before.signed.version if before else 0) + 1, expires=after(now, days[SNAPSHOT])))
        snapshot.signed.meta = named
        snapshot.sign(online)
        data = snapshot.to_bytes()
        put(self.folder / f"metadata/{snapshot.signed.version}.snapshot.json", data)
        last = self.published(TIMESTAMP)
        timestamp = Timestamp((last.signed.version if last else 0) + 1, expires=after(now, days[TIMESTAMP]))
        timestamp.snapshot_meta = meta(data)
        stamped = Metadata(timestamp)
        stamped.sign(online)
        return stamped.to_bytes()

    def _stage(self, role: str, metadata: Metadata[Any]) -> None:
        with self._readable():
            put(self.folder / f"staged/{role}.json", metadata.to_bytes())

    def _keep(self, info: TargetFile, data: bytes) -> None:
        with self._readable():
            there = self._target(info)
            if not there.exists() or there.read_bytes() != data:
                put(self._target(info, "staged/targets"), data)
