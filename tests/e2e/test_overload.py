"""More calls than the gateway takes: each is answered or refused with a record, and no tenant keeps the others out."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import grpc

from tests.support.attacks import Attacker, attacking, message, refused, told, verified
from tests.support.gateways import HEALTH, LOGISTICS, Deployment, serving
from tests.support.waiting import until

WAITING = message(prompt="loopback: wait 60000")


def limited(folder: Path, limits: str) -> Deployment:
    """A deployment with these limits."""
    deployed = Deployment.create(folder)
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
