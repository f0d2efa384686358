"""The requests: the same text for every system, in the system's own format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.generators import Wrk
from benchmarks.peers.systems import BLOCKED, MODEL, Common, Serving
from benchmarks.run import TEXT


def chat(place: Path, name: str, *, stream: bool = False, blocked: bool = False) -> Path:
    """A file with a chat completion request. blocked: whether its text has the word that guardrails look for."""
    text = f"{TEXT} Purpose: {BLOCKED}." if blocked else TEXT
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 200}
    if stream:
        body["stream"] = True
    return written(place / f"{name}.json", json.dumps(body).encode())


def peer(common: Common, name: str, url: str, body: Path, headers: tuple[str, ...]) -> Serving:
    """The requests for a peer with chat completions: a normal one, one that its guardrail refuses, and a stream."""
    refused = chat(common.place, f"{name}-refused", blocked=True)
    return Serving(
        Wrk(common.wrk, url, body, headers),
        Wrk(common.wrk, url, refused, headers, refused=True),
        ("http", (url, chat(common.place, f"{name}-stream", stream=True), *headers)),
    )


def written(path: Path, data: bytes) -> Path:
    """Write the file and return its path."""
    path.write_bytes(data)
    return path
