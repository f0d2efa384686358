"""Both holders of signed releases, and an attacker with some of their keys. Repository and client are the real ones.

signing = Signing.create(folder)          # keys of both, a repository, its trusted root
signing.release()                         # both sign the next release, and it is published
signing.client().load()                   # what a gateway sees
signing.force({"provider"})               # published even without all signatures
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import Key, Metadata, MetaFile, Snapshot, Targets, Timestamp

from gateway.canonical import Json, canonical
from gateway.release import keyfiles
from gateway.release.client import Client
from gateway.release.fetching import FOLDER, Folder
from gateway.release.keyfiles import NAMES
from gateway.release.parts import AGENCY, HOLDERS
from gateway.release.repository import DAYS, Repository
from tests.support import releases

CHECKS: Json = {
    "bases": {"any": {"use": "fine"}},
    "vectors": [
        {"id": "one", "base": "any", "effect": "allow", "rules": []},
        {"id": "two", "base": "any", "set": {"use": "bad"}, "effect": "deny", "rules": ["a_rule"]},
    ],
}


class Careless(Repository):
    """Publishes without all signatures, as anybody with the online key could by hand."""

    def missing(self, role: str) -> list[str]:  # noqa: ARG002 - whatever it is
        return []


@dataclass
class Signing:
    """Contains keys/, repository/, root.json and a folder for each gateway. now: the signers' clock."""

    folder: Path
    now: datetime
    version: int = 0

    @classmethod
    def create(cls, folder: Path, now: datetime | None = None) -> Signing:
        made = cls(folder, now or datetime.now(UTC))
        keys: list[tuple[str, Key]] = [(n, made.key(h, n)) for n, who in NAMES.items() for h in who or HOLDERS]
        made.repository.init(keys, made.now)
        made.sign(names=("root",))
        made.publish()
        shutil.copyfile(made.repository.folder / "metadata/1.root.json", folder / "root.json")
        return made

    @property
    def repository(self) -> Repository:
        return Repository(self.folder / "repository")

    @property
    def root(self) -> bytes:
        return (self.folder / "root.json").read_bytes()

    def key(self, holder: str, name: str, at: str = "keys") -> Key:
        return keyfiles.create(self.folder / at / holder, holder, name, "")

    def signer(self, holder: str, name: str, at: str = "keys") -> Any:
        return keyfiles.signer(str(self.folder / at / holder / f"{name}.key"), str)

    def files(self, **documents: Json) -> dict[str, bytes]:
        """A small release with its manifest. documents replace its JSON documents by name."""
        made = releases.files(**{"vectors": CHECKS, **documents})
        self.version += 1
        named: dict[str, Json] = {name: hashlib.sha256(raw).hexdigest() for name, raw in made.items()}
        manifest: dict[str, Json] = {"format": 1, "version": self.version, "signers": [], "files": named}
        return {**made, "manifest.json": canonical({**manifest, "revision": releases.REVISION})}

    def stage(self, **documents: Json) -> None:
        self.repository.stage(self.files(**documents), {"version": self.version}, self.now)

    def sign(self, holders: Iterable[str] = HOLDERS, names: Iterable[str] = ("release",), at: str = "keys") -> None:
        for holder in holders:
            for name in names:
                self.repository.sign(self.signer(holder, name, at))

    def publish(self, days: Mapping[str, int] = DAYS) -> None:
        self.repository.publish(self.signer(AGENCY, "online"), self.now, days)

    def release(self, **documents: Json) -> None:
        self.stage(**documents)
        self.sign()
        self.publish()

    def add(self, holder: str, name: str, at: str) -> None:
        """Sign the staged targets with any key."""
        metadata = self.repository.newest("targets")
        metadata.sign(self.signer(holder, name, at), append=True)
        (self.repository.folder / "staged/targets.json").write_bytes(metadata.to_bytes())

    def force(self, holders: Iterable[str] = (), names: Iterable[str] = ("release",), at: str = "keys") -> None:
        """Sign what is staged for these holders, then publish it, whatever is missing."""
        self.sign(holders, names, at)
        Careless(self.repository.folder).publish(self.signer(AGENCY, "online"), self.now)

    def client(self, gateway: str = "gateway") -> Client:
        """A gateway with the pinned trusted root and its own trusted metadata."""
        folder = self.repository.folder
        return Client(str(folder), Folder(folder), FOLDER, self.root, self.folder / gateway)

    # --- what an attacker does, with the files and maybe the online key -------------------------------------------

    @property
    def metadata(self) -> Path:
        return self.repository.folder / "metadata"

    def kept(self, name: str = "kept") -> Path:
        """A copy of the repository as it is now."""
        return Path(shutil.copytree(self.repository.folder, self.folder / name))

    def serve(self, copy: Path) -> None:
        """Put that copy in the repository's place."""
        shutil.rmtree(self.repository.folder)
        shutil.copytree(copy, self.repository.folder)

    def edit(self, role: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the newest published metadata of a role, without signing it again."""
        path = self.newest(role)
        value = json.loads(path.read_bytes())
        change(value["signed"])
        path.write_text(json.dumps(value))

    def newest(self, role: str) -> Path:
        if role == "timestamp":
            return self.metadata / "timestamp.json"
        return max(self.metadata.glob(f"*.{role}.json"), key=lambda p: int(p.name.partition(".")[0]))

    def online(self, change: Callable[[Snapshot], object] = lambda _: None, signer: Any = None) -> None:
        """With the online key: publish a changed snapshot and a new timestamp."""
        signer = signer or self.signer(AGENCY, "online")
        snapshot = Metadata[Snapshot].from_file(str(self.newest("snapshot")))
        snapshot.signed.version += 1
        change(snapshot.signed)
        snapshot.sign(signer)
        (self.metadata / f"{snapshot.signed.version}.snapshot.json").write_bytes(snapshot.to_bytes())
        self.stamp(snapshot.to_bytes(), signer)

    def stamp(self, snapshot: bytes, signer: Any = None) -> None:
        """With the online key: publish a new timestamp for that snapshot."""
        timestamp = Metadata[Timestamp].from_file(str(self.newest("timestamp")))
        timestamp.signed.version += 1
        timestamp.signed.snapshot_meta = meta(snapshot)
        timestamp.signed.expires = (self.now + timedelta(days=14)).replace(microsecond=0)
        timestamp.sign(signer or self.signer(AGENCY, "online"))
        (self.metadata / "timestamp.json").write_bytes(timestamp.to_bytes())

    def put(self, metadata: Metadata[Targets], role: str) -> None:
        """Publish metadata as it is, under its version."""
        (self.metadata / f"{metadata.signed.version}.{role}.json").write_bytes(metadata.to_bytes())


def meta(data: bytes) -> MetaFile:
    version: int = Metadata.from_bytes(data).signed.version
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def named(path: Path) -> MetaFile:
    """The entry of a snapshot for the metadata in this file."""
    return meta(path.read_bytes())
