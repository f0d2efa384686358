"""Follows one call through its milestones: measures each part and the result, and traces the call if required.

A caller may name the trace that its call belongs to (W3C Trace Context). Only the ids of trace and span are used, only
in their exact form, and only once the caller is authenticated. Its sampling flag is ignored: sampling is decided here.
`tracestate` and `baggage`, which may contain anything, are never read and never forwarded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic_ns
from types import TracebackType
from typing import Final, Protocol, Self

from gateway.errors import Reason
from gateway.telemetry.meters import FORWARD, METHODS, PHASES, PROVE, Meters, method_of, took
from gateway.types import Call, Chunk, Decision, Reading, Stage

TRACEPARENT: Final[ContextVar[str]] = ContextVar("traceparent", default="")
"""The traceparent for the model's service during the exchange; empty if the call is not traced."""


class Trace(Protocol):
    """The trace of one call, as `gateway.telemetry.spans` makes it. Times: monotonic_ns."""

    def proved(self) -> None:
        """The caller is authenticated: its traceparent may be used from now on."""

    def passed(self, phase: str, begin: int, end: int) -> None:
        """A part of the call has ended."""

    def forwarding(self, model: str, begin: int) -> str:
        """The model is asked. Returns the traceparent for its service."""

    def forwarded(self, end: int, error: BaseException | None) -> None:
        """The model has answered, or the exchange failed."""

    def ended(self, reason: Reason | None, end: int) -> None:
        """The call has ended."""


class Tracing(Protocol):
    """Makes and sends traces."""

    def begin(self, call: Call, begin: int) -> Trace:
        """The trace of a call."""

    async def close(self) -> None:
        """Flush for a moment at most."""


@dataclass(slots=True)
class Telemetry:
    """The telemetry of a process. tracing: None if it is not configured."""

    meters: Meters = field(default_factory=Meters)
    tracing: Tracing | None = None
    flying: int = 0

    def watch(self, call: Call) -> Watch:
        """The watch of one call."""
        return Watch(self, call)

    def refused(self, call: Call, reason: Reason, ns: int) -> None:
        """A call that was refused on arrival. ns: its duration in nanoseconds."""
        self.meters.ended(method_of(call.method), reason, ns)


class Watch:
    """One call. Each milestone ends the part that began with the previous milestone."""

    __slots__ = ("_all", "_began", "_method", "mark", "meters", "trace")

    def __init__(self, telemetry: Telemetry, call: Call) -> None:
        self._all, self.meters = telemetry, telemetry.meters
        self._method = method_of(call.method)
        self._began = self.mark = monotonic_ns()
        self.trace = telemetry.tracing.begin(call, self._began) if telemetry.tracing else None

    def begin(self) -> None:
        """The call is in progress until `ended`."""
        self._all.flying += 1

    def passed(self, phase: int) -> None:
        """A milestone was passed."""
        now = monotonic_ns()
        took(self.meters.phases[phase], now - self.mark)
        if self.trace is not None:
            self.trace.passed(PHASES[phase], self.mark, now)
        self.mark = now

    def proved(self) -> None:
        """The caller is authenticated."""
        if self.trace is not None:
            self.trace.proved()
        self.passed(PROVE)

    def judged(self, phase: int, stage: Stage, readings: tuple[Reading, ...], decision: Decision) -> None:
        """Content was read by the detectors, and decided on."""
        self.meters.read(readings)
        self.meters.decided(stage, decision)
        self.passed(phase)

    def forwarding(self, model: str) -> Forwarding:
        """A context manager for the exchange with a model."""
        return Forwarding(self, model)

    def leaving(self) -> None:
        """Only the last record remains to be written."""
        self.mark = monotonic_ns()

    def ended(self, reason: Reason | None) -> None:
        """The call has ended. reason: why it was refused or failed; None if it was answered."""
        now = monotonic_ns()
        self._all.flying -= 1
        self.meters.ended(self._method, reason, now - self._began)
        if self.trace is not None:
            self.trace.ended(reason, now)

    @property
    def method(self) -> str:
        """The method, as named in METHODS."""
        return METHODS[self._method]


class Forwarding:
    """One exchange with a model. It measures only the waits for the model's service, not judging or a slow reader."""

    def __init__(self, watch: Watch, model: str) -> None:
        self._watch, self._model = watch, model
        self._waited, self._whole = 0, True

    def __enter__(self) -> Self:
        begin = self._watch.mark = monotonic_ns()
        if self._watch.trace is not None:
            TRACEPARENT.set(self._watch.trace.forwarding(self._model, begin))
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        watch, now = self._watch, monotonic_ns()
        if self._whole:  # a stream has counted its waits itself
            self._waited, watch.mark = now - watch.mark, now
        took(watch.meters.phases[FORWARD], self._waited)
        took(watch.meters.of_model(self._model).whole, self._waited)
        if error is not None:
            watch.meters.failed(self._model, error)
        if watch.trace is not None:
            TRACEPARENT.set("")
            watch.trace.forwarded(now, error)

    async def through(self, chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
        """The same pieces, with each wait for one counted. Closes `chunks` on every exit."""
        watch, self._whole, first = self._watch, False, True
        with self:
            async with aclosing(chunks):
                while True:
                    begin = monotonic_ns()
                    try:
                        chunk = await anext(chunks, None)
                    finally:
                        watch.mark = monotonic_ns()
                        self._waited += watch.mark - begin
                    if first:
                        took(watch.meters.of_model(self._model).first, self._waited)
                        first = False
                    if chunk is None:
                        return
                    yield chunk
