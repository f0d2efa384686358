"""More calls than the gateway takes: each is answered or refused with a record, and no tenant keeps the others out."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from brightline import BrightlineError, Overloaded, QuotaExhausted
from gateway import release
from gateway.errors import StartError
from tests.e2e.test_activation import ASK
from tests.support.attacks import Attacker, attacking, message, refused, told, verified
from tests.support.gateways import HEALTH, LOGISTICS, Deployment, Running, serving
from tests.support.waiting import until

WAITING = message(prompt="loopback: wait 60000")


def limited(folder: Path, limits: str) -> Deployment:
    """A deployment with these limits."""
    deployed = Deployment.create(folder)
    deployed.edit("[audit]\n", "[audit]\ndeadline_ms = 20000\n")  # on a busy machine, too
    deployed.edit('engine = "wasm"', 'engine = "wasm"\ndeadline_ms = 10000')
    deployed.config.write_text(f"{deployed.config.read_text()}\n[limits]\n{limits}\n")
    return deployed


async def test_a_noisy_tenant_keeps_nobody_out(tmp_path: Path) -> None:
    """A tenant with its share of calls under way is OVERLOADED, another is served; calls that ended count no more."""
    deployed = limited(tmp_path, "concurrent_calls = 4\ntenant_percent = 50")
    async with serving(deployed) as running, attacking(running) as noisy, attacking(running, tenant=HEALTH) as quiet:
        flying = [asyncio.create_task(noisy.call(m, WAITING)) for m in ("Generate", "GenerateStream")]
        await until(lambda: running.calls == 2)
        for method, data in (("Generate", message()), ("CheckPolicy", message()), ("ListModels", b"")):
            answer, record = await refused(running, "OVERLOADED", noisy.call(method, data))
            assert answer.retry_safe
            assert record["principal"]["tenant"] == LOGISTICS
        assert await quiet.call("ListModels", b"")
        for call in flying:
            call.cancel()
        await until(lambda: len(running.records("outcome")) == 2)
        assert await noisy.call()
        verified(running)


async def test_a_quota_of_the_release_ends_what_a_tenant_may_ask_for(tmp_path: Path) -> None:
    """Beyond its quota a tenant is told when to go on, nothing of it is forwarded, and other tenants don't notice."""
    deployed = Deployment.create(tmp_path)
    deployed.change_release("tenants.json", with_quotas(tokens_per_hour=250, requests_per_minute=4))
    async with serving(deployed) as running:
        one, other = running.client(), running.client(HEALTH)
        assert (await one.generate(**ASK, max_tokens=200)).text
        with pytest.raises(QuotaExhausted, match="tokens of this hour") as tokens:
            await one.generate(**ASK, max_tokens=51)
        assert (await one.generate(**ASK, max_tokens=50)).text
        assert (await one.check(**ASK)).effect == "allow"
        with pytest.raises(QuotaExhausted, match="requests of this minute") as requests:
            await one.check(**ASK)
        assert 60 < (tokens.value.again_s or 0) <= 3600
        assert 0 < (requests.value.again_s or 0) <= 60
        assert (await other.generate(**ASK, max_tokens=500)).text
        assert running.calls == 3
        assert [r["reason"] for r in running.records("refusal")] == ["QUOTA_EXHAUSTED"] * 2
        verified(running)


async def test_spend_of_a_day_ends_by_the_price_of_the_model(tmp_path: Path) -> None:
    """What a permitted request may cost is counted before it is forwarded; a release without the price is refused."""
    deployed = Deployment.create(tmp_path)
    bounded = with_quotas(spend_per_day=1000)
    deployed.change_release("tenants.json", bounded)
    with pytest.raises(StartError, match=r"spend_per_day: northern-logistics: may ask loopback, which has no price"):
        release.load(deployed.folder / "release", None)
    deployed.change_release("models.json", with_price(million_bytes=0, million_tokens=5_000_000))
    async with serving(deployed) as running:
        one, other = running.client(), running.client(HEALTH)
        assert (await one.generate(**ASK, max_tokens=150)).text
        with pytest.raises(QuotaExhausted, match="spend of this day") as spend:
            await one.generate(**ASK, max_tokens=51)
        assert 3600 < (spend.value.again_s or 0) <= 86_400
        assert (await one.generate(**ASK, max_tokens=50)).text
        assert (await other.generate(**ASK, max_tokens=500)).text
        assert running.calls == 3
        verified(running)


def with_price(**price: int) -> Callable[[bytes], bytes]:
    """Gives every model this price."""
    return partial(_with, "models", "price", price)


def with_quotas(**quotas: int) -> Callable[[bytes], bytes]:
    """Gives the tenant of these tests quotas."""
    return partial(_with, "tenants", "quotas", quotas, of=LOGISTICS)


def _with(kind: str, name: str, value: object, text: bytes, *, of: str = "") -> bytes:
    """The document with the value in each item, or in that one."""
    document = json.loads(text)
    for item in document[kind]:
        if of in {"", item["id"]}:
            item[name] = value
    return json.dumps(document).encode()


async def outcome(attacker: Attacker) -> str:
    """The reason of a refusal, or that there was none."""
    try:
        await attacker.call(data=message(prompt="loopback: wait 300\nloopback: say done"))
    except grpc.aio.AioRpcError as error:
        return told(error).reason
    return "answered"


async def test_three_times_the_load_is_answered_or_refused(tmp_path: Path) -> None:
    """Of three times the calls that there may be, each has its answer or OVERLOADED, and its records."""
    deployed = limited(tmp_path, "concurrent_calls = 8\ntenant_percent = 100")
    deployed.edit("[audit]\n", "[audit]\nunauthenticated_per_s = 1000\n")
    async with (
        serving(deployed) as running,
        attacking(running) as one,
        attacking(running) as two,
        attacking(running) as three,
    ):
        ended = Counter(await asyncio.gather(*(outcome(a) for a in (one, two, three) for _ in range(8))))
        assert ended.keys() == {"answered", "OVERLOADED"}
        assert ended.total() == 24
        assert running.calls == ended["answered"] == len(running.records("outcome"))
        assert Counter(r["reason"] for r in running.records("refusal")) == {"OVERLOADED": ended["OVERLOADED"]}
        assert await outcome(one) == "answered"
        verified(running)


async def test_when_more_calls_come_than_are_taken_who_asks_most_is_refused(tmp_path: Path) -> None:
    """Calls that would wait for too long are refused unread, each recorded or counted; who asks little is answered."""
    async with (
        serving(limited(tmp_path, "queue_ms = 20")) as running,
        attacking(running) as one,
        attacking(running) as two,
        attacking(running) as three,
        attacking(running, tenant=HEALTH) as quiet,
    ):
        noisy, modest = Counter[str](), Counter[str]()

        async def ask(attacker: Attacker, ended: Counter[str]) -> None:
            try:
                await attacker.call()
            except grpc.aio.AioRpcError as error:
                said = told(error)
                assert said.retry_safe
                ended[said.reason] += 1
            else:
                ended["answered"] += 1

        async def flood(attacker: Attacker) -> None:
            while modest.total() < 10:
                await ask(attacker, noisy)

        flooding = asyncio.gather(*(flood(attacker) for attacker in (one, two, three) for _ in range(80)))
        while not flooding.done():
            await ask(quiet, modest)
        await flooding
        assert noisy.keys() == {"answered", "OVERLOADED"}
        assert modest["answered"] / modest.total() > noisy["answered"] / noisy.total()
        ended = noisy + modest
        assert ended["answered"] == running.calls
        await until(lambda: refusals(running)["OVERLOADED"] == ended["OVERLOADED"])
        assert refusals(running).keys() == {"OVERLOADED"}
        verified(running)


def refusals(running: Running) -> Counter[str]:
    """How many there are of each reason, whether each has a record or they were counted."""
    found = Counter(r["reason"] for r in running.records("refusal"))
    for aggregate in running.records("aggregate"):
        found.update({reason: count["number"] for reason, count in aggregate["counts"].items()})
    return found


async def test_own_way_in(tmp_path: Path) -> None:
    """Its socket is in a folder for the owner alone, is gone with the gateway, and proves nobody."""
    async with serving(Deployment.create(tmp_path)) as running:
        (folder,) = running.folder.rglob(".line-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        async with grpc.aio.insecure_channel(f"unix:{folder}/door") as channel:
            stranger = Attacker(channel, running.token(LOGISTICS))
            await refused(running, "CERTIFICATE_INVALID", stranger.call())
            await refused(running, "CERTIFICATE_INVALID", stranger.call("/brightline.v1.AuditService/Search", b""))
            assert await stranger.health() == health_pb2.HealthCheckResponse.SERVING
        assert running.calls == 0
    assert not folder.exists()


async def test_a_call_that_expires_in_the_queue_is_never_forwarded(tmp_path: Path) -> None:
    """What waits until its own time is over leaves a refusal, and the turn that comes then is the next one's."""
    async with serving(limited(tmp_path, "deciding = 1\nqueue_ms = 60000")) as running:
        assert running.gate is not None
        await running.gate.queue.take(HEALTH)
        for _ in range(2):
            with pytest.raises(BrightlineError):
                await running.client().generate(**ASK, timeout_s=0.2)
        await until(lambda: len(running.records("refusal")) == 2)
        assert {r["reason"] for r in running.records("refusal")} == {"DEADLINE_EXCEEDED"}
        waiting = asyncio.create_task(running.client().generate(**ASK))
        running.gate.queue.give_back(HEALTH)
        assert (await waiting).text
        assert running.calls == 1
        verified(running)


async def test_a_call_that_waits_too_long_is_told_when_to_come_again(tmp_path: Path) -> None:
    """While nobody gives a turn up, a call is OVERLOADED with the time to wait, recorded, and not forwarded."""
    async with serving(limited(tmp_path, "deciding = 1\nqueue_ms = 1")) as running:
        assert running.gate is not None
        await running.gate.queue.take(HEALTH)
        with pytest.raises(Overloaded) as refused:
            await running.client().generate(**ASK)
        assert refused.value.again_s == 1
        assert refused.value.retry_safe
        assert [(r["reason"], r["principal"]["tenant"]) for r in running.records("refusal")] == [
            ("OVERLOADED", LOGISTICS)
        ]
        assert running.calls == 0
