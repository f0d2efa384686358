"""Helpers that make metadata for signers, and write whole files."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root

from gateway import atomic_files
from gateway.release import holders
from gateway.release.holders import TARGETS
from gateway.release.parts import HOLDERS, paths


def delegations(root: Root) -> Delegations:
    """One delegation for each holder, over its own paths, with the key that the holder signs targets with."""
    keys = {holders.of(root.keys[keyid]): root.keys[keyid] for keyid in root.roles[TARGETS].keyids}
    roles = {h: DelegatedRole(h, [keys[h].keyid], 1, terminating=True, paths=paths(h)) for h in HOLDERS}
    return Delegations({key.keyid: key for key in keys.values()}, roles)


def meta(data: bytes) -> MetaFile:
    """The entry for this metadata in a snapshot or a timestamp."""
    version: int = Metadata.from_bytes(data).signed.version
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def after(now: datetime, days: int) -> datetime:
    """The time that many days later, in whole seconds."""
    return now.replace(microsecond=0) + timedelta(days=days)


def put(path: Path, data: bytes) -> None:
    """Write the file whole and durably, unless it exists. Raises OSError."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(path, data)
