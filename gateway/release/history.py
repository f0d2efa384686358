"""The history of releases: the signed top-level targets of each release that this gateway has seen.

They are stored in history/ beside the trusted metadata. Each read verifies both signatures again, under any root of the
chain that the gateway trusts. An entry that does not verify, or that describes no change, is left out. The history is
informative and decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from gateway.release import holders
from gateway.release.documents import MANIFEST
from gateway.release.holders import TARGETS
from gateway.release.parts import HOLDERS
from gateway.types import Change, Compared, Step

FOLDER: Final = "history"
KEPT: Final = 50
"""How many releases are kept. The oldest are deleted first."""


def keep(folder: Path, version: int) -> None:
    """Keep the top-level targets of this version, which the gateway has just loaded."""
    kept = folder / FOLDER
    kept.mkdir(exist_ok=True, mode=0o700)
    path = kept / f"{version}.json"
    if not path.exists():
        draft = folder / "tmp.history"
        with draft.open("wb") as file:
            file.write((folder / "targets.json").read_bytes())
            file.flush()
            os.fsync(file.fileno())
        # A crash before this line leaves a draft, which the next refresh removes. The next load keeps the version.
        draft.replace(path)
    for old in sorted(kept.glob("*.json"), key=_version)[:-KEPT]:
        old.unlink()


def read(folder: Path, roots: Sequence[Root]) -> tuple[Step, ...]:
    """The steps that are kept and verify, oldest first."""
    found = (_step(path, roots) for path in sorted((folder / FOLDER).glob("*.json"), key=_version))
    return tuple(step for step in found if step is not None)


def _step(path: Path, roots: Iterable[Root]) -> Step | None:
    try:
        metadata = Metadata[Targets].from_bytes(path.read_bytes())
        if not any(set(HOLDERS) <= set(holders.signers(root, TARGETS, metadata)) for root in roots):
            return None
        manifest = metadata.signed.targets[MANIFEST]
        return step(manifest.hashes["sha256"], manifest.custom or {})
    except (RepositoryError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def step(after: str, said: Mapping[str, Any]) -> Step:
    """The change that the custom part of a manifest describes, as `gateway.cli.release_diff.notes` writes it.

    after: the digest of the release. Raises ValueError, KeyError or TypeError for any other shape.
    """
    effect = said.get("effect") or {"parts": []}
    return Step(
        _text(said["from"]),
        after,
        _number(said["version"]),
        tuple(Change(_text(direction), _text(text), _text(about)) for direction, text, about in said["changes"]),
        tuple(_compared(part) for part in effect["parts"]),
    )


def _compared(part: Mapping[str, Any]) -> Compared:
    return Compared(
        _text(part["about"]),
        _number(part["decisions"]),
        _number(part["looser"]),
        _number(part["stricter"]),
        tuple(_text(example) for example in part["examples"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("is no text")
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("is no number")
    return value


def _version(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0
