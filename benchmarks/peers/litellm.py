"""LiteLLM's proxy as its production documentation says: a worker per core, no debug log, a master key, uvloop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.bodies import chat, peer, written
from benchmarks.peers.install import LITELLM
from benchmarks.peers.processes import free_ports, started, wait_for
from benchmarks.peers.systems import BLOCKED, CORES, MODEL, Common, Serving, answers, environment

KEY = "sk-benchmark"
SETTINGS = (
    f"`--num_workers {CORES}` (Uvicorn on uvloop), `LITELLM_MODE=PRODUCTION`, `LITELLM_LOG=ERROR`, a master key, "
    "its content filter before each call, no database"
)


@contextmanager
def proxy(common: Common) -> Iterator[Serving]:
    """The proxy with one model, and its own guardrail on every call."""
    (port,), log = free_ports(1), common.place / "litellm.log"
    # JSON is YAML.
    config = written(common.place / "litellm.yaml", json.dumps(configuration(common.upstream)).encode())
    home = common.place / "litellm"
    home.mkdir()
    given = environment(
        HOME=str(home),
        LITELLM_MASTER_KEY=KEY,
        LITELLM_MODE="PRODUCTION",
        LITELLM_LOG="ERROR",
        LITELLM_LOCAL_MODEL_COST_MAP="True",  # otherwise it fetches prices from the network
    )
    serve = [LITELLM / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", port]
    # Its default limit ends workers after 5 s. Loading takes longer on a busy machine.
    command = [*serve, "--num_workers", CORES, "--timeout_worker_healthcheck", 120, "--telemetry", "False"]
    url, headers = f"http://127.0.0.1:{port}/v1/chat/completions", (f"Authorization: Bearer {KEY}",)
    body = chat(common.place, "litellm")
    with started([str(c) for c in command], log, environment=given, folder=home) as process:
        wait_for(lambda: answers(url, body, headers), process, log)
        yield peer(common, "litellm", url, body, headers)


def configuration(upstream: str) -> dict[str, object]:
    """The configuration of the proxy."""
    block = {"keyword": BLOCKED, "action": "BLOCK"}
    rule = {"guardrail": "litellm_content_filter", "mode": "pre_call", "default_on": True, "blocked_words": [block]}
    served = {"model": f"openai/{MODEL}", "api_base": upstream, "api_key": "benchmark"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": served}],
        "guardrails": [{"guardrail_name": "purpose", "litellm_params": rule}],
        "litellm_settings": {"set_verbose": False, "json_logs": True, "request_timeout": 600},
        "general_settings": {"master_key": KEY},
    }
