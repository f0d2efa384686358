"""Remembers the newest signed release that was in force, from the log, so that no older release comes in force again.

A gateway's trusted metadata can be lost or restored from a backup, and with it what TUF compares with. The log is
protected by its tree and, if configured, a lock store. It says what was in force, and is consulted first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.canonical import Json, NotCanonicalError, parse
from gateway.errors import StartError
from gateway.types import Release

_CONTENT: Final = ("targets", "provider", "agency")
"""The roles whose versions together identify the content of a release."""


@dataclass(frozen=True, slots=True)
class RollbackGuard:
    """The newest signed release. versions: of each role of its metadata; empty if there was no signed release."""

    digest: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)

    def check(self, fresh: Release) -> None:
        """Raise StartError for a signed release that is older than this one, or differs but has the same version."""
        if not fresh.metadata or not self.versions:
            return
        older = sorted(role for role, version in self.versions.items() if fresh.metadata.get(role, 0) < version)
        if older:
            role = older[0]
            raise StartError(
                f"release: {role} version {fresh.metadata.get(role, 0)} is older than {self.versions[role]}, which the "
                "log says was in force; whoever signs releases has to publish a newer one"
            )
        same = all(fresh.metadata.get(role) == self.versions.get(role) for role in _CONTENT)
        if same and fresh.digest != self.digest:
            raise StartError(
                f"release: is {fresh.digest} with the versions of {self.digest}, which the log says was in force; one "
                "of the two was not made by `brightline release`"
            )

    def after(self, fresh: Release) -> RollbackGuard:
        """The guard after this release has come in force."""
        return RollbackGuard(fresh.digest, dict(fresh.metadata)) if fresh.metadata else self


FORGOTTEN: Final = RollbackGuard()


def remembered(leaves: Iterator[bytes]) -> RollbackGuard:
    """The guard according to the records of starts and releases, given latest first."""
    for leaf in leaves:
        try:
            record = parse(leaf)
        except NotCanonicalError:
            continue
        found = record.get("release") if isinstance(record, Mapping) else None
        if isinstance(found, Mapping) and found.get("metadata"):
            return RollbackGuard(str(found.get("digest")), _versions(found["metadata"]))
    return FORGOTTEN


def since(leaves: Iterator[bytes], digest: str) -> int | None:
    """When the release with this digest came in force, from the same records; None if it was not the last in force."""
    found = None
    for leaf in leaves:
        try:
            record = parse(leaf)
        except NotCanonicalError:
            continue
        release = record.get("release") if isinstance(record, Mapping) else None
        if not isinstance(record, Mapping) or not isinstance(release, Mapping):
            continue  # a release that was refused
        if release.get("digest") != digest:
            break
        found = record.get("time_us")
    return found if isinstance(found, int) else None


def _versions(value: Json) -> dict[str, int]:
    return {k: v for k, v in value.items() if isinstance(v, int)} if isinstance(value, Mapping) else {}
