"""`make bench-steps`: the processor time of each step of a permitted call, on the event loop's thread.

The steps run in order, as in a call. A step that is repeated alone finds everything in the caches and takes half as
long. The difference to the cost of a call in `make bench` is gRPC's share and the log's thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.figures import Figure, options, report
from benchmarks.load import presented
from benchmarks.run import PERMITTED, folder
from brightline.v1 import inference_pb2
from gateway import app, config, contract, deployment, facts, logs, memory, pep, wire
from gateway.clock import Clock, system_us
from gateway.gate import Gate
from gateway.pdp.engine import encode
from gateway.telemetry import meters
from gateway.types import Call, Credentials, Stage, new_decision_id

TURNS = 3000
METHOD = "/brightline.v1.InferenceService/Generate"


def main() -> None:
    """Measure, print the table, write JSON."""
    arguments = options().parse_args()
    with folder() as place:
        figures = uvloop.run(measure(place / "deployment"))
    report(
        figures,
        arguments.json,
        title="Where a permitted call takes processor time",
        beside="",
        note=f"the median of {TURNS} turns",
    )


async def measure(place: Path) -> list[Figure]:
    """All steps, and the whole path without gRPC."""
    deployment.create(place, system_us(), learned=False)
    settings = config.load(place / "gateway.toml")
    logs.configure("error")
    clock = Clock()
    async with app.opened(settings, clock) as gate:
        memory.settle()
        took = await in_turn(await steps(place, gate))
    return [Figure(name, "us", value, None, "", None) for name, value in took.items()]


async def steps(place: Path, gate: Gate) -> dict[str, Callable[[], Awaitable[object]]]:
    """The steps of the path by name, each called as in the path. The last one is the whole path."""
    in_force, request = gate.in_force, inference_pb2.GenerateRequest
    credentials = presented(place)
    principal = await gate.identity.prove(credentials, in_force.release.tenants)
    prompt = wire.prompt(contract.parse(PERMITTED, request, len(PERMITTED)).prompt)
    judged = [*prompt.judged()]
    readings = await gate.detectors.read(judged)

    async def read() -> Any:
        return wire.prompt(contract.parse(PERMITTED, request, len(PERMITTED)).prompt)

    async def gather() -> Any:
        known = facts.gather(in_force.attributes, principal, prompt, judged, gate.clock(), audit_ready=True)
        known = known.at(Stage.REQUEST, readings, gate.detectors.liveness.standings())
        encode(known.input)
        return known

    known = await gather()
    decision = await in_force.engine.decide(known.input)
    permitted = decision.permit(prompt, known)
    upstream = gate.upstreams[permitted.model.upstream]
    completion = await upstream.generate(permitted, 10)

    async def record() -> None:
        async with gate.log.trail(call(credentials)) as trail:
            trail.in_force(in_force.release, in_force.engine.name, in_force.engine.version)
            trail.proved(principal)
            trail.asked(prompt)
            trail.saw(known, readings)
            trail.decided(decision)
            await trail.intend(permitted)
            trail.judged(Stage.RESPONSE, known, readings, decision)
            trail.answered(completion.parts, completion.end)

    one = call(credentials)

    async def counted() -> None:
        watch = gate.telemetry.watch(one)
        watch.begin()
        watch.proved()
        for phase in (meters.READ, meters.WAIT, meters.FACTS, meters.SIGNALS):
            watch.passed(phase)
        watch.judged(meters.DECIDE, Stage.REQUEST, readings, decision)
        watch.passed(meters.INTEND)
        with watch.forwarding(permitted.model.id):
            pass
        watch.judged(meters.JUDGE, Stage.RESPONSE, readings, decision)
        watch.leaving()
        watch.passed(meters.RECORD)
        watch.ended(None)

    async def whole() -> None:
        now = call(credentials)
        await pep.generate(now, read, gate, in_force)
        gate.bulkhead.give_back(now.decision_id)

    return {
        "1 prove who asks": lambda: gate.identity.prove(credentials, in_force.release.tenants),
        "read the message by the contract": read,
        "2 gather the facts, as JSON": gather,
        "3 read the question": lambda: gate.detectors.read(judged),
        "4 decide": lambda: in_force.engine.decide(known.input),
        "6 the loopback upstream": lambda: upstream.generate(permitted, 10),
        "5, 8 two records, on this thread": record,
        "metrics, of all that a call passes": counted,
        "the whole path, 3 and 4 twice": whole,
    }


def call(credentials: Credentials) -> Call:
    """A call that arrives now with a deadline of half a minute."""
    now_us = system_us()
    return Call(new_decision_id(now_us), METHOD, credentials, now_us, now_us + 30_000_000)


async def in_turn(steps: dict[str, Callable[[], Awaitable[object]]]) -> dict[str, float]:
    """The median processor time of each step, in microseconds."""
    took_ns: dict[str, list[int]] = {name: [] for name in steps}
    for _ in range(TURNS):
        for name, step in steps.items():
            begin = time.thread_time_ns()
            await step()
            took_ns[name].append(time.thread_time_ns() - begin)
    return {name: statistics.median(taken) / 1000 for name, taken in took_ns.items()}


if __name__ == "__main__":
    main()
