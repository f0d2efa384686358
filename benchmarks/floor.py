"""`make bench-floor`: the cost of the libraries in a call, and what remains for everything else.

Even if its own code took no time, a gateway would have to read gRPC over mutual TLS, check the message by the contract,
evaluate the policy, write its records as JSON, hash them and commit them. Each of these is measured with as little
other code as possible, on the inputs of a real call. The rest of a call's cost is the gateway's own code and the
interpreter.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, cast

import grpc
import orjson
import protovalidate
import uvloop

from benchmarks.figures import Figure, options, report
from benchmarks.load import presented, throughput
from benchmarks.run import PERMITTED, cpu_ms, folder, is_answer, serving
from benchmarks.steps import call, in_turn
from brightline.v1 import inference_pb2
from gateway import app, config, contract, deployment, inference_service, logs, memory, pep, transport, wire
from gateway.audit.sqlite import Sqlite
from gateway.clock import Clock, system_us
from gateway.config import Config
from gateway.gate import Gate
from gateway.pdp.engine import encode
from gateway.types import Prompt

CALLS, IN_FLIGHT = 10_000, 32
REQUEST = inference_pb2.GenerateRequest
LAST = "SELECT leaf FROM entries WHERE kind IN ('outcome', 'intent') ORDER BY idx DESC LIMIT 2"
PERMITTED_S, REFUSED_S = 1500, 3000
"""Targets: calls a second."""
SHARES = CHECK, DECISIONS, RECORDS, COMMITS = (
    "protobuf and protovalidate",
    "the policy in Wasm, twice",
    "two records by orjson and SHA-256",
    "two commits of SQLite",
)


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = options()
    parser.add_argument("--echo", type=Path, help="serve empty answers with this deployment's certificates")
    arguments = parser.parse_args()
    if arguments.echo:
        uvloop.run(echo(arguments.echo))
        return
    logs.configure("error")
    with folder() as place:
        figures = uvloop.run(measure(place / "deployment"))
    report(
        figures,
        arguments.json,
        title="What the libraries of a call take by themselves",
        beside="the whole gateway",
        note="processor time of a call, and calls a second of all cores; the whole gateway has one process",
    )


async def measure(place: Path) -> list[Figure]:
    """The libraries' shares of a permitted call, their sum, and the calls per second that this sum permits."""
    deployment.create(place, system_us(), learned=False)
    transported, _, asking = await under_load(place, sys.executable, "-m", "benchmarks.floor", "--echo", str(place))
    gateway, rate, _ = await under_load(place)
    alone = {name: us / 1000 for name, us in (await in_process(place)).items()}
    floor = transported + sum(alone.values())
    refusing = transported + alone[CHECK] + (alone[DECISIONS] + alone[RECORDS] + alone[COMMITS]) / 2
    limit, refusals = ((os.cpu_count() or 1) * 1000 / (one + asking) for one in (floor, refusing))
    return [
        Figure("gRPC over mutual TLS, an answer without a question", "ms", transported, None, "", None),
        *(Figure(name, "ms", value, None, "", None) for name, value in alone.items()),
        Figure("all of these", "ms", floor, gateway, "", None),
        Figure("all of these for a refusal: one decision, one record", "ms", refusing, None, "", None),
        Figure("the load generator", "ms", asking, None, "", None),
        Figure("permitted calls that these leave", "/s", limit, rate, f">= {PERMITTED_S}", limit >= PERMITTED_S),
        Figure("refused calls that these leave", "/s", refusals, None, f">= {REFUSED_S}", refusals >= REFUSED_S),
    ]


async def under_load(place: Path, *command: str) -> tuple[float, int, float]:
    """For a server: processor time of a call in ms, calls per second, processor time of the load generator."""
    (place / "address").unlink(missing_ok=True)
    async with serving(place, *command) as (caller, process):
        ask = caller.asks(PERMITTED)
        await throughput(ask, CALLS // 5, IN_FLIGHT, is_answer)
        before, own = cpu_ms(process), time.process_time()
        rate = await throughput(ask, CALLS, IN_FLIGHT, is_answer)
        return (cpu_ms(process) - before) / CALLS, rate, (time.process_time() - own) * 1000 / CALLS


async def echo(place: Path) -> None:
    """Serve gRPC as the gateway does, with a handler that reads the message and does nothing with it."""
    settings = config.load(place / "gateway.toml")

    async def handle(_: object, context: Any) -> bytes:
        await context.read()
        await context.read()
        return b""

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server(options=transport.options(settings.limits, shared=False))
    handlers = {"Generate": grpc.stream_unary_rpc_method_handler(handle)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(inference_service.SERVICE, handlers)])
    port = server.add_secure_port("127.0.0.1:0", transport.Tls(settings.listener).credentials())
    await server.start()
    memory.settle()
    (place / "address").write_text(f"127.0.0.1:{port}\n")
    await stop.wait()
    await server.stop(None)


async def in_process(place: Path) -> dict[str, float]:
    """Processor time of each library's work in one permitted call, in microseconds."""
    settings = config.load(place / "gateway.toml")
    async with app.opened(settings, Clock()) as gate:
        leaves = await records(place, settings, gate)
        log = Sqlite(place / "floor.sqlite3")
        log.open("floor")
        try:
            memory.settle()
            return await in_turn(libraries(cast("Any", gate.in_force.engine), leaves, log))
        finally:
            log.release()


async def records(place: Path, settings: Config, gate: Gate) -> list[bytes]:
    """The outcome and the intent of a call, as the log has them."""

    async def read() -> Prompt:
        return wire.prompt(contract.parse(PERMITTED, REQUEST, len(PERMITTED)).prompt)

    await pep.generate(call(presented(place)), read, gate, gate.in_force)
    with closing(sqlite3.connect(settings.audit.path)) as log:
        return [leaf for (leaf,) in log.execute(LAST).fetchall()]


def libraries(engine: Any, leaves: list[bytes], log: Sqlite) -> dict[str, Callable[[], Awaitable[object]]]:
    """Two decisions and two records, with as little other code as possible."""
    ruled = contract._with_rules(REQUEST.DESCRIPTOR.full_name)  # noqa: SLF001 - what `parse` does besides is ours
    values, number = [orjson.loads(leaf) for leaf in leaves], count()
    text = encode(values[1]["input"])

    async def check() -> None:
        REQUEST.FromString(PERMITTED)
        protovalidate.collect_violations(ruled.FromString(PERMITTED), fail_fast=True)

    async def evaluate() -> None:
        for _ in range(2):
            engine._evaluate(text)  # noqa: SLF001 - what `decide` does besides is ours

    async def write() -> None:
        for value in values:
            hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()

    async def commit() -> None:
        for leaf in leaves:
            index = next(number)
            log.insert([(index, leaf, bytes(32), f"{index:032}", "intent", index, "tenant", None, None, None)])

    return {
        CHECK: check,
        DECISIONS: evaluate,
        RECORDS: write,
        COMMITS: commit,
    }


if __name__ == "__main__":
    main()
