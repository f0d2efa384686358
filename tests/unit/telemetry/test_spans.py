"""What is taken of a trace that a caller says it belongs to."""

from __future__ import annotations

import re
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from gateway.config import Tracing
from gateway.telemetry.meters import Meters
from gateway.telemetry.spans import Traced, exporter
from gateway.types import Call, Credentials

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HANDED_ON = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-00")


def handed_on(*said: str) -> tuple[str, str]:
    """Trace and span that a model's service is told of, for what a proved caller said."""
    call = Call("id", "/brightline.v1.InferenceService/Generate", Credentials((), (), ""), 0, None, said)
    trace = Traced(None, call, 0, Meters())
    trace.proved()
    match = HANDED_ON.fullmatch(trace.forwarding("model", 0))
    assert match
    assert int(match[1], 16)
    assert int(match[2], 16)
    return match[1], match[2]


def test_the_trace_is_kept_and_the_span_is_ours() -> None:
    """A well-formed one is gone on with, under a span of the gateway's own."""
    trace, span = handed_on(f"00-{TRACE}-{PARENT}-01")
    assert (trace, span == PARENT) == (TRACE, False)


def test_two_are_none() -> None:
    """Who says two says none."""
    assert handed_on(*[f"00-{TRACE}-{PARENT}-01"] * 2)[0] != TRACE


@given(st.lists(st.text() | st.from_regex(rf"00-{TRACE}-.{{16}}-..", fullmatch=True), max_size=2))
def test_whatever_is_said_what_is_handed_on_is_well_formed(said: list[str]) -> None:
    """Nothing that a caller writes reaches a model's service but the digits of a trace."""
    handed_on(*said)


ENDLESS = 256
"""MiB of an answer, which is taken for endless."""


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("200 OK", SpanExportResult.SUCCESS),
        ("400 Bad Request", SpanExportResult.FAILURE),
        ("307 Temporary Redirect\r\nlocation: /elsewhere", SpanExportResult.FAILURE),
    ],
)
def test_nothing_is_read_of_what_a_collector_answers(head: str, expected: SpanExportResult) -> None:
    """An answer without an end takes no memory and no time, and one that points elsewhere is none that took spans."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sent: list[int] = []
        answering = threading.Thread(target=lambda: sent.append(answer_without_end(listener, head)))
        answering.start()
        made = exporter(Tracing(endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"))
        assert made.export([a_span()]) is expected
        made.shutdown()
        answering.join()
    assert sent[0] < ENDLESS


def a_span() -> ReadableSpan:
    """A span that is over."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("test")
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def answer_without_end(listener: socket.socket, head: str) -> int:
    """Answer one request with a body that goes on for as long as it is taken; how many MiB of it were."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        for number in range(ENDLESS):
            try:
                connection.sendall(piece)
            except OSError:
                return number
        connection.sendall(b"0\r\n\r\n")
        return ENDLESS
