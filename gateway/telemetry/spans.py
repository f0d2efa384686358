"""Traces by the OpenTelemetry SDK: a span for each call and one for each of its parts, sent by OTLP over HTTP.

Imported only if tracing is configured. A separate thread sends from its own queue. Spans that can't be sent, or that
exceed the queue, are dropped and counted; no call waits or fails because of them. Spans hold the decision id, the
method, the model, and the end of the call in words from closed lists. They hold no text of a caller or a model, and not
the caller's identity.
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
"""Reasons that are errors in a trace. A refusal is not: the gateway works as intended."""


class Exporting:
    """Makes and sends traces. See `watch.Tracing`. Raises StartError if a file can't be read."""

    def __init__(self, settings: Settings, meters: Meters) -> None:
        self._meters, self._per_thousand = meters, settings.per_thousand
        counted = _Counted(exporter(settings), meters)
        self._provider = TracerProvider(
            resource=Resource({"service.name": "brightline-gateway"}), sampler=ALWAYS_ON, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(counted, _QUEUE, _EVERY_MS, _BATCH, _TIMEOUT_S * 1000))
        self._tracer = self._provider.get_tracer("brightline")

    def begin(self, call: Call, begin: int) -> Traced:
        """The trace of a call. Sampling is decided here, whatever the caller's flags say."""
        sampled = random.randrange(1000) < self._per_thousand  # noqa: S311 - no secret
        return Traced(self._tracer if sampled else None, call, begin, self._meters)

    async def close(self) -> None:
        """Flush for a moment at most, so that an absent collector does not delay the gateway's exit."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shutdown() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=shutdown, name="traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await ended.wait()


class Traced:
    """The trace of one call. See `gateway.telemetry.watch.Trace`. tracer: None if the call is not sampled."""

    __slots__ = ("_begin", "_call", "_meters", "_offset", "_parent", "_root", "_span", "_tracer")

    def __init__(self, tracer: Tracer | None, call: Call, begin: int, meters: Meters) -> None:
        self._tracer, self._call, self._begin, self._meters = tracer, call, begin, meters
        self._offset = time.time_ns() - time.monotonic_ns()
        self._parent: SpanContext | None = None
        self._root: Span | None = None
        self._span: Span | None = None

    def proved(self) -> None:
        """The caller is authenticated: adopt its traceparent, if that is valid."""
        said = self._call.traceparent
        if len(said) == 1 and (match := _PARENT.fullmatch(said[0])):
            self._parent = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=_SAMPLED)

    def passed(self, phase: str, begin: int, end: int) -> None:
        """A part of the call has ended."""
        if self._tracer is not None:
            span = self._started(phase, begin)
            span.end(end + self._offset)

    def forwarding(self, model: str, begin: int) -> str:
        """The model is asked. The traceparent for its service names this gateway's span, never the caller's."""
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
        """The call has ended."""
        if self._tracer is not None:
            root = self._rooted(self._tracer)
            if reason is not None:
                root.set_attribute("brightline.reason", reason)
                if reason in _FAULTS:
                    root.set_status(Status(StatusCode.ERROR))
            root.end(end + self._offset)

    def _rooted(self, tracer: Tracer) -> Span:
        """The span of the whole call, started when the caller was authenticated, otherwise at the end of the call."""
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
    """Counts sent and dropped spans, on the thread that sends them."""

    def __init__(self, exporter: SpanExporter, meters: Meters) -> None:
        self._exporter, self._meters = exporter, meters

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever the error was, these spans are lost, and the next ones may not be
            result = SpanExportResult.FAILURE
        self._meters.spans[1 if result is SpanExportResult.SUCCESS else 2] += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Session(requests.Session):
    """Reads no response body, which could be endless. The status alone says whether spans were accepted."""

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        response = super().send(request, **how | {"stream": True})
        response.close()
        if 300 <= response.status_code < 400:  # redirects are not followed, and the exporter would count one as success
            raise requests.TooManyRedirects
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: following a redirect would read the body."""


def exporter(settings: Settings) -> OTLPSpanExporter:
    """The OTLP exporter. Raises StartError if a file can't be read."""
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
