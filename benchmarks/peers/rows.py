"""The rows of the comparison: every system with its version, its settings, and what it lacks."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.peers import direct, install, litellm, opa_envoy, ours, portkey
from benchmarks.peers.processes import NotHereError, finished
from benchmarks.peers.systems import CORES, Common, Serving, System
from benchmarks.peers.table import BARE, DIRECT, LITELLM, OURS, PORTKEY
from benchmarks.run import ROOT

GRPC, MUTUAL = "gRPC that does nothing", "gRPC that does nothing, mutual TLS"
LESS = "no client certificates, no token bound to one, no rules about the use, no record on disk before the answer"


def systems(wrk: Path) -> list[System]:
    """All systems, floors first, in the order of measurement."""
    http = "wrk " + of([wrk, "-v"], r"wrk (?:debian/)?(\S+)")
    grpc = "ghz " + module("github.com/bojand/ghz")
    return [
        System(DIRECT, http, "the upstream that every system of this run calls", "", direct.upstream),
        System(GRPC, grpc, "grpc-go", "", direct.grpc),
        System(MUTUAL, grpc, "grpc-go", "", direct.grpc_mutual),
        System(
            OURS,
            f"{metadata.version('brightline-gateway')} on Python {platform.python_version()}",
            f"as `brightline init` makes it, with {CORES} workers and without the learned detector; the log on SQLite",
            MUTUAL,
            ours.gateway,
            "a rule of the pack about the purpose",
        ),
        System(
            LITELLM,
            f"{pinned('litellm')} on Python {platform.python_version()}",
            litellm.SETTINGS,
            DIRECT,
            installed(install.litellm, litellm.proxy),
            "its content filter finds a word",
            f"{LESS}; no database for spend and keys either, because its client downloads a program of its own",
        ),
        System(
            PORTKEY,
            f"{portkey_version()} on Node {of(['node', '--version'], 'v(.*)')}",
            portkey.SETTINGS,
            DIRECT,
            installed(install.portkey, portkey.gateway),
            "its guardrail finds a word",
            f"{LESS}; no key of the caller",
        ),
        opa(BARE, opa_envoy.one_rule, "one rule"),
        opa("opa-envoy, our rules", opa_envoy.rules, "the rules of this gateway's release"),
    ]


def opa(name: str, start: Callable[[Common], AbstractContextManager[Serving]], policy: str) -> System:
    """A row of opa-envoy-plugin."""
    version = ""
    with suppress(NotHereError):
        version = of([install.opa_envoy(), "version"], r"Version: (\S+)")
    lacks = "decides only: no model is called, no content read, no TLS, no token, no record; Envoy is not in the path"
    return System(name, version, f"{opa_envoy.SETTINGS}; {policy}", GRPC, start, "the rule, in its answer", lacks)


def installed(
    put: Callable[[], None], start: Callable[[Common], AbstractContextManager[Serving]]
) -> Callable[[Common], AbstractContextManager[Serving]]:
    """The system, installed before it starts."""

    @contextmanager
    def both(common: Common) -> Iterator[Serving]:
        put()
        with start(common) as serving:
            yield serving

    return both


def of(command: list[Any], pattern: str) -> str:
    """The version that a program prints."""
    try:
        done = finished(command)
    except NotHereError:
        return "?"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "?"


def pinned(package: str) -> str:
    """The version in the peers' requirements list."""
    text = (ROOT / "requirements" / "peers.txt").read_text()
    found = re.search(rf"^{package}==(\S+)", text, re.MULTILINE)
    return found[1] if found else "?"


def portkey_version() -> str:
    """The version in its package list."""
    listed = json.loads((install.HERE / "portkey" / "package.json").read_bytes())
    return str(listed["dependencies"]["@portkey-ai/gateway"])


def module(path: str) -> str:
    """The version in go.mod."""
    text = (install.HERE / "wire" / "go.mod").read_text()
    found = re.search(rf"{re.escape(path)} (v\S+)", text)
    return found[1] if found else "?"
