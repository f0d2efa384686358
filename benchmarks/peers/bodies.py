"""What is asked: the same text of every system, in its own shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.generators import Wrk
from benchmarks.peers.systems import BLOCKED, MODEL, Common, Serving
from benchmarks.run import TEXT


def chat(place: Path, name: str, *, stream: bool = False, blocked: bool = False) -> Path:
    """A chat completion as a file. blocked: its text has the word that guardrails look for."""
    text = f"{TEXT} Purpose: {BLOCKED}." if blocked else TEXT
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 200}
    if stream:
        body["stream"] = True
    return written(place / f"{name}.json", json.dumps(body).encode())


def peer(common: Common, name: str, url: str, body: Path, headers: tuple[str, ...]) -> Serving:
    """What a peer that takes chat completions is asked: this, the same that its guardrail refuses, and as a stream."""
    refused = chat(common.place, f"{name}-refused", blocked=True)
    return Serving(
        Wrk(common.wrk, url, body, headers),
        Wrk(common.wrk, url, refused, headers, refused=True),
        ("http", (url, chat(common.place, f"{name}-stream", stream=True), *headers)),
    )


def written(path: Path, data: bytes) -> Path:
    """The file, written."""
    path.write_bytes(data)
    return path
