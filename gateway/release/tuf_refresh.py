"""Steps 1 to 3 of client.py: refreshes a repository's metadata with python-tuf, and counts signatures by holder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from gateway.errors import StartError
from gateway.release import holders
from gateway.release.documents import MANIFEST
from gateway.release.holders import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from gateway.release.parts import HOLDERS
from gateway.release.trusted import durable
from gateway.types import Signature

BOUNDS: Final = UpdaterConfig(max_root_rotations=256, targets_max_length=16 << 20, snapshot_max_length=1 << 20)
CACHE: Final = "targets"


State = tuple[Any, ...]
"""Identifies a release of a repository: the manifest's digest and the versions of the holders' roles."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Verified metadata. versions: by role. state: see State.

    notes: the signed notes on the change. roots: the chain, beginning with the pinned one.
    """

    updater: Updater
    versions: dict[str, int]
    signatures: tuple[Signature, ...]
    expires_us: int
    state: State
    notes: dict[str, Any]
    roots: tuple[Root, ...]


def read_root(data: bytes, where: str) -> Metadata[Root]:
    """The trusted root. python-tuf parses every role as one. Raises StartError."""
    try:
        root = Metadata[Root].from_bytes(data)
    except RepositoryError:
        root = None
    if root is None or not isinstance(root.signed, Root):
        raise StartError(f"{where}: is no root.json; `brightline release init` made the first")
    return root


@dataclass(frozen=True, slots=True)
class View:
    """One gateway's view of a repository. folder: its trusted metadata. root: the trusted root that was pinned.

    address: the prefix of every file name.
    """

    fetcher: FetcherInterface
    address: str
    root: bytes
    folder: Path

    def refresh(self) -> Trusted:
        """The metadata that the repository publishes now, verified. Raises StartError and python-tuf's errors."""
        holders.check_root(read_root(self.root, "release.root").signed)
        updater = Updater(
            metadata_dir=str(self.folder),
            metadata_base_url=f"{self.address}metadata/",
            target_base_url=f"{self.address}targets/",
            target_dir=str(self.folder / CACHE),
            fetcher=self.fetcher,
            config=BOUNDS,
            bootstrap=self.root,
        )
        updater.refresh()  # 1
        roots = self._roots()  # 2
        targets = Metadata[Targets].from_bytes((self.folder / "targets.json").read_bytes())
        signed = holders.check_targets(roots[-1], targets)  # 3
        for holder in HOLDERS:
            updater.get_targetinfo(f"{holder}/")  # fetches and verifies the role
        # A crash while metadata is written leaves files that are old, new or missing, each whole. What can't be
        # verified is fetched again, and the log remembers what was in force.
        durable(self.folder)
        return self._trusted(updater, roots, targets, signed)

    def _trusted(
        self, updater: Updater, roots: tuple[Root, ...], targets: Metadata[Targets], signed: dict[str, str]
    ) -> Trusted:
        root = roots[-1]
        signatures = [Signature(holder, TARGETS, key) for holder, key in sorted(signed.items())]
        versions = {ROOT: root.version, TARGETS: targets.signed.version}
        expiries = [root.expires, targets.signed.expires]
        for holder in HOLDERS:
            own = Metadata[Targets].from_bytes((self.folder / f"{holder}.json").read_bytes())
            if own.signed.delegations is not None:
                raise StartError(f"{holder} version {own.signed.version}: delegates further; a holder signs its own")
            signatures += [Signature(h, holder, k) for h, k in holders.signers(targets.signed, holder, own).items()]
            versions[holder] = own.signed.version
            expiries.append(own.signed.expires)
        snapshot = Metadata[Snapshot].from_bytes((self.folder / "snapshot.json").read_bytes()).signed
        timestamp = Metadata[Timestamp].from_bytes((self.folder / "timestamp.json").read_bytes()).signed
        versions |= {SNAPSHOT: snapshot.version, TIMESTAMP: timestamp.version}
        first = min([*expiries, snapshot.expires, timestamp.expires])
        manifest = targets.signed.targets.get(MANIFEST)
        return Trusted(
            updater,
            versions,
            tuple(signatures),
            int(first.replace(tzinfo=UTC).timestamp()) * 1_000_000,
            (manifest.hashes.get("sha256") if manifest else None, *(versions[holder] for holder in HOLDERS)),
            dict(manifest.custom or {}) if manifest else {},
            roots,
        )

    def _roots(self) -> tuple[Root, ...]:
        """The roots from the pinned one to the newest. None of them has a key that an earlier one revoked."""
        root = read_root(self.root, "release.root")
        chain, revoked = [root.signed], holders.check_root(root.signed)
        last = Metadata[Root].from_bytes((self.folder / "root.json").read_bytes()).signed.version
        for version in range(root.signed.version + 1, last + 1):
            path = self.folder / f"root_history/{version}.root.json"
            before, root = root, Metadata[Root].from_bytes(path.read_bytes())
            for delegator in (before.signed, root.signed):
                missing = set(HOLDERS) - set(holders.signers(delegator, ROOT, root))
                if missing:
                    raise StartError(f"root version {version}: is not signed by {' and '.join(sorted(missing))}")
            revoked = holders.check_root(root.signed, revoked)
            chain.append(root.signed)
        return tuple(chain)
