"""The load generators: wrk for HTTP/1.1, ghz for gRPC, and `wire` for the times of streams over both.

Every run's answers are counted. One that does not fit the case (an answer, or a refusal) ends the measurement of the
system, because its figures would be meaningless.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.peers.processes import NotHereError, finished

POST = Path(__file__).with_name("post.lua")
CONNECTIONS = 16
"""Connections of ghz with many calls in flight. The kernel assigns them to workers at random. wrk has one for each
call."""
MARGIN_S = 120


@dataclass(frozen=True, slots=True)
class Result:
    """The results of a run. Latencies are in milliseconds for one call."""

    rate: float
    p50_ms: float
    p99_ms: float
    calls: int


class Load(Protocol):
    """One kind of call of a system."""

    def run(self, in_flight: int, seconds: float) -> Result:
        """Call in a closed loop. Raises NotHereError if an answer does not fit the case."""


@dataclass(frozen=True, slots=True)
class Wrk:
    """An HTTP POST. refused: whether the case expects refusals, each with an HTTP status of at least 400."""

    program: Path
    url: str
    body: Path
    headers: tuple[str, ...] = ()
    refused: bool = False

    def run(self, in_flight: int, seconds: float) -> Result:
        """See Load."""
        wrk: list[object] = [
            self.program,
            "--threads",
            1,
            "--connections",
            in_flight,
            "--duration",
            f"{max(1, round(seconds))}s",
        ]
        wrk += ["--timeout", "30s", "--script", POST, self.url, "--", self.body, *self.headers]
        return read_wrk(said(wrk), refusals=self.refused)


@dataclass(frozen=True, slots=True)
class Ghz:
    """A gRPC call. request: serialised, or JSON if the server has reflection. options: TLS, metadata, descriptors."""

    program: Path
    address: str
    call: str
    request: Path
    status: str = "OK"
    options: tuple[str | Path, ...] = field(default=())

    def run(self, in_flight: int, seconds: float) -> Result:
        """See Load."""
        shape = ["--data-file" if self.request.suffix == ".json" else "--binary-file", self.request]
        many = ["--concurrency", in_flight, "--connections", min(in_flight, CONNECTIONS), "--duration", f"{seconds}s"]
        many += ["--duration-stop", "wait", "--timeout", "30s", "--total", 0, "--format", "json"]
        call = ["--call", self.call, "--disable-template-data", "--disable-template-functions"]
        return read_ghz(said([self.program, *call, *shape, *many, *self.options, self.address]), self.status)


def read_wrk(text: str, *, refusals: bool) -> Result:
    """The figures that post.lua prints after wrk's own. Raises NotHereError."""
    figures = parsed(text.rstrip().rpartition("\n")[2])
    calls, refused = figures["calls"], figures["refused"]
    if not calls or figures["broken"] or refused != (calls if refusals else 0):
        raise NotHereError(f"of {calls} calls {refused} were refused and {figures['broken']} were broken off")
    return Result(
        calls * 1e6 / figures["duration_us"], figures["p50_us"] / 1000, figures["p99_us"] / 1000, figures["calls"]
    )


def read_ghz(text: str, status: str) -> Result:
    """The figures of ghz's JSON report. Raises NotHereError."""
    report = parsed(text)
    statuses = report["statusCodeDistribution"]
    if set(statuses) != {status}:
        first = next(iter(report.get("errorDistribution") or {}), "")
        raise NotHereError(f"calls ended with {statuses} instead of {status} {first}".strip())
    # Refusals are errors to ghz, which leaves them out of its own percentiles.
    taken = sorted(call["latency"] for call in report["details"])
    return Result(report["rps"], percentile(taken, 50) / 1e6, percentile(taken, 99) / 1e6, len(taken))


@dataclass(frozen=True, slots=True)
class Streams:
    """Times of streams, in milliseconds: until the first text, and until the end."""

    first_p50_ms: float
    first_p99_ms: float
    whole_p50_ms: float


def streams(wire: Path, *arguments: str | Path | int) -> Streams:
    """Times of sequential streams, by `wire http` or `wire grpc`. Raises NotHereError."""
    times = parsed(said([wire, *arguments]))
    first, whole = times["first_us"], times["whole_us"]
    return Streams(percentile(first, 50) / 1000, percentile(first, 99) / 1000, percentile(whole, 50) / 1000)


def parsed(text: str) -> Any:
    """Parse the figures that a generator printed. Raises NotHereError."""
    try:
        return json.loads(text)
    except ValueError:
        raise NotHereError(f"the generator printed no figures: {text.strip()[-200:]}") from None


def percentile(ascending: Sequence[float], percent: int) -> float:
    """The smallest value that at least that percentage of the values does not exceed."""
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)]


def said(command: Sequence[Any]) -> str:
    """The output of a program. Raises NotHereError if it fails or does not end."""
    done = finished(command, within_s=MARGIN_S)
    if done.returncode:
        text = (done.stderr or done.stdout).strip()
        raise NotHereError(f"{Path(done.args[0]).name}: {text[-300:]}")
    return done.stdout
