"""Metrics of a real gateway, fetched over HTTP and read by Prometheus's own parser."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
import uvloop

from brightline import BrightlineError
from gateway import bounded_listener, metrics
from gateway.canonical import canonical
from gateway.clock import system_us
from gateway.config import Metrics
from gateway.errors import StartError
from gateway.telemetry.meters import CLASSES, EFFECTS, FAILURES, METHODS, PHASES, REASONS, SPANS, STAGES
from tests.support.attacks import attacking
from tests.support.gateways import HARMLESS, HEALTH, LOGISTICS, Deployment, Running, serving
from tests.support.observing import measured, scrape
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK: dict[str, Any] = {"model": "loopback", "prompt": "How many trucks?", "max_tokens": 50, "use": HARMLESS}
TARGETING = replace(HARMLESS, purpose="weapon_engagement", autonomy="autonomous")
CANARY = "canary_label_6021"


def two_a_minute(data: bytes) -> bytes:
    """tenants.json in which one tenant may call twice a minute."""
    document = json.loads(data)
    for tenant in document["tenants"]:
        if tenant["id"] == HEALTH:
            tenant["quotas"] = {"requests_per_minute": 2}
    return canonical(document)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway in which a tenant's quota is soon used up."""
    deployed = Deployment.create(tmp_path_factory.mktemp("gateway"))
    deployed.change_release("tenants.json", two_a_minute)
    async with serving(deployed) as gateway:
        yield gateway


async def outcome(call: Any) -> str:
    """The reason of a refusal; empty for an answer."""
    try:
        await call
    except BrightlineError as error:
        return error.reason
    return ""


async def streamed(client: Any, **ask: Any) -> None:
    """A stream, read to its end."""
    async for _ in client.stream(**ask):
        pass


async def test_what_is_counted_is_what_callers_were_told(running: Running) -> None:
    """After a known mix of calls, every count is the one that the callers kept themselves."""
    client, other = running.client(), running.client(HEALTH)
    async with measured(running) as port:
        before = await scrape(port)
        said = [
            *[("Generate", await outcome(client.generate(**ASK))) for _ in range(3)],
            *[("GenerateStream", await outcome(streamed(client, **ASK))) for _ in range(2)],
            *[("Generate", await outcome(client.generate(**ASK | {"use": TARGETING}))) for _ in range(2)],
            ("Generate", await outcome(client.generate(**ASK | {"prompt": "loopback: stop early"}))),
            ("Generate", await outcome(running.client(token="x").generate(**ASK))),
            *[("ListModels", await outcome(other.models())) for _ in range(4)],
            ("CheckPolicy", await outcome(client.check(**ASK))),
        ]
        after = await scrape(port)

    def grew(name: str, **labels: str) -> float:
        return after.of(name, **labels) - before.of(name, **labels)

    counted = Counter(said)
    assert {reason for _, reason in said} == {
        *("", "POLICY_DENIED", "UPSTREAM_FAILED", "QUOTA_EXHAUSTED", "TOKEN_INVALID")
    }
    for method in METHODS:
        answered = counted[method, ""]
        assert grew("brightline_calls_total", method=method, result="answered") == answered
        refused = sum(number for (m, reason), number in counted.items() if m == method and reason)
        assert grew("brightline_calls_total", method=method, result="refused") == refused
        assert grew("brightline_call_duration_seconds_count", method=method) == answered + refused
    for reason in REASONS:
        assert grew("brightline_refusals_total", reason=reason) == sum(r == reason for _, r in said)
    decided = {("allow", "none", "request"): 7, ("deny", "red_line", "request"): 2, ("allow", "none", "response"): 5}
    for (effect, cls, stage), number in decided.items():
        assert grew("brightline_decisions_total", **{"effect": effect, "class": cls, "stage": stage}) == number
    assert grew("brightline_decisions_total") == sum(decided.values())
    assert grew("brightline_readings_total", result="scored") == sum(decided.values())
    phases = {
        "prove": 13,
        "read": 9,
        "wait": 9,
        "facts": 9,
        "signals": 9,
        "decide": 9,
        "intend": 6,
        "forward": 6,
        "judge": 5,
        "record": 14,
    }
    assert {p: grew("brightline_phase_duration_seconds_count", phase=p) for p in PHASES} == phases
    assert grew("brightline_upstream_duration_seconds_count", model="loopback") == 6
    assert grew("brightline_upstream_first_piece_seconds_count", model="loopback") == 2
    assert grew("brightline_upstream_failures_total", model="loopback", reason="UPSTREAM_FAILED") == 1


async def test_what_is_so_now_is_told(running: Running) -> None:
    """The release in force, the log, detectors and calls in flight are told as they are at the moment of asking."""
    client, gate = running.client(), running.gate
    assert gate is not None
    async with measured(running) as port:
        waiting = asyncio.create_task(client.generate(timeout_s=110, **ASK | {"prompt": "loopback: wait 100000"}))
        await until(lambda: bool(gate.telemetry.flying))
        found = await scrape(port)
        waiting.cancel()
        await asyncio.wait({waiting})
        await until(lambda: not gate.telemetry.flying)
        later = await scrape(port)
    assert (found.of("brightline_calls_in_flight"), later.of("brightline_calls_in_flight")) == (1, 0)
    assert found.values("digest") == {gate.in_force.release.digest}
    assert found.of("brightline_release_version") == gate.in_force.release.version
    assert gate.in_force.expires_us is not None
    left_s = (gate.in_force.expires_us - system_us()) / 1e6
    assert found.of("brightline_release_expires_seconds") == pytest.approx(left_s, abs=600)
    assert later.of("brightline_log_records") == gate.log.size == len(running.records())
    assert later.of("brightline_log_commit_duration_seconds_count") > 0
    assert (found.of("brightline_ready"), found.of("brightline_log_writable")) == (1, 1)
    assert found.of("brightline_detector_live", detector="lexical") == 1
    assert 0 <= found.of("brightline_log_capacity_used_ratio") <= 1


async def test_a_caller_writes_no_label(running: Running) -> None:
    """Whatever callers send, every label has a value of a closed list, and nothing of theirs is in what is fetched."""
    client = running.client()
    used = replace(HARMLESS, purpose=CANARY, conversation_id=CANARY, idempotency_key=CANARY)
    await outcome(client.generate(model=CANARY, prompt=CANARY, system=CANARY, use=used))
    await outcome(client.generate(**ASK | {"prompt": f"loopback: say {CANARY}"}))
    await outcome(running.client(token=f"{CANARY}.{CANARY}.{CANARY}").generate(**ASK))
    async with attacking(running) as attacker:
        for method in (f"/{CANARY}/{CANARY}", f"/brightline.v1.InferenceService/{CANARY}"):
            with pytest.raises(grpc.aio.AioRpcError):
                await attacker.call(method, b"")
    async with measured(running) as port:
        found = await scrape(port)
    assert running.gate is not None
    closed = {
        "method": set(METHODS),
        "result": {"answered", "refused", "scored", "unscored", *SPANS},
        "reason": {*map(str, REASONS), *map(str, FAILURES)},
        "stage": set(map(str, STAGES)),
        "effect": {effect.name.lower() for effect in EFFECTS},
        "class": set(CLASSES),
        "phase": set(PHASES),
        "model": {"loopback"},
        "detector": {"lexical"},
        "digest": {running.gate.in_force.release.digest},
        "engine": {"wasm"},
    }
    labels = {name for _, has in found.samples for name, _ in has} - {"le", "version", "signal"}
    assert labels <= set(closed)
    for label in labels:
        assert found.values(label) <= closed[label], label
    assert CANARY not in found.text
    for name in (LOGISTICS, HEALTH, "tester"):
        assert name not in found.text
    assert not any(record["decision_id"] in found.text for record in running.records())


async def test_only_the_page_of_metrics_is_served(running: Running) -> None:
    """Another path or another method finds nothing there."""
    async with measured(running) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/") as other:
            assert other.status == 404
        async with session.post("/metrics", data=b"x") as posted:
            assert posted.status == 405


async def test_beyond_loopback_a_certificate_is_needed(running: Running) -> None:
    """With certificates configured, who shows none of the CA is not answered, and who does is."""
    folder = running.folder
    settings = Metrics(
        address="127.0.0.1:0",
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_ca=folder / "ca.pem",
    )
    assert running.gate is not None
    gate = running.gate
    async with metrics.served(settings, gate, lambda: (gate.counted, 1, 0, 1)) as port:
        stranger = ssl.create_default_context(cafile=folder / "ca.pem")
        stranger.check_hostname = False
        with pytest.raises(aiohttp.ClientError):
            await fetched(port, stranger)
        stranger.load_cert_chain(
            folder / "tenants" / LOGISTICS / "client.pem", folder / "tenants" / LOGISTICS / "client.key"
        )
        assert "brightline_ready 1.0" in await fetched(port, stranger)


async def fetched(port: int, trust: ssl.SSLContext) -> str:
    """The page by TLS."""
    url = f"https://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=trust) as answer:
        return await answer.text()


@pytest.mark.parametrize("tls", [False, True])
async def test_who_only_holds_connections_takes_up_few_files_and_keeps_nobody_out(
    running: Running, *, tls: bool
) -> None:
    """However many connect and say nothing, a few connections are open at once, and the page is there for others."""
    folder, gate = running.folder, running.gate
    assert gate is not None
    names = {"certificate": "server.pem", "key": "server.key", "client_ca": "ca.pem"} if tls else {}
    settings = Metrics(address="127.0.0.1:0", **{key: folder / name for key, name in names.items()})
    trust = ssl.create_default_context(cafile=folder / "ca.pem")
    trust.check_hostname = False
    mine = folder / "tenants" / LOGISTICS
    trust.load_cert_chain(mine / "client.pem", mine / "client.key")

    async def held() -> None:
        async with metrics.served(settings, gate, lambda: (gate.counted, 1, 0, 1)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4 * bounded_listener.CONNECTIONS)]
            found = await fetched(port, trust) if tls else (await scrape(port)).text
            assert "brightline_ready 1.0" in found
            await until(lambda: sum(not reader.at_eof() for reader, _ in held) < bounded_listener.CONNECTIONS)
            for _, writer in held:
                writer.close()

    await held()
    await asyncio.to_thread(uvloop.run, held())  # the loop that a gateway runs on takes connections in its own way


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nx: ", b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"])
async def test_no_connection_outlasts_the_time_of_one_answer(
    running: Running, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says nothing, part of a request or a whole one is over in time: after its answer, or without one."""
    monkeypatch.setattr(bounded_listener, "LONGEST_S", 0.5)
    async with measured(running) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(60):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK" if said.endswith(b"\r\n\r\n") else b"")


async def test_a_port_that_is_taken_refuses_the_start(running: Running) -> None:
    """An address that somebody else listens on is named with its key."""
    assert running.gate is not None
    gate = running.gate
    async with measured(running) as port:
        with pytest.raises(StartError, match=r"metrics\.address"):
            async with metrics.served(Metrics(address=f"127.0.0.1:{port}"), gate, lambda: (gate.counted, 1, 0, 1)):
                pytest.fail("served")


async def test_a_key_that_others_can_read_refuses_the_start(running: Running, tmp_path: Path) -> None:
    """The key of the page is refused as every other key is."""
    key = tmp_path / "server.key"
    key.write_bytes((running.folder / "server.key").read_bytes())
    key.chmod(0o644)
    settings = Metrics(
        address="127.0.0.1:0", certificate=running.folder / "server.pem", key=key, client_ca=running.folder / "ca.pem"
    )
    assert running.gate is not None
    gate = running.gate
    with pytest.raises(StartError, match=r"metrics\.key: .* can be read by others"):
        async with metrics.served(settings, gate, lambda: (gate.counted, 1, 0, 1)):
            pytest.fail("served")
