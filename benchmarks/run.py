"""`make bench`: the cost of the gateway, each figure beside a direct call to the same upstream in the same run.

Mutual TLS, token, Rego in Wasm, the lexical detector on request and answer, and two durable records for each call are
on. The learned detector is on where a figure says so. Load generator, gateway and upstream share the machine. There are
two upstreams. `loopback` is called inside the process, so its figures are the gateway's own cost. `openai` is a local
server, called by the real SDK and through the gateway.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count, cycle, pairwise
from pathlib import Path

import uvloop
from grpc import StatusCode
from openai import AsyncOpenAI

from benchmarks.figures import Figure, options, report
from benchmarks.load import Caller, Latency, latency, question, throughput
from brightline.v1 import inference_pb2
from gateway import contract, deployment, memory, release, wire
from gateway.clock import system_us
from gateway.config import Upstream
from gateway.measuring.corpus import read
from gateway.types import Decision, Effect, Facts, Model, Tenant
from gateway.upstream import open_upstream
from tests.support.upstream_servers import MODEL

ROOT = Path(__file__).parent.parent
TEXT = (
    "We have to move 400 pallets of rations and spare parts from the northern depot to the two forward warehouses "
    "before Friday. Nine trucks are in service, each takes 22 pallets, and the road over the pass is closed at "
    "night. How many trips does each truck make, and which day is the tightest?"
)
PERMITTED, OPENAI = question(TEXT), question(TEXT, model="local")
REFUSED = question(TEXT, purpose="weapon_engagement")
INDEPENDENT = ROOT / "detectors" / "independent"
CALLS = 10_000
"""The calls of each throughput figure."""


def main() -> None:
    """Measure, print the table, write JSON. Exits with 0 even if a target is missed, because the table shows that."""
    parser = options()
    parser.add_argument("--requests", type=int, default=100_000, help="requests of the memory measurement")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="of the last throughput figures")
    arguments = parser.parse_args()
    figures = uvloop.run(measure(arguments.requests, arguments.workers))
    report(
        figures,
        arguments.json,
        title="What the gateway costs: mutual TLS, token, Rego, detectors and durable records on",
        beside="direct call",
        note="load generator, gateway and upstream on the same machine",
    )


async def measure(requests: int, workers: int) -> list[Figure]:
    """All figures: a gateway with one process for each upstream, then one with several workers."""
    memory.settle()  # the load generator, too
    with folder() as place:
        figures = await measure_loopback(place / "loopback", requests)
        figures += await measure_openai(place / "openai")
        figures += await measure_learned(place / "learned")
        return figures + await measure_workers(place / "workers", workers)


async def measure_learned(place: Path) -> list[Figure]:
    """Calls in which the learned detector reads each question and answer, as by default. All texts differ.

    It reads the question of the other figures to the end. Of most ordinary texts it does not read everything.
    """
    deployment.create(place, system_us())
    number, ordinary = count(), cycle(text.text for text in read(INDEPENDENT) if text.ordinary)
    async with serving(place) as (caller, process):
        ask = caller.asks(lambda: question(f"Request {next(number)}. {TEXT}"))
        one = await latency(ask, 500)
        rate = await throughput(ask, 1000, 32, is_answer)
        again = await latency(caller.asks(PERMITTED), 500)
        usual = await latency(caller.asks(lambda: question(next(ordinary))), 500)
        memory_mib = resident_mib(process)
    of = "with the learned detector: "
    return [
        Figure(f"{of}latency p50, one client", "ms", one.p50 / 1000, None, "", None),
        Figure(f"{of}latency p99, one client", "ms", one.p99 / 1000, None, "", None),
        Figure(f"{of}permitted, 32 in flight", "/s", rate, None, "", None),
        Figure(f"{of}latency p50 of a question that was read before", "ms", again.p50 / 1000, None, "", None),
        Figure(f"{of}latency p50 of ordinary questions by strangers", "ms", usual.p50 / 1000, None, "", None),
        Figure(f"{of}latency p99 of ordinary questions by strangers", "ms", usual.p99 / 1000, None, "", None),
        Figure(f"{of}resident memory", "MiB", memory_mib, None, "", None),
    ]


async def measure_workers(place: Path, workers: int) -> list[Figure]:
    """The throughput of several workers that share the machine with the load generator."""
    deployment.create(place, system_us(), learned=False)
    config = place / "gateway.toml"
    config.write_text(config.read_text().replace("[listener]\n", f"[listener]\nworkers = {workers}\n"))
    async with serving(place) as (caller, process):
        permitted, refused = caller.asks(PERMITTED), caller.asks(REFUSED)
        await throughput(permitted, 2000, 32, is_answer)
        rate = await throughput(permitted, CALLS, 32, is_answer)
        refusals = await throughput(refused, CALLS, 32, is_denied)
        memory_mib = resident_mib(process)
    of = f"{workers} workers: "
    return [
        Figure(f"{of}permitted, 32 in flight", "/s", rate, None, ">= 1500", rate >= 1500),
        Figure(f"{of}refused, 32 in flight", "/s", refusals, None, ">= 3000", refusals >= 3000),
        Figure(f"{of}resident memory of all processes", "MiB", memory_mib, None, "", None),
    ]


async def measure_loopback(place: Path, requests: int) -> list[Figure]:
    """The gateway's own cost. The direct call is a call inside the process, which costs next to nothing."""
    deployment.create(place, system_us(), learned=False)
    async with serving(place) as (caller, process):
        permitted, refused = caller.asks(PERMITTED), caller.asks(REFUSED)
        bare = await direct_loopback()
        one = await latency(permitted, 2000)
        spent = [cpu_ms(process)]
        rate = await throughput(permitted, CALLS, 32, is_answer)
        spent.append(cpu_ms(process))
        refusals = await throughput(refused, CALLS, 32, is_denied)
        spent.append(cpu_ms(process))
        before = resident_mib(process)
        await throughput(permitted, requests, 32, is_answer)
        after = resident_mib(process)
    growth = round(after - before, 1)
    busy, busy_refusing = ((end - begin) / CALLS for begin, end in pairwise(spent))
    p50, p99 = (one.p50 - bare.p50) / 1000, (one.p99 - bare.p99) / 1000
    return [
        Figure("added latency p50, one client", "ms", p50, bare.p50 / 1000, "<= 1.0", p50 <= 1.0),
        Figure("added latency p99, one client", "ms", p99, bare.p99 / 1000, "<= 5", p99 <= 5),
        Figure("permitted, 32 in flight", "/s", rate, None, ">= 1500", rate >= 1500),
        Figure("refused, 32 in flight", "/s", refusals, None, ">= 3000", refusals >= 3000),
        Figure("processor time of the gateway, permitted", "ms", busy, None, "", None),
        Figure("processor time of the gateway, refused", "ms", busy_refusing, None, "", None),
        Figure("resident memory", "MiB", after, None, "<= 250", after <= 250),
        Figure(f"growth over {requests} requests", "MiB", growth, None, "<= 10", growth <= 10),
    ]


async def measure_openai(place: Path) -> list[Figure]:
    """The same server, called by the SDK and through the gateway."""
    with openai_server() as url:
        deployment.create(place, system_us(), learned=False)
        point_at(place, url)
        async with AsyncOpenAI(base_url=url, api_key="benchmark", max_retries=0) as sdk:

            async def direct() -> object:
                messages = [{"role": "user", "content": TEXT}]
                return await sdk.chat.completions.create(model=MODEL, messages=messages, max_tokens=200)

            bare = await latency(direct, 1000)
            bare_rate = await throughput(direct, 2000, 32, lambda _: True)
        async with serving(place) as (caller, _):
            through = await latency(caller.asks(OPENAI), 1000)
            rate = await throughput(caller.asks(OPENAI), 2000, 32, is_answer)
    p50, p99 = (through.p50 - bare.p50) / 1000, (through.p99 - bare.p99) / 1000
    return [
        Figure("openai: added latency p50", "ms", p50, bare.p50 / 1000, "<= 1.0", p50 <= 1.0),
        Figure("openai: added latency p99", "ms", p99, bare.p99 / 1000, "<= 5", p99 <= 5),
        Figure("openai: permitted, 32 in flight", "/s", rate, bare_rate, "", None),
    ]


async def direct_loopback() -> Latency:
    """The same upstream, called as the gateway calls it, without a gateway."""
    loopback = open_upstream(Upstream(name="loopback", kind="loopback"), 1 << 20)
    prompt = wire.prompt(contract.parse(PERMITTED, inference_pb2.GenerateRequest, len(PERMITTED)).prompt)
    permitted = Decision(Effect.ALLOW, (), (), ()).permit(prompt, Facts({}, deployment.MODELS[0]))
    try:
        return await latency(lambda: loopback.generate(permitted, 10), 2000)
    finally:
        await loopback.close()


def is_answer(answer: object) -> bool:
    """Whether a call was answered."""
    return isinstance(answer, bytes)


def is_denied(answer: object) -> bool:
    """Whether a call was refused by a rule."""
    return isinstance(answer, tuple) and answer[0] is StatusCode.PERMISSION_DENIED


@asynccontextmanager
async def serving(place: Path, *command: str) -> AsyncIterator[tuple[Caller, int]]:
    """A running gateway process on the deployment: a caller and the process id.

    command: another server, which writes its address to the same place.
    """
    log = (place / "gateway.log").open("wb")
    gateway = (sys.executable, "-m", "gateway", "serve", "--config", str(place / "gateway.toml"))
    process = await asyncio.create_subprocess_exec(*(command or gateway), stderr=log)
    try:
        address = place / "address"
        give_up = time.monotonic() + 120
        while not address.exists():
            if process.returncode is not None or time.monotonic() > give_up:
                raise SystemExit(f"the gateway did not start; see {log.name}")
            await asyncio.sleep(0.02)
        caller = Caller(place, address.read_text().strip())
        yield caller, process.pid
        await caller.close()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        log.close()


@contextmanager
def openai_server() -> Iterator[str]:
    """The tests' chat completions server as a process; its base URL."""
    command = [sys.executable, "-m", "tests.support.upstream_servers", "openai", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.strip().removesuffix("/") + "/v1"
        finally:
            process.terminate()


def point_at(place: Path, url: str) -> None:
    """Add a model behind the OpenAI-compatible server to the deployment."""
    models = (
        *deployment.MODELS,
        Model("local", "A local server.", "local", MODEL, deployment.MODELS[0].attributes),
    )
    tenants = [
        Tenant(t.id, t.certificates, {**t.attributes, "models": ["loopback", "local"]}) for t in deployment.TENANTS
    ]
    shutil.rmtree(place / "release")
    release.create(place / "release", 2, tenants, models, ())
    deployment.publish(place)
    key = place / "api.key"
    key.touch(mode=0o600)
    key.write_text("benchmark")
    config = place / "gateway.toml"
    lines = config.read_text().splitlines()
    lines += ["", "[[upstreams]]", 'name = "local"', 'kind = "openai"', f'base_url = "{url}"', 'api_key = "api.key"']
    config.write_text("\n".join(lines) + "\n")


def cpu_ms(process: int) -> float:
    """Processor time so far of a gateway with all its processes, in milliseconds."""
    total = 0
    for one in processes(process):
        user, system = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]
        total += int(user) + int(system)
    return total * 1000 / os.sysconf("SC_CLK_TCK")


def resident_mib(process: int) -> float:
    """Resident memory of a gateway in MiB. Memory that its processes share counts once."""
    found = [
        int(line.split()[1])
        for one in processes(process)
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return round(sum(found) / 1024, 1)


def processes(process: int) -> list[int]:
    """The process ids of a gateway and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *map(int, children)]


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder inside the checkout, so that the log is on the same disk."""
    place = Path(tempfile.mkdtemp(prefix=".bench-", dir=ROOT))
    try:
        yield place
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
