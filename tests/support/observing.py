"""An operator's tools beside a gateway: a scraper of metrics, and a collector of traces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from gateway.config import Metrics
from tests.support.gateways import Deployment, Running
from tests.support.waiting import wait_for

Sample = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """The metrics at one moment."""

    text: str
    samples: dict[Sample, float]

    def of(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        wanted = set(labels.items())
        return sum(number for (found, has), number in self.samples.items() if found == name and wanted <= has)

    def values(self, label: str) -> set[str]:
        """Every value that a label has in any sample."""
        return {value for _, labels in self.samples for name, value in labels if name == label}

    @property
    def counts(self) -> dict[Sample, float]:
        """The values that can only grow."""
        grows = ("_total", "_bucket", "_count", "_sum")
        return {sample: number for sample, number in self.samples.items() if sample[0].endswith(grows)}


async def scrape(port: int) -> Scrape:
    """Fetch the metrics of a gateway on this host."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    families = text_string_to_metric_families(text)
    samples = [(s.name, frozenset(s.labels.items()), s.value) for family in families for s in family.samples]
    assert len(samples) == len({(name, labels) for name, labels, _ in samples})
    return Scrape(text, {(name, labels): value for name, labels, value in samples})


@asynccontextmanager
async def measured(running: Running) -> AsyncIterator[int]:
    """Serve the metrics of a gateway in this process. Gives the port."""
    gate = running.gate
    assert gate is not None
    async with metrics.served(Metrics(address="127.0.0.1:0"), gate, lambda: (gate.counted, 1, 0, 256)) as port:
        yield port


def told_port(deployed: Deployment) -> int:
    """The port on which a gateway in another process says that it serves metrics."""
    said: list[int] = []

    def found() -> bool:
        said.extend(line["port"] for line in _events(deployed) if line.get("event") == "metrics served")
        return bool(said)

    wait_for(found)
    return said[-1]


def _events(deployed: Deployment) -> Iterator[dict[str, int]]:
    for line in (deployed.folder / "gateway.log").read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            yield json.loads(line)


@dataclass
class Collector:
    """A collector of traces (OTLP over HTTP). status: the HTTP status that it answers."""

    port: int = 0
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL that accepts traces."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    @property
    def spans(self) -> list[Span]:
        """All spans that it has received."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for r in requests for resource in r.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def of(self, decision_id: str) -> dict[str, Span]:
        """The spans of a call by name, once its root has arrived."""
        roots = [s for s in self.spans if attributes(s).get("brightline.decision_id") == decision_id]
        if not roots:
            return {}
        ids = {roots[0].span_id}
        return {s.name: s for s in self.spans if s.parent_span_id in ids} | {"": roots[0]}


def attributes(span: Span) -> dict[str, str]:
    """The attributes of a span, all of which are strings."""
    return {pair.key: pair.value.string_value for pair in span.attributes}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """A running collector."""
    made = Collector()

    async def take(request: web.Request) -> web.Response:
        made.bodies.append(await request.read())
        return web.Response(status=made.status, content_type="application/x-protobuf")

    page = web.Application(client_max_size=64 << 20)
    page.router.add_post("/v1/traces", take)
    runner = web.AppRunner(page, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made
    finally:
        await runner.cleanup()
