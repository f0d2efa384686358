"""Traces of a real gateway, as a real collector gets them, and what the model's service is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from brightline import BrightlineError
from gateway.telemetry.meters import PHASES
from tests.e2e.test_secrets import allow_model, serve_model
from tests.support import upstream_servers
from tests.support.attacks import Attacker, attacking, message, told
from tests.support.gateways import HARMLESS, HEALTH, LOGISTICS, Deployment, Running, serving
from tests.support.observing import Collector, attributes, collector
from tests.support.upstream_servers import Script, Server
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT, ANSWER, SUBJECT = "canary_prompt_4410", "canary_answer_8261", "canary_subject_1173"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KNOWN = {"rpc.system", "brightline.decision_id", "brightline.reason", "brightline.model"}


@dataclass
class Traced:
    """A gateway of which every call is traced, its upstream, and the collector."""

    running: Running
    server: Server
    collector: Collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """The gateway with an upstream that speaks HTTP."""
    deployed = Deployment.create(tmp_path_factory.mktemp("traces"))
    deployed.change_release("models.json", serve_model)
    deployed.change_release("tenants.json", allow_model)
    async with upstream_servers.serve("openai") as server, collector() as receiver:
        server.script = Script(texts=(ANSWER,))
        upstream = f'[[upstreams]]\nname = "service"\nkind = "openai"\nbase_url = "{server.base_url}"\n'
        trace = f'[tracing]\nendpoint = "{receiver.url}"\nper_thousand = 1000\n'
        deployed.config.write_text(f"{deployed.config.read_text()}\n{upstream}\n{trace}")
        async with serving(deployed) as gateway:
            yield Traced(gateway, server, receiver)


async def test_a_call_is_one_trace_through_to_the_upstream(traced: Traced) -> None:
    """The span of the call belongs to the caller's, those of its parts to it, and the upstream is told the last."""
    for method in ("Generate", "GenerateStream"):
        async with attacking(traced.running) as caller:
            said = ("traceparent", f"00-{TRACE}-{PARENT}-00")
            await caller.call(method, message(prompt=PROMPT, model="served"), metadata=[said])
        intent = traced.running.records("intent")[-1]
        await until(lambda: "record" in traced.collector.of(intent["decision_id"]))  # noqa: B023 - awaited here
        spans = traced.collector.of(intent["decision_id"])
        root = spans.pop("")
        assert (root.name, root.trace_id.hex(), root.parent_span_id.hex()) == (method, TRACE, PARENT)
        assert set(spans) == set(PHASES)
        assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
        assert all(
            root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in spans.values()
        )
        forward = spans["forward"]
        assert traced.server.headers[-1]["traceparent"] == f"00-{TRACE}-{forward.span_id.hex()}-01"
        assert attributes(forward) == {"brightline.model": "served"}


@pytest.mark.parametrize(
    "said",
    [
        (f"01-{TRACE}-{PARENT}-01",),
        (f"00-{TRACE.upper()}-{PARENT}-01",),
        (f"00-{'0' * 32}-{PARENT}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE}-{PARENT}-01-extra",),
        (f"{PROMPT}",),
        ("",),
        (),
    ],
)
async def test_what_is_no_traceparent_begins_a_trace_of_the_gateways_own(traced: Traced, said: tuple[str, ...]) -> None:
    """Anything but exactly one well-formed traceparent is not taken, and the call goes on."""
    async with attacking(traced.running) as caller:
        await caller.call(
            data=message(prompt=PROMPT, model="served"), metadata=[("traceparent", value) for value in said]
        )
    root = await finished(traced, traced.running.records("intent")[-1]["decision_id"])
    assert root.trace_id.hex() != TRACE
    assert not root.parent_span_id
    assert traced.server.headers[-1]["traceparent"].split("-")[1] == root.trace_id.hex()


async def test_only_a_proved_caller_says_where_its_trace_belongs(traced: Traced) -> None:
    """What somebody without a token says of a trace is not taken."""
    async with attacking(traced.running) as attacker:
        stranger = Attacker(attacker.channel, "x")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stranger.call(metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
    root = await finished(traced, told(failed.value).decision_id)
    assert root.trace_id.hex() != TRACE
    assert attributes(root)["brightline.reason"] == "TOKEN_INVALID"


async def test_no_span_tells_content_or_who(traced: Traced) -> None:
    """Prompts, answers, tenants, subjects and tokens are in no span; tracestate and baggage are not handed on."""
    told_of = [("tracestate", f"x={PROMPT}"), ("baggage", f"x={PROMPT}")]
    token = traced.running.token(LOGISTICS, subject=SUBJECT)
    async with attacking(traced.running) as caller:
        mine = Attacker(caller.channel, token)
        await mine.call(data=message(prompt=PROMPT, system=PROMPT, model="served"), metadata=told_of)
    client = traced.running.client(token=token)
    with pytest.raises(BrightlineError):
        await client.generate(model=PROMPT, prompt=PROMPT, use=replace(HARMLESS, purpose=PROMPT))
    await finished(traced, traced.running.records("refusal")[-1]["decision_id"])
    sent = b"".join(traced.collector.bodies)
    for word in (PROMPT, ANSWER, SUBJECT, LOGISTICS, HEALTH, token, "127.0.0.1"):
        assert word.encode() not in sent
    assert {name for span in traced.collector.spans for name in attributes(span)} <= KNOWN
    assert not {"tracestate", "baggage"} & set(traced.server.headers[-1])


async def test_a_collector_that_is_away_is_not_noticed_by_callers(traced: Traced) -> None:
    """While spans can't be sent calls are answered as before, and what was lost is counted."""
    meters = traced.running.gate.telemetry.meters if traced.running.gate else None
    assert meters is not None
    client, lost = traced.running.client(), meters.spans[2]
    traced.collector.status = 400
    try:
        for _ in range(3):
            answer = await client.generate(model="served", prompt="How many trucks?", max_tokens=50, use=HARMLESS)
            assert answer.text == ANSWER
        await until(lambda: meters.spans[2] >= lost + (1 + len(PHASES)) * 3)
    finally:
        traced.collector.status = 200
    again = await client.generate(model="served", prompt="How many trucks?", max_tokens=50, use=HARMLESS)
    await finished(traced, again.decision_id)


async def test_a_gateway_without_a_collector_serves_and_ends(tmp_path: Path) -> None:
    """Nobody listens at the configured endpoint: calls are answered, and the gateway stops without waiting for it."""
    deployed = Deployment.create(tmp_path)
    text = '[tracing]\nendpoint = "http://127.0.0.1:9/v1/traces"\nper_thousand = 1000\n'
    deployed.config.write_text(f"{deployed.config.read_text()}\n{text}")
    async with serving(deployed) as gateway:
        answer = await gateway.client().generate(model="loopback", prompt="How many trucks?", use=HARMLESS)
    assert "trucks" in answer.text
    assert [r["kind"] for r in gateway.records()][-1] == "stop"


async def test_what_is_not_drawn_is_not_sent_and_still_handed_on(tmp_path: Path) -> None:
    """With a share of none no span is made, whatever the caller's flags say, and the upstream is told not sampled."""
    deployed = Deployment.create(tmp_path)
    deployed.change_release("models.json", serve_model)
    deployed.change_release("tenants.json", allow_model)
    async with upstream_servers.serve("openai") as server, collector() as receiver:
        upstream = f'[[upstreams]]\nname = "service"\nkind = "openai"\nbase_url = "{server.base_url}"\n'
        trace = f'[tracing]\nendpoint = "{receiver.url}"\nper_thousand = 0\n'
        deployed.config.write_text(f"{deployed.config.read_text()}\n{upstream}\n{trace}")
        async with serving(deployed) as gateway, attacking(gateway) as caller:
            said = ("traceparent", f"00-{TRACE}-{PARENT}-01")
            await caller.call(data=message(prompt=PROMPT, model="served"), metadata=[said])
            assert gateway.gate is not None
            assert gateway.gate.telemetry.meters.spans == [0, 0, 0]
    _, trace_id, span_id, flags = server.headers[-1]["traceparent"].split("-")
    assert (trace_id, flags) == (TRACE, "00")
    assert span_id != PARENT
    assert receiver.bodies == []


async def finished(traced: Traced, decision_id: str) -> Any:
    """The span of a call, once it was received."""
    await until(lambda: bool(traced.collector.of(decision_id)))
    return traced.collector.of(decision_id)[""]
