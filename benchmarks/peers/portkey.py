"""Portkey's gateway on Node, as its deployment documentation says: the built server, production mode, no console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.bodies import chat, peer
from benchmarks.peers.install import PORTKEY
from benchmarks.peers.processes import free_ports, started, wait_for
from benchmarks.peers.systems import BLOCKED, Common, Serving, answers, environment

SETTINGS = (
    "`node build/start-server.js --headless`, `NODE_ENV=production`, one process, "
    "its keyword guardrail before each call"
)
GUARDRAIL = {
    "type": "guardrail",
    "id": "purpose",
    "checks": [{"id": "default.contains", "parameters": {"operator": "none", "words": [BLOCKED]}}],
    "deny": True,
}


@contextmanager
def gateway(common: Common) -> Iterator[Serving]:
    """The gateway. Headers of each call select the model and the guardrail."""
    (port,), log = free_ports(1), common.place / "portkey.log"
    server = PORTKEY / "node_modules/@portkey-ai/gateway/build/start-server.js"
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = (f"x-portkey-config: {json.dumps(configuration(common.upstream))}",)
    body = chat(common.place, "portkey")
    given = environment(NODE_ENV="production", HOME=str(common.place))
    with started(["node", server, "--headless", f"--port={port}"], log, environment=given) as process:
        wait_for(lambda: answers(url, body, headers), process, log)
        yield peer(common, "portkey", url, body, headers)


def configuration(upstream: str) -> dict[str, object]:
    """The configuration of a call."""
    return {
        "provider": "openai",
        "api_key": "benchmark",
        "custom_host": upstream,
        "before_request_hooks": [GUARDRAIL],
    }
