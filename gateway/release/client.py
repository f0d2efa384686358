"""Reads a signed release. python-tuf verifies it, and this module checks what TUF leaves open before anything is used.

1 refresh: the chain of roots from the pinned one, timestamp, snapshot and top-level targets, none older than before
2 every root of that chain, and the delegations, give each holder exactly one key (holders.py)
3 both holders signed the top-level targets, and each delegated role is within its holder's own paths
4 the manifest is a target that both signed; every file in it is a target of the holder that owns the file, and the
  file's length and digest match both the signed metadata and the manifest
5 the rest is read like any release (reading.py)
6 restrictions that one holder signed alone are applied; nothing that one holder signs alone adds anything
  (restrictions.py)
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import DownloadError, RepositoryError, UnsignedMetadataError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from gateway import atomic_files
from gateway.errors import StartError
from gateway.release import folder, history, reading, restrictions
from gateway.release.documents import MANIFEST, VECTORS
from gateway.release.holders import TARGETS
from gateway.release.parts import HOLDERS, target
from gateway.release.trusted import alone
from gateway.release.tuf_refresh import CACHE, State, Trusted, View
from gateway.types import Release

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KEYS: Final = "release.repository, release.url"


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a look at the repository.

    release: None if nothing changed but expiry times. state: see tuf_refresh.py. expires_us: when the signed metadata
    expires.
    """

    release: Release | None
    state: State
    expires_us: int | None


class Client:
    """One gateway's view of a repository.

    folder: the gateway's own trusted metadata; created if missing.
    root: the trusted root that was pinned at deployment, as the bytes of a root.json.
    address: the prefix of every file name.
    """

    def __init__(self, name: str, fetcher: FetcherInterface, address: str, root: bytes, folder: Path) -> None:
        self._name = name
        self._view = View(fetcher, address, root, folder)
        self._folder = folder

    def load(self, pinned: str | None = None) -> Release:
        """The release that the repository publishes now. Raises StartError."""
        release = self.find(pinned).release
        if release is None:
            raise TypeError("nothing was known")
        return release

    def find(self, pinned: str | None = None, known: State = ()) -> Found:
        """Refresh, and read the release only if more than expiry times changed since `known`. Raises StartError."""
        try:
            with alone(self._folder):
                trusted = self._view.refresh()
                if trusted.state == known:
                    return Found(None, trusted.state, trusted.expires_us)
                loaded = self._release(trusted, pinned)
                history.keep(self._folder, trusted.versions[TARGETS])
                steps = history.read(self._folder, trusted.roots)
        except (RepositoryError, DownloadError) as error:
            raise StartError(f"{_KEYS}: {self._name}: {_said(error)}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StartError(f"release.metadata: {self._folder}: {type(error).__name__}: {error}") from error
        found = _as_of(replace(loaded, steps=(*steps, *loaded.steps)), trusted)
        return Found(found, trusted.state, trusted.expires_us)

    def notes(self) -> dict[str, Any]:
        """The signed notes on the change: the custom part of the manifest's target. Raises StartError."""
        try:
            with alone(self._folder):
                return self._view.refresh().notes
        except (RepositoryError, DownloadError, OSError, ValueError, KeyError, TypeError) as error:
            raise StartError(f"{_KEYS}: {self._name}: {_said(error)}") from error

    def extract(self, to: Path) -> None:
        """Write the files that both holders signed into a new folder: all of them or none. Raises StartError."""
        self.load()
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.parent))
            try:
                with alone(self._folder):
                    self._copy(to, draft)
                draft.chmod(0o755)
                # A crash before this line leaves a draft, whose name starts with a dot. After it, all is there.
                draft.rename(to)
                atomic_files.sync(to.parent)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise StartError(f"{to}: cannot be written: {error.strerror}") from error

    def _copy(self, to: Path, draft: Path) -> None:
        manifest = (self._folder / CACHE / str(self._view.refresh().state[0])).read_bytes()
        named = reading.named(to, manifest, None)[0].files
        for name, digest in {**named, MANIFEST: hashlib.sha256(manifest).hexdigest()}.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._folder / CACHE / digest, draft / name)
        for made in (draft, *draft.rglob("*")):
            atomic_files.sync(made)

    def _release(self, trusted: Trusted, pinned: str | None) -> Release:
        where = Path(f"{self._name}: release")
        raw = self._file(trusted.updater, MANIFEST, folder.MAX_BYTES)  # 4
        manifest, found = reading.named(where, raw, pinned)
        budget, files = folder.MAX_BYTES - len(raw), {}
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
        """The restrictions of each holder that has published any, by holder."""
        names = {holder: f"{holder}/{restrictions.NAME}" for holder in HOLDERS}
        there = {h: name for h, name in names.items() if updater.get_targetinfo(name) is not None}
        return {holder: self._file(updater, name, restrictions.MAX_BYTES) for holder, name in there.items()}

    def _file(self, updater: Updater, name: str, budget: int, wanted: str = "") -> bytes:
        """The bytes of a target, checked against its signed metadata and against the manifest's digest (`wanted`)."""
        info = updater.get_targetinfo(name)
        if info is None:
            raise StartError(f"{self._name}: {name}: is no target of this release; whose part it is has removed it")
        digest = info.hashes.get("sha256", "")
        if (wanted and digest != wanted) or not _SHA256.fullmatch(digest):
            raise StartError(f"{self._name}: {name}: is not the file that both signed")
        if info.length > budget:
            raise StartError(f"{self._name}: {name}: the release is larger than {folder.MAX_BYTES} bytes")
        path = str(self._folder / CACHE / digest)
        if updater.find_cached_target(info, path) is None:
            # A crash during the download leaves a file that does not match its signature; it is fetched again.
            updater.download_target(info, path)
        data = Path(path).read_bytes()
        info.verify_length_and_hashes(data)
        return data

    def _prune(self, kept: set[str]) -> None:
        """Delete every cached file whose digest is not in `kept`."""
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


def _said(error: Exception) -> str:
    words = str(error) or "no more is known"
    unknown = "; is release.root of this repository?" if isinstance(error, UnsignedMetadataError) else ""
    return f"{type(error).__name__}: {words}{unknown}"
