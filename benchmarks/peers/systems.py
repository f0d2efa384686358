"""Describes a measured system: how to start it, what to ask it, and which features of this gateway it lacks."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.generators import Load

CORES = os.cpu_count() or 1
MODEL = "served-model-1"
BLOCKED = "weapon_engagement"
"""The word that the peers' guardrails look for. This gateway refuses the purpose of that name."""
ANSWER = b"Each of the nine trucks"


@dataclass(frozen=True, slots=True)
class Common:
    """What all systems share. place: the folder of the run. deployment: keys and certificates of this gateway."""

    place: Path
    deployment: Path
    programs: Path
    wrk: Path
    upstream: str
    grpc: str
    grpc_mutual: str

    @property
    def wire(self) -> Path:
        """The `wire` program."""
        return self.programs / "wire"

    @property
    def ghz(self) -> Path:
        """The ghz program."""
        return self.programs / "ghz"


@dataclass(frozen=True, slots=True)
class Serving:
    """The requests for a running system; None if it lacks that kind. stream: arguments of `wire` without N."""

    permitted: Load
    refused: Load | None = None
    stream: tuple[str, tuple[str | Path, ...]] | None = None


Start = Callable[[Common], AbstractContextManager[Serving]]


@dataclass(frozen=True, slots=True)
class System:
    """One row. floor: the trivial system that the same generator measures, "" for a floor itself."""

    name: str
    version: str
    settings: str
    floor: str
    start: Start
    refusal: str = ""
    lacks: str = ""


def environment(**more: str) -> dict[str, str]:
    """The environment of a peer: only the path, without this project's variables, and no proxy."""
    return {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1,localhost", "LANG": "C.UTF-8", **more}


def answers(url: str, body: Path, headers: tuple[str, ...]) -> bool:
    """Whether a system on this machine answers with the model's text."""
    return ANSWER in posted(url, body.read_bytes(), headers)


def posted(url: str, body: bytes, headers: tuple[str, ...]) -> bytes:
    """The response of a server on this machine; empty on an error or without a response."""
    named = dict(header.split(": ", 1) for header in headers)
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **named})  # noqa: S310 - 127.0.0.1
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as response:
            read: bytes = response.read()
    except OSError:
        return b""
    return read
