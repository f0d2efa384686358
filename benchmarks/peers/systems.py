"""What a measured system is: how it is started, what it is asked, and what it does not do that this gateway does."""

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
    """What every system finds. place: a folder of the run; deployment: keys and certificates of this gateway's."""

    place: Path
    deployment: Path
    programs: Path
    wrk: Path
    upstream: str
    grpc: str
    grpc_mutual: str

    @property
    def wire(self) -> Path:
        """The program of the folder of that name."""
        return self.programs / "wire"

    @property
    def ghz(self) -> Path:
        """The generator of gRPC calls."""
        return self.programs / "ghz"


@dataclass(frozen=True, slots=True)
class Serving:
    """What a running system is asked; None where it has no such thing. stream: arguments of `wire`, N left out."""

    permitted: Load
    refused: Load | None = None
    stream: tuple[str, tuple[str | Path, ...]] | None = None


Start = Callable[[Common], AbstractContextManager[Serving]]


@dataclass(frozen=True, slots=True)
class System:
    """One row. floor: the system that the same generator reaches with no work behind it, "" for a floor itself."""

    name: str
    version: str
    settings: str
    floor: str
    start: Start
    refusal: str = ""
    lacks: str = ""


def environment(**more: str) -> dict[str, str]:
    """Of a peer: nothing of ours but the path, and no proxy to a network."""
    return {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1,localhost", "LANG": "C.UTF-8", **more}


def answers(url: str, body: Path, headers: tuple[str, ...]) -> bool:
    """Whether a system on this machine answers with the model's words."""
    return ANSWER in posted(url, body.read_bytes(), headers)


def posted(url: str, body: bytes, headers: tuple[str, ...]) -> bytes:
    """What a server on this machine answers; empty where it does not, or with an error."""
    named = dict(header.split(": ", 1) for header in headers)
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **named})  # noqa: S310 - 127.0.0.1
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as response:
            read: bytes = response.read()
    except OSError:
        return b""
    return read
