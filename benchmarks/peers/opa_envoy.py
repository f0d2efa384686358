"""opa-envoy-plugin, called as Envoy calls it: one decision for each call and nothing else, so no model is called.

It is measured twice: with one rule, which shows the cost of the plugin itself, and with the rules of this gateway's
release. The body of the request holds the facts as this gateway gathers them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import install
from benchmarks.peers.bodies import written
from benchmarks.peers.generators import Ghz
from benchmarks.peers.processes import free_ports, started, wait_for
from benchmarks.peers.systems import BLOCKED, Common, Serving, environment, posted
from gateway.release import starter
from tests.support.vectors import bases

CALL = "envoy.service.auth.v3.Authorization.Check"
SETTINGS = "its gRPC server on the loopback, logs at level error, decision log off"
ONE_RULE = f"""package envoy.authz

default allow := false

allow if input.parsed_body.request.purpose != "{BLOCKED}"
"""
RULES = """package envoy.authz

default allow := false

allow if {
	decision := data.brightline.decision with input as input.parsed_body
	decision.effect == "allow"
}
"""


def one_rule(common: Common) -> AbstractContextManager[Serving]:
    """The plugin by itself."""
    return plugin(common, "one", ONE_RULE, None)


def rules(common: Common) -> AbstractContextManager[Serving]:
    """The plugin with the rules of this gateway."""
    return plugin(common, "rules", RULES, starter() / "rego")


@contextmanager
def plugin(common: Common, name: str, entry: str, sources: Path | None) -> Iterator[Serving]:
    """OPA with the plugin, and a policy."""
    binary, folder = install.opa_envoy(), common.place / f"opa-{name}"
    folder.mkdir()
    if sources:
        shutil.copytree(sources, folder, dirs_exist_ok=True)
    written(folder / "entry.rego", entry.encode())
    ports, log = free_ports(3), common.place / f"opa-{name}.log"
    http, diagnostic, grpc = (f"127.0.0.1:{port}" for port in ports)
    options = {"addr": grpc, "path": "envoy/authz/allow", "enable-reflection": "true"}
    sets = [part for key, value in options.items() for part in ("--set", f"plugins.envoy_ext_authz_grpc.{key}={value}")]
    serve = ["run", "--server", "--addr", http, "--diagnostic-addr", diagnostic, "--log-level", "error"]
    command = [binary, *serve, "--disable-telemetry", *sets, folder]
    permitted, refused = facts()
    ask = written(common.place / f"opa-{name}.json", json.dumps(check(permitted)).encode())
    deny = written(common.place / f"opa-{name}-refused.json", json.dumps(check(refused)).encode())
    with started(command, log, environment=environment(HOME=str(folder))) as process:
        wait_for(lambda: decides(http, permitted, "true"), process, log)
        # To Envoy a refusal is an answer with status OK, so the decision is checked over OPA's own API.
        wait_for(lambda: decides(http, refused, "false"), process, log)
        insecure = ("--insecure",)
        yield Serving(
            Ghz(common.ghz, grpc, CALL, ask, options=insecure), Ghz(common.ghz, grpc, CALL, deny, options=insecure)
        )


def facts() -> tuple[Any, Any]:
    """The policy input for a permitted call and for a call with a refused purpose."""
    permitted = bases()["desk"]
    return permitted, {**permitted, "request": {**permitted["request"], "purpose": BLOCKED}}


def check(body: Any) -> dict[str, Any]:
    """Envoy's check request with that body."""
    headers = {"content-type": "application/json", ":authority": "models.example", ":method": "POST"}
    http = {"id": "1", "method": "POST", "path": "/v1/chat/completions", "host": "models.example", "protocol": "HTTP/2"}
    source = {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": 40000}}}
    request = {"http": {**http, "headers": headers, "body": json.dumps(body)}}
    return {"attributes": {"source": source, "request": request}}


def decides(address: str, body: Any, allowed: str) -> bool:
    """Whether OPA's own API gives this decision."""
    question = json.dumps({"input": {"parsed_body": body}}).encode()
    asked = posted(f"http://{address}/v1/data/envoy/authz/allow", question, ())
    return f'"result":{allowed}' in asked.decode()
