"""An engine that is down, dies, hangs or answers something else than a decision: calls are refused until it is back.

The engine is an Open Policy Agent server with the starter policy, or one that answers as the test says.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from aiohttp import web

from tests.support import opa
from tests.support.attacks import attacking, message, refused, told, verified
from tests.support.gateways import HARMLESS, Deployment, Running, serving
from tests.support.releases import starter_files, starter_release
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("Generate", "GenerateStream", "CheckPolicy")
GOOD: dict[str, Any] = {
    "effect": "allow",
    "rules": [],
    "obligations": [],
    "grants": [],
    "revision": starter_release().revision,
}
TARGETING = message(use=replace(HARMLESS, purpose="weapon_engagement", autonomy="autonomous"))


def deploy(folder: Path, port: int, deadline_ms: int) -> Deployment:
    """A deployment whose engine is, or will be, a server on this port."""
    deployed = Deployment.create(folder)
    opa_url = f'opa_url = "http://127.0.0.1:{port}"\ndeadline_ms = {deadline_ms}'
    deployed.edit('engine = "wasm"', f'engine = "opa"\n{opa_url}')
    return deployed


async def test_health_notices_a_server_that_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any call, health knows whether the engine answers; the process lives in either case."""
    monkeypatch.setattr("gateway.health.ASK_S", 0.05)
    monkeypatch.setattr("gateway.health.AGAIN_S", 0.05)
    port = opa.free_port()
    async with serving(deploy(tmp_path, port, 5_000)) as gateway, attacking(gateway) as attacker:
        assert gateway.gate is not None
        ready = functools.partial(getattr, gateway.gate, "ready")
        for _ in range(2):
            await until(lambda: not ready())
            assert [await attacker.health(name) for name in ("readiness", "liveness")] == [2, 1]
            async with opa.serving(starter_files(), port):
                await until(ready)
                assert [await attacker.health(name) for name in ("readiness", "liveness")] == [1, 1]


async def test_a_server_that_is_down_or_dies_refuses_until_it_is_back(tmp_path: Path) -> None:
    """Without its server the gateway starts and refuses; with it, it decides; killed in mid-run, it refuses again."""
    port = opa.free_port()
    async with serving(deploy(tmp_path, port, 5_000)) as gateway, attacking(gateway) as attacker:
        for _ in range(2):
            for method in METHODS:
                answer, record = await refused(gateway, "POLICY_UNAVAILABLE", attacker.call(method))
                assert answer.retry_safe
                assert (record["decision"], record["outcome"]) == (None, "error")
            async with opa.serving(starter_files(), port):
                calls = gateway.calls
                assert await attacker.call()
                assert gateway.calls == calls + 1
                await refused(gateway, "POLICY_DENIED", attacker.call(data=TARGETING))
        verified(gateway)


class Scripted:
    """A server in OPA's place. answers: bodies for the next questions, the last one for all that follow; None hangs."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.questions: list[Any] = []

    async def answer(self, request: web.Request) -> web.Response:
        """What is next."""
        question = (await request.json())["input"]
        if not question:  # asked for health
            return web.Response(body=result(GOOD), content_type="application/json")
        self.questions.append(question)
        body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if body is None:
            await asyncio.sleep(10)
        return web.Response(body=body or b"", content_type="application/json")


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Scripted, int]]:
    """The server and its port."""
    script = Scripted()
    application = web.Application()
    application.router.add_post("/{path:.*}", script.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield script, runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scripting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Running, Scripted]]:
    """A gateway and the server that it asks."""
    async with scripted() as (script, port):
        deployed = deploy(tmp_path_factory.mktemp("scripted"), port, 1_000)
        async with serving(deployed) as gateway:
            yield gateway, script


def result(value: object) -> bytes:
    """The body that OPA would send for this decision."""
    return json.dumps({"result": value}).encode()


ODD: dict[str, bytes | None] = {
    "hangs for 10 s": None,
    "undefined": b"{}",
    "true as a text": result("true"),
    "true": result(value=True),
    "no effect": result({k: v for k, v in GOOD.items() if k != "effect"}),
    "an unknown effect": result(GOOD | {"effect": "permit"}),
    "one key more": result(GOOD | {"surprise": 1}),
    "an unknown obligation": result(GOOD | {"obligations": [{"kind": "trust", "params": {}}]}),
    "a deny without a rule": result(GOOD | {"effect": "deny"}),
    "truncated": result(GOOD)[:-10],
    "empty": b"",
    "two results": b'{"result":' + json.dumps(GOOD).encode() + b"," + result(GOOD)[1:],
    "a list of two": result([GOOD, GOOD]),
    "another revision": result(GOOD | {"revision": "of-another-policy"}),
    "an empty revision": result(GOOD | {"revision": ""}),
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_not_a_decision_refuses(scripting: tuple[Running, Scripted], odd: str) -> None:
    """Each odd answer is POLICY_UNAVAILABLE for every method, and the next good one decides."""
    gateway, script = scripting
    async with attacking(gateway) as attacker:
        script.answers = [ODD[odd]]
        for method in METHODS if odd != "hangs for 10 s" else METHODS[:1]:
            answer, record = await refused(gateway, "POLICY_UNAVAILABLE", attacker.call(method))
            assert record["decision"] is None
            assert b"permit" not in answer.everything.replace(b"permitted", b"")
        script.answers = [result(GOOD)]
        assert await attacker.call()


@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
@pytest.mark.parametrize("odd", ["hangs for 10 s", "undefined", "another revision"])
async def test_an_answer_that_nobody_judged_is_withheld(
    scripting: tuple[Running, Scripted], odd: str, method: str
) -> None:
    """When the engine fails on the model's answer, none of it leaves, the outcome says so, and a retry is not safe."""
    gateway, script = scripting
    script.answers = [result(GOOD), ODD[odd]]
    before, calls = len(gateway.records()), gateway.calls
    async with attacking(gateway) as attacker:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await attacker.call(method, message(prompt="loopback: say canary-answer"))
    answer = told(failed.value)
    assert (answer.reason, answer.retry_safe) == ("POLICY_UNAVAILABLE", False)
    intent, outcome = gateway.records()[before:]
    assert (intent["outcome"], outcome["outcome"], outcome["reason"]) == ("permitted", "error", "POLICY_UNAVAILABLE")
    assert outcome["counts"]["bytes_released"] == 0
    assert gateway.calls == calls + 1
    assert [q["stage"] for q in script.questions[-2:]] == ["request", "response"]
    verified(gateway)
