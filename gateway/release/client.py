"""Reads a signed release. python-tuf verifies; what TUF leaves open is checked here, and nothing is used before that.

1 refresh: the chain of roots from the pinned one, timestamp, snapshot and top-level targets, none older than before
2 every root of that chain, and the delegations, give each holder exactly one key (holders.py)
3 both holders signed the top-level targets, and what each holder alone signs is within its own paths
4 the manifest is a target of both; every file that it names is a target of the holder whose part it is, and has the
  length and digest of both signatures and manifest
5 from there on it is read like any release (reading.py)
6 what a holder alone took away since is taken away; nothing that one holder signs adds anything (restrictions.py)
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from gateway.errors import StartError
from gateway.release import history, holders, reading, restrictions
from gateway.release.documents import MANIFEST, VECTORS
from gateway.release.holders import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from gateway.release.parts import HOLDERS, target
from gateway.types import Release, Signature

BOUNDS: Final = UpdaterConfig(max_root_rotations=256, targets_max_length=16 << 20, snapshot_max_length=1 << 20)
CACHE: Final = "targets"
LOCK: Final = ".lock"
LOCK_WAIT_S: Final = 60.0
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Verified metadata. versions: of each role; state: what tells one release of the repository from another.

    notes: what is signed of the change. roots: the chain, the pinned one first.
    """

    updater: Updater
    versions: dict[str, int]
    signatures: tuple[Signature, ...]
    expires_us: int
    state: tuple[Any, ...]
    notes: dict[str, Any]
    roots: tuple[Root, ...]


class Client:
    """One gateway's view of a repository. folder: its trusted metadata, which is its own; it is made when missing.

    root: the trusted root that was pinned at deployment, bytes of a root.json. address: what comes before file names.
    """

    def __init__(self, name: str, fetcher: FetcherInterface, address: str, root: bytes, folder: Path) -> None:
        self._name = name
        self._fetcher = fetcher
        self._address = address
        self._root = root
        self._folder = folder
        self._last: tuple[tuple[Any, ...], Release] | None = None

    def load(self, pinned: str | None = None) -> Release:
        """What is signed there now; read again only when more than times changed. Raises StartError."""
        try:
            with _alone(self._folder):
                trusted = self._refresh()
                if self._last is None or self._last[0] != trusted.state:
                    loaded = self._release(trusted, pinned)
                    history.keep(self._folder, trusted.versions[TARGETS])
                    steps = history.read(self._folder, trusted.roots)
                    self._last = trusted.state, replace(loaded, steps=(*steps, *loaded.steps))
        except (RepositoryError, DownloadError) as error:
            raise StartError(f"release.source: {self._name}: {_said(error)}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StartError(f"release.metadata: {self._folder}: {type(error).__name__}: {error}") from error
        return _as_of(self._last[1], trusted)

    def notes(self) -> dict[str, Any]:
        """What the signed metadata says of the change: the custom part of the manifest. Raises StartError."""
        try:
            with _alone(self._folder):
                return self._refresh().notes
        except (RepositoryError, DownloadError, OSError, ValueError, KeyError, TypeError) as error:
            raise StartError(f"release.source: {self._name}: {_said(error)}") from error

    def extract(self, to: Path) -> None:
        """Write the files that both signed into a new folder. Raises StartError."""
        self.load()
        with _alone(self._folder):
            manifest = (self._folder / CACHE / str(self._refresh().state[0])).read_bytes()
            named = reading.named(to, manifest, None)[0].files
            for name, digest in {**named, MANIFEST: hashlib.sha256(manifest).hexdigest()}.items():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._folder / CACHE / digest, to / name)

    def _refresh(self) -> Trusted:
        holders.check_root(Metadata[Root].from_bytes(self._root).signed)
        updater = Updater(
            metadata_dir=str(self._folder),
            metadata_base_url=f"{self._address}metadata/",
            target_base_url=f"{self._address}targets/",
            target_dir=str(self._folder / CACHE),
            fetcher=self._fetcher,
            config=BOUNDS,
            bootstrap=self._root,
        )
        updater.refresh()  # 1
        roots, revoked = self._roots()  # 2
        targets = Metadata[Targets].from_file(str(self._folder / "targets.json"))
        signed = holders.check_targets(roots[-1], targets, revoked)  # 3
        for holder in HOLDERS:
            updater.get_targetinfo(f"{holder}/")  # fetches and verifies the role
        # A crash while metadata is written leaves old and new files, each whole or missing; what can't be verified is
        # fetched again, and what was in force is remembered by the log.
        _durable(self._folder)
        return self._trusted(updater, roots, targets, signed)

    def _trusted(
        self, updater: Updater, roots: tuple[Root, ...], targets: Metadata[Targets], signed: dict[str, str]
    ) -> Trusted:
        root = roots[-1]
        signatures = [Signature(holder, TARGETS, key) for holder, key in sorted(signed.items())]
        versions = {ROOT: root.version, TARGETS: targets.signed.version}
        expiries = [root.expires, targets.signed.expires]
        for holder in HOLDERS:
            own = Metadata[Targets].from_file(str(self._folder / f"{holder}.json"))
            if own.signed.delegations is not None:
                raise StartError(f"{holder} version {own.signed.version}: delegates further; a holder signs its own")
            signatures += [Signature(h, holder, k) for h, k in holders.signers(targets.signed, holder, own).items()]
            versions[holder] = own.signed.version
            expiries.append(own.signed.expires)
        snapshot = Metadata[Snapshot].from_file(str(self._folder / "snapshot.json")).signed
        timestamp = Metadata[Timestamp].from_file(str(self._folder / "timestamp.json")).signed
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

    def _roots(self) -> tuple[tuple[Root, ...], frozenset[str]]:
        """The roots from the pinned one to the last, and the keys that any of them revoked."""
        root: Metadata[Root] = Metadata[Root].from_bytes(self._root)
        chain, revoked = [root.signed], holders.check_root(root.signed)
        last = Metadata[Root].from_file(str(self._folder / "root.json")).signed.version
        for version in range(root.signed.version + 1, last + 1):
            before, root = root, Metadata[Root].from_file(str(self._folder / f"root_history/{version}.root.json"))
            for delegator in (before.signed, root.signed):
                missing = set(HOLDERS) - set(holders.signers(delegator, ROOT, root))
                if missing:
                    raise StartError(f"root version {version}: is not signed by {' and '.join(sorted(missing))}")
            revoked = holders.check_root(root.signed, revoked)
            chain.append(root.signed)
        return tuple(chain), revoked

    def _release(self, trusted: Trusted, pinned: str | None) -> Release:
        where = Path(f"{self._name}: release")
        raw = self._file(trusted.updater, MANIFEST, reading.MAX_BYTES)  # 4
        manifest, found = reading.named(where, raw, pinned)
        budget, files = reading.MAX_BYTES - len(raw), {}
        for name in (*reading.REQUIRED, VECTORS):
            if name not in manifest.files:
                raise StartError(f"{where / name}: is missing from the release; a signed release has it")
        for name, wanted in manifest.files.items():
            files[name] = self._file(trusted.updater, target(name), budget, wanted)
            budget -= len(files[name])
        agreed = reading.whole(where, manifest, found, files)  # 5
        narrower = self._restrictions(trusted.updater)
        self._prune(
            {*manifest.files.values(), *(hashlib.sha256(data).hexdigest() for data in (raw, *narrower.values()))}
        )
        return restrictions.apply(where, agreed, narrower)  # 6

    def _restrictions(self, updater: Updater) -> dict[str, bytes]:
        """What each holder alone took away since both signed, where it did."""
        names = {holder: f"{holder}/{restrictions.NAME}" for holder in HOLDERS}
        there = {h: name for h, name in names.items() if updater.get_targetinfo(name) is not None}
        return {holder: self._file(updater, name, restrictions.MAX_BYTES) for holder, name in there.items()}

    def _file(self, updater: Updater, name: str, budget: int, wanted: str = "") -> bytes:
        """The bytes of a target, once they are what its role signed, and what the manifest names."""
        info = updater.get_targetinfo(name)
        if info is None:
            raise StartError(f"{self._name}: {name}: is no target of this release; whose part it is has removed it")
        digest = info.hashes.get("sha256", "")
        if (wanted and digest != wanted) or not _SHA256.fullmatch(digest):
            raise StartError(f"{self._name}: {name}: is not the file that both signed")
        if info.length > budget:
            raise StartError(f"{self._name}: {name}: the release is larger than {reading.MAX_BYTES} bytes")
        path = str(self._folder / CACHE / digest)
        if updater.find_cached_target(info, path) is None:
            # Crash while it is written: a file that is not what was signed, and is fetched again.
            updater.download_target(info, path)
        data = Path(path).read_bytes()
        info.verify_length_and_hashes(data)
        return data

    def _prune(self, kept: set[str]) -> None:
        """Leave these files in the cache, by their digests, and no others."""
        for path in (self._folder / CACHE).iterdir():
            if path.name not in kept:
                path.unlink()


def _as_of(release: Release, trusted: Trusted) -> Release:
    return replace(
        release,
        signers=tuple(sorted({s.holder for s in trusted.signatures if s.role == TARGETS})),
        signatures=trusted.signatures,
        metadata=trusted.versions,
        expires_us=trusted.expires_us,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else refreshes into this folder meanwhile; what a crash of theirs left half written is removed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > give_up:
                    raise StartError(f"release.metadata: {folder}: another gateway refreshes without end") from error
                time.sleep(0.02)
        for left in folder.glob("tmp*"):
            left.unlink()
        yield
    finally:
        os.close(descriptor)


def _durable(folder: Path) -> None:
    for path in (*folder.glob("*.json"), folder / "root_history", *folder.glob("root_history/*.json"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _said(error: Exception) -> str:
    words = str(error) or "no more is known"
    return f"{type(error).__name__}: {words}"
