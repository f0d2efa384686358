"""The published and staged contents of a repository, as a signer sees them. repository.py changes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Key, Metadata, Root, TargetFile, Targets

from gateway.errors import StartError
from gateway.release import holders
from gateway.release.documents import MANIFEST
from gateway.release.holders import ROOT, TARGETS, TIMESTAMP
from gateway.release.parts import HOLDERS, holder_of, target
from gateway.release.restrictions import NAME as RESTRICTIONS


@dataclass(frozen=True, slots=True)
class Shelf:
    """A read-only view of the folder.

    by: the signer's key. held: the staged metadata that the signer was shown, read once because others may write to the
    folder meanwhile. What this key signed before counts as what the signer knows to be published.
    """

    folder: Path
    by: Key | None = None
    held: Mapping[str, bytes] | None = None

    def looked_at(self, by: Key, roles: tuple[str, ...]) -> Self:
        """The same view for the signer `by`, with the staged metadata of these roles frozen as it is now.

        Raises StartError.
        """
        with self._readable():
            paths = {role: self.folder / f"staged/{role}.json" for role in roles}
            return replace(self, by=by, held={role: p.read_bytes() for role, p in paths.items() if p.exists()})

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StartError(f"{error.filename or self.folder}: {error.strerror}") from error
        except (RepositoryError, ValueError, KeyError) as error:
            raise StartError(f"{self.folder}: is no repository, or was changed by hand: {error}") from error

    def published(self, role: str) -> Metadata[Any] | None:
        """The newest published metadata of the role, or None. Raises StartError."""
        if role == TIMESTAMP:
            return self._read(self.folder / "metadata/timestamp.json")
        versions = [version(p) for p in (self.folder / "metadata").glob(f"*.{role}.json")]
        return self._read(self.folder / f"metadata/{max(versions)}.{role}.json") if versions else None

    def staged(self, role: str) -> Metadata[Any] | None:
        """The metadata of the role that waits for signatures, or None. Raises StartError."""
        if self.held is not None:
            with self._readable():
                return Metadata.from_bytes(self.held[role]) if role in self.held else None
        return self._read(self.folder / f"staged/{role}.json")

    def newest(self, role: str) -> Metadata[Any]:
        """The staged metadata of the role, otherwise the published one. Raises StartError if there is neither."""
        found = self.staged(role) or self.published(role)
        if found is None:
            raise StartError(f"{self.folder}: has no {role}; begin with `brightline release init`")
        return found

    def file(self, name: str, *, staged: bool = False) -> bytes | None:
        """A file of the staged or the published release, by its name in the release. Raises StartError."""
        metadata = self._of(name, staged)
        info = metadata.signed.targets.get(target(name)) if metadata else None
        return self._content(info) if info else None

    def signed_before(self, role: str) -> Metadata[Any] | None:
        """The newest published metadata of the role that the viewing signer signed, or None. Raises StartError."""
        paths = sorted((self.folder / "metadata").glob(f"*.{role}.json"), key=version, reverse=True)
        return next((found for found in map(self._read, paths) if found and self._own(found)), None)

    def agreed(self) -> dict[str, bytes]:
        """Every file of the newest release that both holders signed, its manifest included; empty if there is none.

        The newest published metadata may lack their signatures, because the online key alone can publish. Changes are
        therefore shown against this release. Raises StartError.
        """
        found = self.agreed_targets()
        return self._named(found.signed.targets[MANIFEST]) if found else {}

    def agreed_targets(self) -> Metadata[Any] | None:
        """The metadata of that release. Only metadata that the viewing signer signed counts, if it has signed any.

        Raises StartError.
        """
        own = self.signed_before(TARGETS) is not None
        roots = [self._read(path) for path in (self.folder / "metadata").glob("*.root.json")]
        for path in sorted((self.folder / "metadata").glob("*.targets.json"), key=version, reverse=True):
            metadata = self._read(path)
            signed = [set(holders.signers(root.signed, TARGETS, metadata)) for root in roots if root and metadata]
            if metadata is not None and set(HOLDERS) in signed and (not own or self._own(metadata)):
                return metadata
        return None

    def _own(self, metadata: Metadata[Any]) -> bool:
        if self.by is None or self.by.keyid not in metadata.signatures:
            return False
        try:
            self.by.verify_signature(metadata.signatures[self.by.keyid], metadata.signed_bytes)
        except (UnverifiedSignatureError, VerificationError):
            return False
        return True

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
        """Every file of the published or the staged release, its manifest included; empty if there is none.

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
        """The custom part of the manifest's target: the changes and their computed effect. Raises StartError."""
        metadata = self._of(MANIFEST, staged)
        info = metadata.signed.targets.get(MANIFEST) if metadata else None
        return dict(info.custom or {}) if info else {}

    def missing(self, role: str) -> list[str]:
        """The holders whose signature the staged metadata still lacks. Raises StartError."""
        metadata = self.newest(role)
        return sorted(
            {h for d in self._delegators(role) for h in _wanted(role) - set(holders.signers(d, role, metadata))}
        )

    def _of(self, name: str, staged: bool) -> Metadata[Any] | None:
        role = holder_of(name) or TARGETS
        return (self.staged(role) if staged else None) or self.published(role)

    def _delegators(self, role: str) -> list[Root | Targets]:
        """The metadata that names the role's keys. For a root this includes the previous root."""
        root = self.newest(ROOT).signed
        if role in HOLDERS:
            return [self.newest(TARGETS).signed]
        before = self.published(ROOT) if role == ROOT else None
        return [before.signed, root] if before else [root]

    def _read(self, path: Path) -> Metadata[Any] | None:
        with self._readable():
            return Metadata.from_bytes(path.read_bytes()) if path.exists() else None

    def _bytes(self, role: str) -> bytes:
        found = self.published(role)
        if found is None:
            raise StartError(f"{self.folder}: {role} was never published")
        return (self.folder / f"metadata/{found.signed.version}.{role}.json").read_bytes()

    def _target(self, info: TargetFile, below: str = "targets") -> Path:
        place, _, name = info.path.rpartition("/")
        return self.folder / below / place / f"{info.hashes['sha256']}.{name}"

    def _content(self, info: TargetFile) -> bytes:
        staged = self._target(info, "staged/targets")
        with self._readable():
            data = (staged if staged.exists() else self._target(info)).read_bytes()
            info.verify_length_and_hashes(data)
            return data


def _wanted(role: str) -> set[str]:
    return set(HOLDERS) if role in {ROOT, TARGETS} else {role}


def version(path: Path) -> int:
    """The version of a metadata file, from its name; 0 if the name has none."""
    number = path.name.partition(".")[0]
    return int(number) if number.isdigit() else 0
