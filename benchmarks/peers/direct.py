"""The floors: direct calls to the upstream, and trivial gRPC servers that answer any call with nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import question
from benchmarks.peers.bodies import chat, written
from benchmarks.peers.generators import Ghz, Wrk
from benchmarks.peers.ours import CALL, descriptors, presented
from benchmarks.peers.processes import started, wait_for
from benchmarks.peers.systems import Common, Serving
from benchmarks.run import TEXT


@contextmanager
def ends(place: Path, deployment: Path, programs: Path, wrk: Path) -> Iterator[Common]:
    """The upstream and the trivial servers, running."""
    log = place / "wire.log"
    pems = (deployment / "ca.pem", deployment / "server.pem", deployment / "server.key")
    with started([programs / "wire", "serve", *pems], log) as process:
        wait_for(lambda: log.read_text().endswith("\n"), process, log)
        upstream, grpc, mutual = log.read_text().split()
        yield Common(place, deployment, programs, wrk, f"http://{upstream}/v1", grpc, mutual)


@contextmanager
def upstream(common: Common) -> Iterator[Serving]:
    """The direct call."""
    url = f"{common.upstream}/chat/completions"
    stream = chat(common.place, "direct-stream", stream=True)
    yield Serving(Wrk(common.wrk, url, chat(common.place, "direct")), None, ("http", (url, stream)))


@contextmanager
def grpc(common: Common) -> Iterator[Serving]:
    """A gRPC server without TLS that does nothing."""
    options = ("--insecure", "--protoset", descriptors(common.place))
    request = written(common.place / "floor.bin", question(TEXT, model="local"))
    yield Serving(Ghz(common.ghz, common.grpc, CALL, request, options=options))


@contextmanager
def grpc_mutual(common: Common) -> Iterator[Serving]:
    """The same with mutual TLS."""
    request = written(common.place / "floor.bin", question(TEXT, model="local"))
    yield Serving(Ghz(common.ghz, common.grpc_mutual, CALL, request, options=presented(common)))
