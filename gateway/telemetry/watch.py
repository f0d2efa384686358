"""One call, as it passes its milestones: how long each part took, how it ended, and a trace of it where that is wanted.

A caller may say which trace its call belongs to (W3C Trace Context). That much of it is taken: the identifiers of trace
and span, in exactly their form, once the caller is proved. Its flags decide nothing: whether a call is traced is drawn
here. `tracestate` and `baggage`, in which anything can stand, are never read and never handed on.
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
"""What the service of a model is told of the trace, while it is asked; empty where nothing is traced."""


class Trace(Protocol):
    """The trace of one call: `gateway.telemetry.spans`, which is loaded where it is configured. Times: monotonic_ns."""

    def proved(self) -> None:
        """The caller is believed: what it said of its own trace counts from now on."""

    def passed(self, phase: str, begin: int, end: int) -> None:
        """A part of the call is over."""

    def forwarding(self, model: str, begin: int) -> str:
        """The model is asked; the traceparent for its service."""

    def forwarded(self, end: int, error: BaseException | None) -> None:
        """It has answered."""

    def ended(self, reason: Reason | None, end: int) -> None:
        """The call is over."""


class Tracing(Protocol):
    """Makes traces, and sends them."""

    def begin(self, call: Call, begin: int) -> Trace:
        """The trace of a call."""

    async def close(self) -> None:
        """Send what is there, for a moment at most."""


@dataclass(slots=True)
class Telemetry:
    """What the calls of a process are watched with. tracing: None where it is not configured."""

    meters: Meters = field(default_factory=Meters)
    tracing: Tracing | None = None
    flying: int = 0

    def watch(self, call: Call) -> Watch:
        """The watch of one call."""
        return Watch(self, call)

    def refused(self, call: Call, reason: Reason, ns: int) -> None:
        """A call that was refused as soon as it was there. ns: how long that took, in nanoseconds."""
        self.meters.ended(method_of(call.method), reason, ns)


class Watch:
    """One call. Each milestone ends a part of it that began with the milestone before."""

    __slots__ = ("_all", "_began", "_method", "mark", "meters", "trace")

    def __init__(self, telemetry: Telemetry, call: Call) -> None:
        self._all, self.meters = telemetry, telemetry.meters
        self._method = method_of(call.method)
        self._began = self.mark = monotonic_ns()
        self.trace = telemetry.tracing.begin(call, self._began) if telemetry.tracing else None

    def begin(self) -> None:
        """The call is under way, until `ended`."""
        self._all.flying += 1

    def passed(self, phase: int) -> None:
        """A milestone."""
        now = monotonic_ns()
        took(self.meters.phases[phase], now - self.mark)
        if self.trace is not None:
            self.trace.passed(PHASES[phase], self.mark, now)
        self.mark = now

    def proved(self) -> None:
        """The caller is believed."""
        if self.trace is not None:
            self.trace.proved()
        self.passed(PROVE)

    def judged(self, phase: int, stage: Stage, readings: tuple[Reading, ...], decision: Decision) -> None:
        """A content was read, and decided about."""
        self.meters.read(readings)
        self.meters.decided(stage, decision)
        self.passed(phase)

    def forwarding(self, model: str) -> Forwarding:
        """The exchange with a model, around which this stands."""
        return Forwarding(self, model)

    def leaving(self) -> None:
        """What comes now is the last record."""
        self.mark = monotonic_ns()

    def ended(self, reason: Reason | None) -> None:
        """The call is over. reason: why it was refused, or failed."""
        now = monotonic_ns()
        self._all.flying -= 1
        self.meters.ended(self._method, reason, now - self._began)
        if self.trace is not None:
            self.trace.ended(reason, now)

    @property
    def method(self) -> str:
        """The method, by a name of METHODS."""
        return METHODS[self._method]


class Forwarding:
    """One exchange with a model. What is measured is the wait for its service: not judging, and not a slow reader."""

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
        """The same pieces. Each wait for one is counted; `chunks` is closed on every exit."""
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
