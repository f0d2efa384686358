"""A model's service that fails in every way: sent once, recorded with how much left, and told without its words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from brightline.v1 import inference_pb2
from gateway.cli.demo_steps import TARGETING
from gateway.errors import GatewayError
from gateway.quotas import Quotas
from gateway.types.facts import UNJUDGED
from tests.e2e.test_isolation import served_by
from tests.support import upstream_servers
from tests.support.attacks import SERVICE, Told, attacking, message, told, verified
from tests.support.gateways import HARMLESS, INTELLIGENCE, Deployment, Running, serving
from tests.support.opa import free_port
from tests.support.upstream_servers import INJECTION, SECRET, Script, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("Generate", "GenerateStream")
LONG = ("All quiet on the road. ",) * 40


@dataclass
class Behind:
    """A gateway and the service behind it."""

    running: Running
    server: Server

    async def failed(
        self, method: str, script: Script, timeout_s: float = 90
    ) -> tuple[Told, str, list[dict[str, Any]]]:
        """What the caller was told, the text that it had before that, and the records of the call.

        The service was asked at most once, the log verifies, and nothing that the service said is anywhere.
        """
        self.server.script, asked = script, len(self.server.requests)
        before = len(self.running.records())
        async with attacking(self.running) as attacker:
            metadata = (("authorization", f"Bearer {attacker.token}"),)
            going = attacker.channel.unary_stream(f"{SERVICE}/{method}")(
                message(), metadata=metadata, timeout=timeout_s
            )
            text, error = await broken_off(going)
        answer = told(error)
        assert len(self.server.requests) - asked <= 1
        new = [r for r in self.running.records()[before:] if r["kind"] != "aggregate"]
        assert {r["decision_id"] for r in new} == {answer.decision_id}
        assert [r["kind"] for r in new] == ["intent", "outcome"]
        assert new[-1]["reason"] == answer.reason
        assert new[-1]["counts"]["bytes_released"] == len(text.encode())
        assert not [said for said in (SECRET, INJECTION[:12]) if said.encode() in answer.everything or said in str(new)]
        verified(self.running)
        return answer, text, new


async def broken_off(answers: AsyncIterable[bytes]) -> tuple[str, grpc.aio.AioRpcError]:
    """The text that came, and the error behind it. Fails the test when there is none."""
    text = ""
    try:
        async for answer in answers:
            text += inference_pb2.GenerateStreamResponse.FromString(answer).text
    except grpc.aio.AioRpcError as error:
        return text, error
    raise AssertionError("the call ended well")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["anthropic", "openai"])
async def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    """A gateway whose model is at a service that does as it is told."""
    deployed = Deployment.create(tmp_path_factory.mktemp("upstream"))
    async with upstream_servers.serve(request.param) as server:
        served_by(deployed, server.base_url, request.param)
        async with serving(deployed) as running:
            yield Behind(running, server)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "script",
    [
        Script("status", status=500),
        Script("status", status=429),
        Script("redirect"),
        Script("hang_up"),
        Script("garbage"),
        Script("not_json"),
        Script("wrong_shape"),
        Script("nothing"),
        Script("endless_line"),
        Script("endless_lines"),
        Script(model="another-model"),
    ],
    ids=lambda script: f"{script.behaviour} {script.status if script.behaviour == 'status' else script.model}",
)
async def test_a_failure_is_recorded_and_told_once(behind: Behind, method: str, script: Script) -> None:
    """Whatever the service does instead of answering, nothing is released and a repetition is not called safe."""
    answer, text, records = await behind.failed(method, script)
    assert (answer.reason, answer.retry_safe, text) == ("UPSTREAM_FAILED", False, "")
    assert records[-1]["outcome"] == "upstream_error"


@pytest.mark.parametrize("behaviour", ["cut", "cut_clean", "error_event"])
async def test_a_stream_that_breaks_off_is_partial(behind: Behind, behaviour: str) -> None:
    """What was judged before the break was released, its bytes are on the record, and it has no end."""
    answer, text, records = await behind.failed("GenerateStream", Script(behaviour, texts=LONG))
    assert (answer.reason, answer.retry_safe) == ("UPSTREAM_FAILED", False)
    assert "".join(LONG).startswith(text)
    assert records[-1]["outcome"] == ("partial" if text else "upstream_error")


@pytest.mark.parametrize("behaviour", ["silent", "silent_body", "ping"])
async def test_a_service_that_keeps_silent_is_left_at_the_deadline(
    tmp_path_factory: pytest.TempPathFactory, behaviour: str
) -> None:
    """A first byte that does not come ends the call when its time is over, on the record."""
    deployed = Deployment.create(tmp_path_factory.mktemp("silent"))
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndeadline_ms = 1000\n")
    async with upstream_servers.serve("anthropic") as server:
        served_by(deployed, server.base_url, "anthropic")
        async with serving(deployed) as running:
            for method in METHODS:
                answer, text, records = await Behind(running, server).failed(method, Script(behaviour))
                assert (answer.reason, answer.retry_safe, text) == ("DEADLINE_EXCEEDED", False, "")
                assert records[-1]["outcome"] == "deadline"


async def test_an_endless_stream_is_cut(behind: Behind) -> None:
    """An answer beyond the limit is cut there, and how much was released is on the record."""
    _, text, records = await behind.failed("GenerateStream", Script("endless"), timeout_s=60)
    assert records[-1]["outcome"] == "partial"
    assert 0 < len(text.encode()) <= 4 << 20


@pytest.mark.parametrize("method", METHODS)
async def test_a_caller_is_told_that_an_answer_could_not_be_judged(behind: Behind, method: str) -> None:
    """An answer that no detector can read is refused, none of it leaves, and the message says why."""
    answer, text, _ = await behind.failed(method, Script(texts=("Колонна вышла на рассвете. " * 4,)))
    assert (answer.reason, answer.retry_safe, text) == ("OUTPUT_DENIED", False, "")
    assert answer.message.endswith(f"; {UNJUDGED}")


async def test_a_stream_is_refused_after_a_part_of_it_was_released(behind: Behind) -> None:
    """Of an answer that turns into what a rule forbids, the part before left, the rest did not, and both are known."""
    answer, text, records = await behind.failed("GenerateStream", Script(texts=(*LONG, TARGETING)))
    assert (answer.reason, answer.retry_safe) == ("OUTPUT_DENIED", False)
    assert text
    assert "".join(LONG).startswith(text)
    assert records[-1]["outcome"] == "refused_output"


@pytest.mark.parametrize("method", METHODS)
async def test_a_service_that_is_not_there_was_sent_nothing(
    tmp_path_factory: pytest.TempPathFactory, method: str
) -> None:
    """Where nobody listens the call may be repeated, and the record says that the service was not reached."""
    deployed = Deployment.create(tmp_path_factory.mktemp("nobody"))
    served_by(deployed, f"http://127.0.0.1:{free_port()}/v1")
    async with serving(deployed) as running:
        answer, _, records = await Behind(running, Server("openai")).failed(method, Script())
    assert (answer.reason, answer.retry_safe) == ("UPSTREAM_UNAVAILABLE", True)
    assert records[-1]["outcome"] == "upstream_error"


def not_there(folder: Path, *, failures: int, pause_s: int) -> tuple[Deployment, int]:
    """A deployment whose service is left alone after so many failures, and the port, where nobody listens yet."""
    deployed, port = Deployment.create(folder), free_port()
    served_by(deployed, f"http://127.0.0.1:{port}/v1")
    deployed.edit('api_key = "api.key"', f'api_key = "api.key"\nfailures = {failures}\npause_s = {pause_s}')
    return deployed, port


async def test_a_service_that_is_not_there_for_long_is_left_alone_until_it_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Refused without an intent, with the time to come again; once it is there, a caller's own call reaches it."""
    deployed, port = not_there(tmp_path_factory.mktemp("alone"), failures=2, pause_s=2)
    async with serving(deployed) as running, attacking(running) as attacker:

        async def ask() -> Told | None:
            try:
                await attacker.call()
            except grpc.aio.AioRpcError as error:
                return told(error)
            return None

        alone: Told | None = None
        while alone is None or [r["kind"] for r in running.records() if r["decision_id"] == alone.decision_id] != [
            "refusal"
        ]:
            alone = await ask()
            assert alone is not None
            assert (alone.reason, alone.retry_safe) == ("UPSTREAM_UNAVAILABLE", True)
        assert b"google.rpc.RetryInfo" in alone.everything
        async with upstream_servers.serve("openai", port=port) as server:
            while await ask() is not None:
                assert not server.requests
                await asyncio.sleep(0.05)  # between two looks at the condition
            assert len(server.requests) == 1
        verified(running)


async def test_who_repeats_a_key_keeps_no_other_tenant_from_a_service_that_is_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A call that is refused after the pause without asking the service leaves it to the next one to find out."""
    deployed, port = not_there(tmp_path_factory.mktemp("repeated"), failures=1, pause_s=3600)
    used = message(use=replace(HARMLESS, idempotency_key="used"))
    async with serving(deployed) as running, attacking(running) as repeating:
        async with upstream_servers.serve("openai", port=port):
            assert await repeating.call(data=used)
        async with attacking(running, tenant=INTELLIGENCE) as other:
            with pytest.raises(grpc.aio.AioRpcError):
                await other.call()
            pause_over(running)
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await repeating.call(data=used)
                assert told(refused.value).reason == "DUPLICATE_REQUEST"
            async with upstream_servers.serve("openai", port=port) as server:
                assert await other.call()
                assert len(server.requests) == 1
        verified(running)


@pytest.mark.parametrize("method", METHODS)
async def test_of_calls_that_come_at_once_after_a_pause_one_is_sent(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Of permitted calls one finds out; the others are told that nothing was sent, and each intent has its outcome."""
    deployed, _ = not_there(tmp_path_factory.mktemp("at-once"), failures=1, pause_s=3600)
    passed, take_spend = asyncio.Barrier(3), Quotas.take_spend

    async def all_passed(*given: Any) -> None:
        await take_spend(*given)
        await passed.wait()

    async with serving(deployed) as running, attacking(running) as attacker:

        async def ask() -> Told:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await attacker.call(method)
            return told(refused.value)

        await ask()
        pause_over(running)
        monkeypatch.setattr(Quotas, "take_spend", all_passed)
        answers = await asyncio.gather(*(ask() for _ in range(3)))
        assert {(a.reason, a.retry_safe) for a in answers} == {("UPSTREAM_UNAVAILABLE", True)}
        assert sorted(b"google.rpc.RetryInfo" in a.everything for a in answers) == [False, True, True]
        for answer in answers:
            records = [r for r in running.records() if r["decision_id"] == answer.decision_id]
            assert [(r["kind"], r["outcome"]) for r in records] == [
                ("intent", "permitted"),
                ("outcome", "upstream_error"),
            ]
        verified(running)


def pause_over(running: Running) -> None:
    """The service was left alone for long enough."""
    assert running.gate is not None
    upstream = running.gate.upstreams["loopback"]
    with pytest.raises(GatewayError):
        upstream.check()
    upstream._until = 0.0  # type: ignore[attr-defined]  # of the breaker: a pause lasts a second at least
