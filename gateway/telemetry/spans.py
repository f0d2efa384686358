"""Traces, by the SDK of OpenTelemetry: a span for the call, one for each part of it, sent by OTLP over HTTP.

Loaded where tracing is configured. Sending has a thread and a queue of its own: what can't be sent, or is too much, is
lost and counted, and no call waits for it or fails by it. Spans hold the decision id, the method, the model, and how
the call ended in words of closed lists; nothing that a caller or a model wrote, and not who called.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from gateway.config import Tracing as Settings
from gateway.config import read_private, read_public
from gateway.errors import Reason
from gateway.telemetry.meters import METHODS, Meters, method_of
from gateway.types import Call

_PARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_QUEUE, _BATCH, _EVERY_MS, _TIMEOUT_S, _LAST_S = 2048, 512, 1000, 5.0, 2.0
_FAULTS: Final = frozenset(
    {
        Reason.INTERNAL,
        Reason.POLICY_UNAVAILABLE,
        Reason.AUDIT_UNAVAILABLE,
        Reason.IDENTITY_UNAVAILABLE,
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.UPSTREAM_FAILED,
        Reason.CLOCK_UNTRUSTED,
    }
)
"""What is an error in a trace; a refusal is the gateway at work."""


class Exporting:
    """Makes traces, and sends them. See `watch.Tracing`. Raises StartError where a file can't be read."""

    def __init__(self, settings: Settings, meters: Meters) -> None:
        self._meters, self._per_thousand = meters, settings.per_thousand
        counted = _Counted(exporter(settings), meters)
        self._provider = TracerProvider(
            resource=Resource({"service.name": "brightline-gateway"}), sampler=ALWAYS_ON, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(counted, _QUEUE, _EVERY_MS, _BATCH, _TIMEOUT_S * 1000))
        self._tracer = self._provider.get_tracer("brightline")

    def begin(self, call: Call, begin: int) -> Traced:
        """The trace of a call; whether it is more than its identifiers is drawn here, whatever the caller wants."""
        sampled = random.randrange(1000) < self._per_thousand  # noqa: S311 - no secret
        return Traced(self._tracer if sampled else None, call, begin, self._meters)

    async def close(self) -> None:
        """Send what is there, for a moment at most: a collector that is away does not keep the gateway from ending."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shutdown() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=shutdown, name="traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await ended.wait()


class Traced:
    """The trace of one call. See `gateway.telemetry.watch.Trace`. tracer: None for one that is not sent anywhere."""

    __slots__ = ("_begin", "_call", "_meters", "_offset", "_parent", "_root", "_span", "_tracer")

    def __init__(self, tracer: Tracer | None, call: Call, begin: int, meters: Meters) -> None:
        self._tracer, self._call, self._begin, self._meters = tracer, call, begin, meters
        self._offset = time.time_ns() - time.monotonic_ns()
        self._parent: SpanContext | None = None
        self._root: Span | None = None
        self._span: Span | None = None

    def proved(self) -> None:
        """What the caller said of its own trace counts from now on, if it is exactly what it has to be."""
        said = self._call.traceparent
        if len(said) == 1 and (match := _PARENT.fullmatch(said[0])):
            self._parent = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=_SAMPLED)

    def passed(self, phase: str, begin: int, end: int) -> None:
        """A part of the call is over."""
        if self._tracer is not None:
            span = self._started(phase, begin)
            span.end(end + self._offset)

    def forwarding(self, model: str, begin: int) -> str:
        """The model is asked; the traceparent for its service has a span of ours, never the caller's."""
        if self._tracer is None:
            trace_id = self._parent.trace_id if self._parent else secrets.randbits(128) or 1
            return f"00-{trace_id:032x}-{secrets.randbits(64) or 1:016x}-00"
        self._span = self._started("forward", begin, SpanKind.CLIENT)
        self._span.set_attribute("brightline.model", model)
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def forwarded(self, end: int, error: BaseException | None) -> None:
        """The model has answered."""
        if self._span is not None:
            if error is not None:
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end(end + self._offset)

    def ended(self, reason: Reason | None, end: int) -> None:
        """The call is over."""
        if self._tracer is not None:
            root = self._rooted(self._tracer)
            if reason is not None:
                root.set_attribute("brightline.reason", reason)
                if reason in _FAULTS:
                    root.set_status(Status(StatusCode.ERROR))
            root.end(end + self._offset)

    def _rooted(self, tracer: Tracer) -> Span:
        """The span of the whole call, begun when its caller was proved, or when it ended without that."""
        if self._root is None:
            context = set_span_in_context(NonRecordingSpan(self._parent)) if self._parent else Context()
            self._root = tracer.start_span(
                METHODS[method_of(self._call.method)],
                context,
                SpanKind.SERVER,
                {"rpc.system": "grpc", "brightline.decision_id": self._call.decision_id},
                start_time=self._begin + self._offset,
            )
            self._meters.spans[0] += 1
        return self._root

    def _started(self, name: str, begin: int, kind: SpanKind = SpanKind.INTERNAL) -> Span:
        assert self._tracer is not None  # noqa: S101 - narrows the type
        self._meters.spans[0] += 1
        context = set_span_in_context(self._rooted(self._tracer), Context())
        return self._tracer.start_span(name, context, kind, start_time=begin + self._offset)


_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class _Counted(SpanExporter):
    """Counts what becomes of spans, on the thread that sends them."""

    def __init__(self, exporter: SpanExporter, meters: Meters) -> None:
        self._exporter, self._meters = exporter, meters

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever it was: these spans are lost, and the next ones may not be
            result = SpanExportResult.FAILURE
        self._meters.spans[1 if result is SpanExportResult.SUCCESS else 2] += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Session(requests.Session):
    """Reads no body of an answer, which can be endless: the status alone says whether spans were taken."""

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        response = super().send(request, **how | {"stream": True})
        response.close()
        if 300 <= response.status_code < 400:  # nobody goes there, and the exporter would count it as taken
            raise requests.TooManyRedirects
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: on the way to one the body would be read."""


def exporter(settings: Settings) -> OTLPSpanExporter:
    """What sends spans. Raises StartError where a file can't be read."""
    session = _Session()
    session.trust_env = False  # no proxy, no .netrc
    if settings.ca is not None:
        read_public(settings.ca, "tracing.ca")
    if settings.certificate is not None and settings.key is not None:
        read_public(settings.certificate, "tracing.certificate")
        read_private(settings.key, "tracing.key")
    return OTLPSpanExporter(
        settings.endpoint,
        _text(settings.ca),
        _text(settings.key),
        _text(settings.certificate),
        timeout=_TIMEOUT_S,
        compression=Compression.NoCompression,
        session=session,
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
