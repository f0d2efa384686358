"""Puts a built policy in force in a development gateway: writes a release with it and has the gateway load it.

1 the gateway's release supplies tenants, models and signers; the new release has the next version number, and its
  self-test holds the decisions of the edited policy
2 the new release takes the old one's place in the folder, and is signed for both holders; the old one is kept beside it
3 the gateway is signalled, and reports the result
4 if the gateway refuses the new release, it is deleted and the old one comes back
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway import deployment, release
from gateway.config import Config
from gateway.errors import StartError
from gateway.release.documents import SOURCES, VECTORS
from gateway.release.reading import read_policy
from gateway.workshop import selftest
from gateway.workshop.deciding import Decide
from gateway.workshop.layout import files, sources

PATIENCE_S: Final = 30.0
"""How long to wait for the gateway's report on a busy machine."""

_LOOK_S: Final = 0.01
_REVISION: Final = "release/data.json"
"""Written by a build into the folder of sources."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of the development profile. state: the file in which it reports the release in force."""

    release: Path
    state: Path
    signed: bool = False

    @classmethod
    def of(cls, config: Config, state: Path) -> Gateway:
        """The gateway of this configuration. Raises StartError if only signed releases come in force there."""
        if config.profile != "development":
            raise StartError(f"profile: {config.profile}; a policy is put in force by its signers, not by an editor")
        if config.release.digest is not None:
            raise StartError("release.digest: pins one release, so no other comes in force; remove it from the file")
        if config.release.path is not None:
            return cls(config.release.path, state)
        if not (state.parent / deployment.SIGNERS).is_dir():
            raise StartError("release: what both sign comes in force; only `brightline init` has the keys of both")
        return cls(state.parent / "release", state, signed=True)

    def differs(self, rego: Path) -> set[str]:
        """The files of a policy folder that differ from the gateway's release, tests excepted.

        Raises StartError, also if no gateway runs.
        """
        self._serving()
        self._restore()
        known = self.release / SOURCES
        paths = {*sources(rego), *files(known)} - {_REVISION}
        return {path for path in paths if not _same(rego / path, known / path)}

    def has(self, built: Path) -> bool:
        """Whether the gateway's release has exactly this policy. Raises StartError."""
        return read_policy(built)[0] == release.load(self.release, None).revision

    def renew(self, decide: Decide, vectors: Path) -> None:
        """Write a self-test to `vectors`: the inputs of the current one with the decisions of the edited policy."""
        there = self.release / VECTORS
        if there.exists():
            vectors.write_bytes(selftest.renewed_by(decide, vectors.parent, there.read_bytes()))

    def put(self, built: Path, vectors: Path) -> str:
        """Put the built policy in force, with the self-test in the file `vectors` if it exists.

        Returns the release digest. Raises StartError, and then the old release stays in force.
        """
        before = self._serving()
        now = release.load(self.release, None)  # 1
        fresh, kept = self._beside("next"), self._beside("before")
        shutil.rmtree(fresh, ignore_errors=True)
        tenants, models = list(now.tenants.values()), list(now.models.values())
        tested = vectors if vectors.exists() else None
        digest = release.create(fresh, now.version + 1, tenants, models, now.signers, policy=built, vectors=tested)
        # A crash between the two renames leaves no release folder, but the old one beside it; the next run restores it.
        self.release.rename(kept)  # 2
        fresh.rename(self.release)
        try:
            self._publish()
            self._load(before, digest)  # 3
        except BaseException:
            shutil.rmtree(self.release)  # 4
            kept.rename(self.release)
            self._publish()
            raise
        shutil.rmtree(kept)
        return digest

    def _publish(self) -> None:
        """Sign for both holders if releases are signed; a development deployment has both keys."""
        if self.signed:
            deployment.publish(self.state.parent)

    def _beside(self, name: str) -> Path:
        return self.release.with_name(f".{self.release.name}.{name}")

    def _restore(self) -> None:
        """Restore the release that an interrupted run had moved aside."""
        kept = self._beside("before")
        if kept.exists() and not self.release.exists():
            kept.rename(self.release)
        shutil.rmtree(kept, ignore_errors=True)

    def _serving(self) -> dict[str, Any]:
        """What the gateway reports about itself. Raises StartError if it is not running."""
        try:
            said: dict[str, Any] = json.loads(self.state.read_bytes())
            runs = type(said["pid"]) is int and said["pid"] > 1 and "serve" in _command(said["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            runs = False
        if not runs:  # no state file, or its process id now belongs to another process
            config = self.state.parent / "gateway.toml"
            raise StartError(f"{self.state}: no gateway runs there; run: brightline serve --config {config}")
        return said

    def _load(self, before: dict[str, Any], digest: str) -> None:
        os.kill(before["pid"], signal.SIGHUP)
        _wait(lambda: self._serving() != before)
        after = self._serving()
        if after["release"] != digest:
            raise StartError(f"the gateway refuses the release: {after['trouble'] or 'it loaded another one'}")


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _command(pid: int) -> str:
    """The command line of a process; empty if there is none."""
    listed = Path("/proc/self/cmdline").exists()
    if listed:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    ask = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number


def _wait(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            raise StartError(f"the gateway did not load the release within {PATIENCE_S:g} seconds")
        time.sleep(_LOOK_S)
