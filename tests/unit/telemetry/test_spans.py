"""What is taken of a trace that a caller says it belongs to."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.meters import Meters
from gateway.telemetry.spans import Traced
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
