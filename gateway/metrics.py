"""The metrics page for Prometheus: GET /metrics. Plain HTTP on a loopback address, otherwise mutual TLS.

The page contains numbers and no content. Nothing can be called here: there is one path, and its answer is made from
what was counted already.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from gateway import bounded_listener, config
from gateway.config import Metrics
from gateway.errors import StartError
from gateway.gate import Gate
from gateway.telemetry import Counted
from gateway.telemetry.families import Now, families

log = structlog.get_logger()

Source = Callable[[], tuple[Counted, int, int, int]]
"""Returns the counters of all processes that serve calls, the number of these processes, how many were replaced, and
how many calls they take at once.
"""


@asynccontextmanager
async def served(settings: Metrics, gate: Gate, source: Source) -> AsyncIterator[int]:
    """Serve the page; yields its port. Raises StartError."""
    context = trust(settings)
    page = web.Application(client_max_size=1024)
    page.router.add_get("/metrics", _Page(gate, source).get)
    runner = web.AppRunner(page, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        assert runner.server is not None  # noqa: S101 - narrows the type
        with _listening(settings) as listener:
            port = int(listener.getsockname()[1])
            log.info("metrics served", host=settings.host, port=port)
            accepting = asyncio.create_task(bounded_listener.taken(listener, runner.server, context))
            try:
                yield port
            finally:
                accepting.cancel()
                await asyncio.wait({accepting})
    finally:
        await runner.cleanup()


def _listening(settings: Metrics) -> socket.socket:
    try:
        (family, _, _, _, place), *_ = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        listener = socket.create_server(place, family=family)
    except OSError as error:
        raise StartError(
            f"metrics.address: {settings.address} cannot be listened on; is it this host's, and is it free?"
        ) from error
    listener.setblocking(False)
    return listener


def now(gate: Gate, source: Source) -> tuple[Counted, Now]:
    """The counters of all processes, and the current values of gauges."""
    all_of_it, workers, restarts, limit = source()
    in_force, lag, now_us = gate.in_force, gate.log.lag, gate.clock()
    release = in_force.release
    said: dict[str, dict[tuple[str, ...], float | list[int]] | float | list[int]] = {
        "brightline_detector_live": {(name,): float(live) for name, live in all_of_it.detectors.items()},
        "brightline_calls_in_flight": all_of_it.flying,
        "brightline_calls_waiting": all_of_it.waiting,
        "brightline_calls_limit": limit,
        "brightline_ready": float(all_of_it.ready),
        "brightline_workers": workers,
        "brightline_worker_restarts": restarts,
        "brightline_log_writable": float(gate.log.healthy),
        "brightline_log_records": gate.log.size,
        "brightline_log_waiting_records": lag.waiting,
        "brightline_log_durable_age_seconds": lag.durable_s,
        "brightline_log_unsigned_records": lag.unsigned,
        "brightline_log_checkpoint_age_seconds": lag.checkpoint_s,
        "brightline_log_commit_duration_seconds": lag.commits,
        "brightline_release_info": {(release.digest, in_force.engine.name): 1.0},
        "brightline_release_version": release.version,
        "brightline_release_age_seconds": max(0, now_us - in_force.since_us) / 1e6,
        "brightline_build_info": {(version("brightline-gateway"),): 1.0},
    }
    if lag.used_percent is not None:
        said["brightline_log_capacity_used_ratio"] = lag.used_percent / 100
    if in_force.expires_us is not None:
        said["brightline_release_expires_seconds"] = (in_force.expires_us - now_us) / 1e6
    return all_of_it, said


class _Page:
    def __init__(self, gate: Gate, source: Source) -> None:
        self._gate, self._source = gate, source
        self._one = asyncio.Semaphore()

    async def get(self, request: web.Request) -> web.Response:
        """The metrics in the requested format. A thread makes the text, for one request at a time."""
        encode, media = choose_encoder(request.headers.get("accept", ""))
        async with self._one:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Now(*now(self._gate, self._source)))
            text = await asyncio.to_thread(encode, registry)
        page = web.Response(body=text, headers={"content-type": media})
        page.force_close()
        return page


class _Now(Collector):
    def __init__(self, all_of_it: Counted, said: Now) -> None:
        self._counted, self._said = all_of_it, said

    def collect(self) -> Iterator[Metric]:
        return families(self._counted.meters, self._said)


def trust(settings: Metrics) -> ssl.SSLContext | None:
    """The server-side TLS context of the page; None for plain HTTP. Raises StartError."""
    if settings.certificate is None or settings.key is None or settings.client_ca is None:
        return None  # a loopback address: the configuration accepts no other without TLS files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    config.show(context, settings.certificate, settings.key, "metrics.certificate, metrics.key")
    config.trust(context, settings.client_ca, "metrics.client_ca")
    return context
