"""Callers that leave, in every phase of a call and in every way: one refusal, or one intent and its one outcome.

The ways: the stream is reset, the deadline passes, the connection breaks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import pytest_asyncio

from gateway.audit.store import Store
from gateway.clock import Clock, monotonic_us, system_us
from tests.support.attacks import HEALTH, issuer, message, serves, verified
from tests.support.gateways import LOGISTICS, Deployment, Running, serving
from tests.support.jwks_server import JwksServer
from tests.support.opa import free_port
from tests.support.raw_http2 import Raw, connected
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("Generate", "GenerateStream")
WAYS = {
    "reset": ("CANCELLED", "cancelled"),
    "deadline": ("DEADLINE_EXCEEDED", "deadline"),
    "disconnect": ("CANCELLED", "cancelled"),
}
"""The reason and the outcome that each way of leaving is recorded with, unless something was released."""

SILENT = "loopback: wait 60000"
TALKS_THEN_SILENT = f"loopback: say {'All quiet here. ' * 200}\n{SILENT}"


class Slow:
    """A gateway, and what makes its parts wait. passed_us moves both of its clocks."""

    def __init__(self, running: Running, jwks: JwksServer, passed_us: list[int]) -> None:
        self.running = running
        self.jwks = jwks
        self._passed_us = passed_us

    @contextmanager
    def keys(self) -> Iterator[str]:
        """Within it the issuer does not answer. Gives a token of an unknown key, for which it has to be asked."""
        self.jwks.gate.clear()
        self._passed_us[0] += 11_000_000
        try:
            yield issuer(self.running).token(self.running.certificate(LOGISTICS), header={"kid": "unknown"})
        finally:
            self.jwks.gate.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slow]:
    """A gateway with an issuer over HTTPS, and patience with its log."""
    folder = tmp_path_factory.mktemp("slow")
    deployed, passed_us = Deployment.create(folder), [0]
    jwks = JwksServer(folder)
    jwks.body = (deployed.folder / "issuer" / "jwks.json").read_bytes()
    await jwks.start()
    deployed.edit('jwks_file = "issuer/jwks.json"', f'jwks_url = "{jwks.url}"\nca = "{jwks.ca}"')
    deployed.edit("[audit]\n", "[audit]\ndeadline_ms = 20000\nunauthenticated_per_s = 1000\n")
    clock = Clock(lambda: system_us() + passed_us[0], lambda: monotonic_us() + passed_us[0])
    async with serving(deployed, clock) as gateway:
        yield Slow(gateway, jwks, passed_us)
    await jwks.stop()
    verified(deployed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undecided(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Running, list[int]]]:
    """A gateway whose engine never answers, and a list that grows by each question."""
    asked: list[int] = []

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            asked.append(1)
        writer.close()

    port = free_port()
    deployed = Deployment.create(tmp_path_factory.mktemp("undecided"))
    deployed.edit('engine = "wasm"', f'engine = "opa"\nopa_url = "http://127.0.0.1:{port}"\ndeadline_ms = 10000')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.health.ASK_S", 3600)  # calls alone ask
        async with await asyncio.start_server(never, "127.0.0.1", port), serving(deployed) as gateway:
            yield gateway, asked
    verified(deployed)


@contextmanager
def slow_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Within it no record becomes durable. The event says that one was about to be."""
    begun, free = threading.Event(), threading.Event()
    append = Store.append

    def wait(store: Store, entries: Any) -> Any:
        begun.set()
        assert free.wait(90)
        return append(store, entries)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", wait)
        try:
            yield begun
        finally:
            free.set()


async def leave(raw: Raw, stream: int, way: str) -> None:
    """Go, and return when the gateway can know it."""
    match way:
        case "reset":
            raw.reset(stream)
            raw.flush()
            await caught_up(raw)
        case "deadline":
            assert (await raw.answer(stream)).headers["grpc-status"] == "4"
        case "disconnect":
            raw.abort()


async def caught_up(raw: Raw) -> None:
    """Return when the gateway has seen everything that was sent before."""
    stream = raw.begin(f"{HEALTH}/Check")
    raw.message(stream, b"", end=True)
    await raw.answer(stream)


def headers(way: str, **more: str) -> dict[str, str | bytes | None]:
    """A deadline that passes soon where that is the way to leave."""
    return {"grpc-timeout": "700m" if way == "deadline" else "20S", **more}


@asynccontextmanager
async def leaves(running: Running, *kinds: str, reason: str, outcome: str, calls: int) -> AsyncIterator[None]:
    """What happens within leaves exactly these records, the last of them with this reason and outcome."""
    before, forwarded = len(running.records()), running.calls
    yield
    await until(lambda: len(running.records()) >= before + len(kinds))
    new = running.records()[before:]
    assert tuple(r["kind"] for r in new) == kinds
    assert len({r["decision_id"] for r in new}) == 1
    assert (new[-1]["reason"], new[-1]["outcome"]) == (reason, outcome)
    assert running.calls - forwarded == calls


async def stays(running: Running) -> None:
    """Nothing more was recorded of the calls that left, and the gateway serves the next."""
    before = len(running.records())
    await serves(running)
    assert [r["kind"] for r in running.records()[before:]] == ["intent", "outcome"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_leaving_while_the_identity_is_proved(slow: Slow, method: str, way: str) -> None:
    """A caller that leaves while the issuer's keys are fetched leaves one refusal, of nobody."""
    reason, outcome = WAYS[way]
    asked = slow.jwks.asked
    async with connected(slow.running) as raw:
        with slow.keys() as token:
            async with leaves(slow.running, "refusal", reason=reason, outcome=outcome, calls=0):
                stream = raw.begin(method, headers(way, authorization=f"Bearer {token}"))
                raw.message(stream, message(), end=True)
                await until(lambda: slow.jwks.asked > asked)
                await leave(raw, stream, way)
    assert slow.running.records("refusal")[-1]["principal"] is None
    await stays(slow.running)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_leaving_while_the_message_is_awaited(slow: Slow, method: str, way: str) -> None:
    """A caller that proved itself and leaves before its message came leaves one refusal."""
    reason, outcome = WAYS[way]
    async with connected(slow.running) as raw:
        prove = raw.begin("ListModels")
        raw.message(prove, b"", end=True)
        await raw.answer(prove)
        async with leaves(slow.running, "refusal", reason=reason, outcome=outcome, calls=0):
            stream = raw.begin(method, headers(way))
            await caught_up(raw)
            await leave(raw, stream, way)
    assert slow.running.records("refusal")[-1]["principal"]["tenant"] == LOGISTICS
    await stays(slow.running)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", [*METHODS, "CheckPolicy"])
async def test_leaving_while_the_policy_decides(undecided: tuple[Running, list[int]], method: str, way: str) -> None:
    """A caller that leaves while the engine is silent leaves one refusal without a decision."""
    (running, asked), (reason, outcome) = undecided, WAYS[way]
    questions = len(asked)
    async with connected(running) as raw, leaves(running, "refusal", reason=reason, outcome=outcome, calls=0):
        stream = raw.begin(method, headers(way))
        raw.message(stream, message(), end=True)
        await until(lambda: len(asked) > questions)
        await leave(raw, stream, way)
    assert running.records("refusal")[-1]["decision"] is None
    verified(running)


@pytest.mark.parametrize("way", ["reset", "deadline"])
@pytest.mark.parametrize("method", METHODS)
async def test_leaving_while_the_intent_becomes_durable(
    slow: Slow, method: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that leaves between decision and durable intent leaves both records, and nothing is forwarded."""
    reason, outcome = WAYS[way]
    async with (
        connected(slow.running) as raw,
        leaves(slow.running, "intent", "outcome", reason=reason, outcome=outcome, calls=0),
    ):
        with slow_log(monkeypatch) as begun:
            stream = raw.begin(method, headers(way))
            raw.message(stream, message(), end=True)
            await until(begun.is_set)
            await leave(raw, stream, way)
    await stays(slow.running)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_leaving_while_the_upstream_is_silent(slow: Slow, method: str, way: str) -> None:
    """A caller that leaves a model that has not answered leaves an intent and an outcome that says so."""
    reason, outcome = WAYS[way]
    calls = slow.running.calls
    async with (
        connected(slow.running) as raw,
        leaves(slow.running, "intent", "outcome", reason=reason, outcome=outcome, calls=1),
    ):
        stream = raw.begin(method, headers(way))
        raw.message(stream, message(prompt=SILENT), end=True)
        await until(lambda: slow.running.calls > calls)
        await leave(raw, stream, way)
    assert slow.running.records("outcome")[-1]["counts"]["bytes_released"] == 0
    await stays(slow.running)


@pytest.mark.parametrize("way", WAYS)
async def test_leaving_in_mid_stream(slow: Slow, way: str) -> None:
    """A caller that leaves after a part of the answer leaves an outcome that says partial, and how much."""
    reason, _ = WAYS[way]
    async with (
        connected(slow.running) as raw,
        leaves(slow.running, "intent", "outcome", reason=reason, outcome="partial", calls=1),
    ):
        stream = raw.begin("GenerateStream", headers(way))
        raw.message(stream, message(prompt=TALKS_THEN_SILENT, max_tokens=1000), end=True)
        await raw.some(stream, 1000)
        await leave(raw, stream, way)
    counts = slow.running.records("outcome")[-1]["counts"]
    assert 1000 < counts["bytes_released"] < len(TALKS_THEN_SILENT)
    await stays(slow.running)


@pytest.mark.parametrize("way", WAYS)
async def test_a_reader_that_does_not_read_is_waited_for_until_it_leaves(slow: Slow, way: str) -> None:
    """An answer that nobody takes is held back by flow control, not in memory, and ends with the caller."""
    reason, _ = WAYS[way]
    answer = f"loopback: say {'All quiet here. ' * 15_000}"
    async with (
        connected(slow.running) as raw,
        leaves(slow.running, "intent", "outcome", reason=reason, outcome="partial", calls=1),
    ):
        stream = raw.begin("GenerateStream", headers(way))
        await raw.send(stream, message(prompt=answer, max_tokens=60_000))
        await raw.some(stream, 1000)
        if way != "deadline":  # which passes without anybody reading
            await leave(raw, stream, way)
    counts = slow.running.records("outcome")[-1]["counts"]
    assert 0 < counts["bytes_released"] < len(answer) // 2
    await stays(slow.running)


async def test_many_that_leave_at_once_leave_a_record_each(slow: Slow) -> None:
    """Of sixty calls that break off together, each has its intent and its outcome."""
    before = len(slow.running.records())
    async with connected(slow.running) as raw:
        for n in range(60):
            stream = raw.begin(METHODS[n % 2])
            await raw.room(stream, 1000)
            raw.message(stream, message(prompt=SILENT), end=True)
        await until(lambda: len(slow.running.records()) >= before + 60)
        raw.abort()
    await until(lambda: len(slow.running.records()) >= before + 120)
    new = slow.running.records()[before:]
    assert sorted(r["kind"] for r in new) == ["intent"] * 60 + ["outcome"] * 60
    assert {r["reason"] for r in new if r["kind"] == "outcome"} == {"CANCELLED"}
    await stays(slow.running)
