"""The port stays open and tells the truth: whatever ends gRPC's loop, and whoever watches without reading."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path

import grpc
import h2.settings
import pytest
from grpc_health.v1 import health_pb2

from gateway import config, health, listener
from gateway.clock import Clock, monotonic_us, system_us
from tests.support.attacks import HEALTH, SERVICE, attacking, authority, message, put, refused, serves, verified
from tests.support.gateways import HEALTH as RIVER
from tests.support.gateways import Deployment, Running, serving, spawned
from tests.support.raw_http2 import Raw, connected, plain
from tests.support.waiting import until

NO_TEXT = {":path": b"/\xff\xfe"}


async def reachable(deployed: Deployment) -> None:
    """Return once the gateway answers on a connection of its own."""
    async with asyncio.timeout(180):
        while True:
            try:
                async with attacking(deployed) as attacker:
                    assert await attacker.call("ListModels", b"")
                    return
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE


def forwarded(deployed: Deployment) -> int:
    """How many calls reached the upstream."""
    journal = deployed.folder / "journal"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


async def ends_the_loop(deployed: Deployment) -> None:
    """Name a method in bytes that are no text, and wait until that is recorded."""
    before = len(deployed.records("refusal"))
    async with connected(deployed) as raw:
        raw.begin("/", NO_TEXT, end=True)
        await until(lambda: len(deployed.records("refusal")) > before)
    assert [r["reason"] for r in deployed.records("refusal")[before:]] == ["METHOD_UNKNOWN"]


# --- the loop of gRPC --------------------------------------------------------------------------------------------


async def test_a_method_that_is_no_text_does_not_end_the_service(tmp_path: Path) -> None:
    """Each such call is refused with a record; the port opens again, and calls in flight get their answers."""
    deployed = Deployment.create(tmp_path)
    deployed.edit('kind = "loopback"', 'kind = "loopback"\njournal = "journal"')
    slow = message(prompt="loopback: wait 1500\nloopback: say done")
    with spawned(deployed) as process:
        address = deployed.address
        for number in range(3):
            async with attacking(deployed) as honest:
                flying = [asyncio.create_task(honest.call(m, slow)) for m in ("Generate", "GenerateStream")]
                await until(lambda n=number: forwarded(deployed) == 2 * n + 2)  # type: ignore[misc]
                await ends_the_loop(deployed)
                await reachable(deployed)
                assert all(b"done" in b"".join(answer) for answer in await asyncio.gather(*flying))
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 90)
        assert (process.returncode, deployed.address) == (0, address)
    assert forwarded(deployed) == 6
    assert [r["outcome"] for r in deployed.records("outcome")] == ["completed"] * 6
    assert [r["kind"] for r in deployed.records()][-1] == "stop"
    assert not verified(deployed).open_intents


async def test_a_gateway_that_is_stopped_while_its_loop_ends_still_drains(tmp_path: Path) -> None:
    """SIGTERM right after such a call ends the process in order: outcomes, then the stop, and it exits with 0."""
    deployed = Deployment.create(tmp_path)
    deployed.edit('kind = "loopback"', 'kind = "loopback"\njournal = "journal"')
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndrain_ms = 60000\n")
    with spawned(deployed) as process:
        async with attacking(deployed) as honest, connected(deployed) as raw:
            slow = message(prompt="loopback: wait 500\nloopback: say done")
            flying = asyncio.create_task(honest.call(data=slow))
            await until(lambda: forwarded(deployed) == 1)
            raw.begin("/", NO_TEXT, end=True)
            process.send_signal(signal.SIGTERM)
            assert b"done" in b"".join(await flying)
            await asyncio.to_thread(process.wait, 90)
        assert process.returncode == 0
    assert [r["outcome"] for r in deployed.records("outcome")] == ["completed"]
    assert deployed.records()[-1]["kind"] == "stop"
    verified(deployed)


async def test_a_stop_in_the_moment_in_which_the_loop_ends_cuts_nothing_off() -> None:
    """A drain that begins between the end of gRPC's loop and gRPC's own stop of it waits for the calls in flight."""
    server, begun, let_go = grpc.aio.server(), asyncio.Event(), asyncio.Event()
    stops: list[asyncio.Task[None]] = []

    async def slow(_: bytes, __: object) -> bytes:
        begun.set()
        await let_go.wait()
        return b"done"

    method = grpc.unary_unary_rpc_method_handler(slow)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("slow.Service", {"Call": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    begins = logging.Handler()
    begins.emit = lambda _: stops.append(asyncio.create_task(listener._stop(server, 60.0)))  # type: ignore[method-assign]
    gone_wrong = logging.getLogger("grpc._cython.cygrpc")  # told of the end of the loop before the stop is begun
    gone_wrong.addHandler(begins)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, plain(port) as raw:
            flying = asyncio.ensure_future(channel.unary_unary("/slow.Service/Call")(b""))
            await begun.wait()
            raw.begin("/", NO_TEXT, end=True)
            await until(lambda: bool(stops))
            let_go.set()
            assert await flying == b"done"
        await asyncio.gather(*stops)
    finally:
        gone_wrong.removeHandler(begins)
    assert len(stops) == 1


async def test_a_port_that_is_lost_ends_the_process(tmp_path: Path) -> None:
    """When somebody else takes the port before it is opened again, the log is closed and the process says why."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed, program=("tests.support.impatient_gateway", "serve")) as process, socket.socket() as thief:
        while not await stolen(deployed, thief):
            await reachable(deployed)
        await asyncio.to_thread(process.wait, 90)
    assert process.returncode == 2
    errors = (deployed.folder / "gateway.log").read_text()
    assert f"error: listener.address: {deployed.address} cannot be listened on" in errors
    assert deployed.records()[-1]["kind"] == "stop"
    verified(deployed)


async def stolen(deployed: Deployment, thief: socket.socket) -> bool:
    """End the loop, and listen on the port before the gateway does. Returns whether that was in time."""
    before = len(deployed.records("refusal"))
    async with connected(deployed) as raw:
        raw.begin("/", NO_TEXT, end=True)
        while len(deployed.records("refusal")) == before:
            try:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                thief.bind(("127.0.0.1", int(deployed.address.rpartition(":")[2])))
                thief.listen()
                return True
            except OSError:
                await asyncio.sleep(0)
    return False


# --- health ------------------------------------------------------------------------------------------------------


async def test_a_watcher_that_does_not_read_keeps_nothing_from_stopping(tmp_path: Path) -> None:
    """Watchers whose windows are closed hold up neither those who read, nor the stop beyond the drain."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndrain_ms = 300\n")
    with spawned(deployed) as process:
        async with connected(deployed) as deaf, watching(deployed) as states:
            deaf.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            deaf.flush()
            for _ in range(5):
                watch(deaf)
            assert await anext(states) == health_pb2.HealthCheckResponse.SERVING
            process.send_signal(signal.SIGTERM)
            assert await anext(states) == health_pb2.HealthCheckResponse.NOT_SERVING
            assert [state async for state in states] == []
            await asyncio.to_thread(process.wait, 90)
        assert process.returncode == 0
    assert deployed.records()[-1]["kind"] == "stop"


@contextmanager
def ended(deployed: Deployment) -> Iterator[None]:
    """The revocation list is over, and nobody brought the next."""
    path = deployed.folder / "crl.pem"
    put(path, authority(deployed).crl(next_update_us=system_us() - 1_000_000))
    yield
    put(path, authority(deployed).crl())


@contextmanager
def unwritable(deployed: Deployment) -> Iterator[None]:
    """The ledger of tokens takes nothing."""
    with closing(sqlite3.connect(config.load(deployed.config).identity.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("fault", [ended, unwritable])
async def test_who_can_not_be_proved_is_known_without_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Deployment], AbstractContextManager[None]]
) -> None:
    """While lists or ledger can't be used, new callers are refused and health says so; then it serves again."""
    monkeypatch.setattr(health, "ASK_S", 0.01)
    monkeypatch.setattr(health, "AGAIN_S", 0.01)
    deployed = Deployment.create(tmp_path)
    (deployed.folder / "crl.pem").write_bytes(authority(deployed).crl())
    deployed.edit("[identity]\n", '[identity]\ncrl = "crl.pem"\n')
    async with serving(deployed) as running, watching(running) as states:
        assert await anext(states) == health_pb2.HealthCheckResponse.SERVING
        with fault(running):
            assert await anext(states) == health_pb2.HealthCheckResponse.NOT_SERVING
            async with attacking(running) as attacker:
                await refused(running, "IDENTITY_UNAVAILABLE", attacker.call())
        assert await anext(states) == health_pb2.HealthCheckResponse.SERVING
        await serves(running)


def watch(raw: Raw) -> int:
    """Begin to watch health, without end."""
    stream = raw.begin(f"{HEALTH}/Watch", {"grpc-timeout": None, "authorization": None})
    raw.message(stream, b"", end=True)
    return stream


@asynccontextmanager
async def watching(deployed: Deployment, service: str = "") -> AsyncIterator[AsyncIterator[int]]:
    """The states of the service as they come."""
    async with attacking(deployed) as attacker:
        method = attacker.channel.unary_stream(f"{HEALTH}/Watch")
        call = method(health_pb2.HealthCheckRequest(service=service).SerializeToString())

        async def states() -> AsyncIterator[int]:
            async for answer in call:
                yield health_pb2.HealthCheckResponse.FromString(answer).status

        yield states()
        call.cancel()


async def test_health_follows_what_can_be_permitted(tmp_path: Path) -> None:
    """While the clock can't be believed, or the gateway drains, health is NOT_SERVING; watchers hear of each change."""
    set_us = [0]
    status = health_pb2.HealthCheckResponse
    clock = Clock(lambda: system_us() + set_us[0], monotonic_us)
    async with serving(Deployment.create(tmp_path), clock) as gateway, watching(gateway) as states:
        assert gateway.gate is not None
        for name in ("", "readiness", "liveness", SERVICE[1:]):
            assert await checked(gateway, name) == status.SERVING
        assert await anext(states) == status.SERVING
        for set_us[0], expected in ((3_600_000_000, status.NOT_SERVING), (0, status.SERVING)):
            assert await checked(gateway) == expected
            assert await anext(states) == expected
        gateway.gate.draining = True
        assert await checked(gateway) == await anext(states) == status.NOT_SERVING
        assert await checked(gateway, "liveness") == status.SERVING
        async with watching(gateway, "unheard") as unheard:
            assert await anext(unheard) == status.SERVICE_UNKNOWN
        gateway.gate.draining = False
        await serves(gateway)


async def checked(running: Running, service: str = "") -> int:
    """What health says of the service."""
    async with attacking(running) as attacker:
        return await attacker.health(service)


async def test_watchers_are_bounded(tmp_path: Path) -> None:
    """There are as many watchers as calls at once, and of one tenant its share of them; one that leaves makes room."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\nconcurrent_calls = 4\n")
    async with serving(deployed) as gateway, connected(gateway) as raw, connected(gateway, RIVER) as other:
        streams = [watch(raw) for _ in range(3)]
        for stream in streams:
            await raw.some(stream, 1)
        assert (await raw.answer(watch(raw))).headers["grpc-status"] == "8"
        await other.some(watch(other), 1)
        assert (await other.answer(watch(other))).headers["grpc-status"] == "8"
        raw.reset(streams[0])
        raw.flush()
        await again(other)
        await serves(gateway)


async def again(raw: Raw) -> None:
    """Return once a watcher is admitted."""
    async with asyncio.timeout(180):
        while True:
            answer = raw._answers[watch(raw)]
            while not answer.data and not answer.whole:
                await raw._take()
            if answer.data:
                return


# --- connections -------------------------------------------------------------------------------------------------


async def test_strangers_that_hold_connections_take_nothing_from_those_who_are_connected(tmp_path: Path) -> None:
    """Connections beyond the bound are closed, and the log has the files that it needs."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\nconnections = 20\n")
    with spawned(deployed) as process:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (500, 500))
        host, _, port = deployed.address.rpartition(":")
        async with attacking(deployed) as honest:
            assert await honest.call()
            strangers = [await asyncio.open_connection(host, int(port)) for _ in range(500)]
            closed = [asyncio.create_task(reader.read()) for reader, _ in strangers]
            await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
            assert await honest.call()
            assert await honest.call("GenerateStream")
            for _, writer in strangers:
                writer.transport.abort()
            await asyncio.wait(closed)
        await reachable(deployed)
    assert not deployed.records("refusal", "aggregate")
    verified(deployed)


@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_answers_that_nobody_takes_end_with_their_connection(tmp_path: Path, method: str) -> None:
    """A caller that gives itself an hour and reads nothing is cut off with its connection; it had its one outcome."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndeadline_ms = 2000\nconnections_age_s = 2\n")
    async with serving(deployed) as gateway, connected(gateway) as deaf:
        deaf.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for _ in range(3):
            stream = deaf.begin(method, {"grpc-timeout": "1H"})
            deaf.message(stream, message(), end=True)
        await deaf.ended()
        assert [r["kind"] for r in gateway.records("intent", "outcome")].count("outcome") == 3
        await serves(gateway)
