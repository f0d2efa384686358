"""Handles a request. Each step returns a value or raises GatewayError. Nothing here touches gRPC.

1 authenticate the caller    2 gather the facts    3 read the content    4 decide
5 write the intent, durably: nothing is forwarded before this line
6 forward                    7 judge the output    8 write the outcome, on every exit
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from gateway import approvals, facts, output
from gateway.audit.trail import Trail
from gateway.authentication import hear, prove, prove_again
from gateway.canonical import Json
from gateway.errors import GatewayError, Reason
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.telemetry import meters
from gateway.types import (
    Call,
    Completion,
    Decision,
    Effect,
    End,
    Facts,
    Model,
    Permitted,
    Principal,
    Prompt,
    Stage,
    Text,
    Tool,
    ToolUse,
)

Read = Callable[[], Awaitable[Prompt]]
"""Reads the prompt from the wire. Called after the caller was authenticated: nobody else can make the gateway parse."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be forwarded: its intent is durable."""

    permitted: Permitted
    facts: Facts
    in_force: InForce


async def generate(call: Call, read: Read, gate: Gate, in_force: InForce) -> tuple[Admitted, Completion]:
    """The judged answer. Raises GatewayError."""
    async with gate.log.trail(call) as trail:  # 8
        admitted = await admit(call, read, gate, trail, in_force)  # 1 to 5
        upstream = gate.upstreams[admitted.permitted.model.upstream]
        left_s = seconds_left(call, gate)
        with trail.watch.forwarding(admitted.permitted.model.id):
            completion = await upstream.generate(admitted.permitted, left_s)  # 6
        await output.judge_whole(completion, judge(admitted, gate, trail))  # 7
        trail.answered(completion.parts, completion.end)
        return admitted, completion


async def generate_stream(
    call: Call, read: Read, gate: Gate, in_force: InForce
) -> AsyncGenerator[Admitted | Text | ToolUse | End]:
    """The decision, then the judged pieces of the answer, then its end. Raises GatewayError."""
    async with gate.log.trail(call) as trail:  # 8
        admitted = await admit(call, read, gate, trail, in_force)  # 1 to 5
        yield admitted
        upstream = gate.upstreams[admitted.permitted.model.upstream]
        chunks = upstream.stream(admitted.permitted, seconds_left(call, gate))  # 6
        waited = trail.watch.forwarding(admitted.permitted.model.id).through(chunks)
        judged = output.hold_back(waited, judge(admitted, gate, trail), limit_bytes=gate.answer_bytes)  # 7
        async with aclosing(judged) as pieces:
            async for piece in pieces:
                trail.released(piece)
                if isinstance(piece, End):
                    end = piece
                else:
                    yield piece
    yield end  # after the outcome is durable


async def check(call: Call, read: Read, gate: Gate, in_force: InForce) -> Decision:
    """The decision that `generate` would make now. It is recorded; nothing is forwarded. Raises GatewayError."""
    async with gate.log.trail(call) as trail:
        _, _, decision = await decide(call, read, gate, trail, in_force)
        return decision


async def models(call: Call, read: Callable[[], Awaitable[object]], gate: Gate, in_force: InForce) -> tuple[Model, ...]:
    """The models of the caller's tenant, in alphabetical order. Raises GatewayError."""
    async with gate.log.trail(call) as trail:
        principal = await prove(call, gate, trail, in_force)
        await hear(call, read, gate, in_force)
        names = in_force.attributes.tenants[principal.tenant]["models"]
        known = in_force.release.models
        return tuple(known[n] for n in sorted(known) if isinstance(names, list | tuple) and n in names)


async def admit(call: Call, read: Read, gate: Gate, trail: Trail, in_force: InForce) -> Admitted:
    """Steps 1 to 5: when this returns, the intent is durable."""
    prompt, known, decision = await decide(call, read, gate, trail, in_force)
    permitted = decision.permit(prompt, known)
    if permitted.model.upstream not in gate.upstreams:
        raise GatewayError(
            Reason.UPSTREAM_UNAVAILABLE, "the model has no upstream here", detail=permitted.model.upstream
        )
    gate.upstreams[permitted.model.upstream].check()
    tenant = in_force.release.tenants[trail.tenant]
    await gate.quotas.take_bytes(tenant, permitted.prompt.texts())
    await gate.quotas.take_tokens(tenant, permitted.prompt.max_tokens)
    await gate.quotas.take_spend(tenant, permitted.model, permitted.prompt.texts(), permitted.prompt.max_tokens)
    await prove_again(call, gate, in_force)  # 1: the steps before may have taken long
    await trail.intend(permitted)  # 5
    return Admitted(permitted, known, in_force)


async def decide(call: Call, read: Read, gate: Gate, trail: Trail, in_force: InForce) -> tuple[Prompt, Facts, Decision]:
    """Steps 1 to 4."""
    principal = await prove(call, gate, trail, in_force)  # 1
    prompt = await hear(call, read, gate, in_force)
    trail.watch.passed(meters.READ)
    await gate.queue.take(principal.tenant)
    trail.watch.passed(meters.WAIT)
    try:
        await prove_again(call, gate, in_force)  # 1
        return await _decided(prompt, principal, gate, trail, in_force)
    finally:
        gate.queue.give_back(principal.tenant)


async def _decided(
    prompt: Prompt, principal: Principal, gate: Gate, trail: Trail, in_force: InForce
) -> tuple[Prompt, Facts, Decision]:
    """Steps 2 to 4, within the call's turn."""
    judged = [*prompt.judged()]
    known = facts.gather(in_force.attributes, principal, prompt, judged, gate.clock(), audit_ready=gate.log.ready)  # 2
    trail.asked(prompt)
    if approval := await approvals.named(gate.log, principal, prompt, known.request, gate.clock()):
        known = facts.approved(known, approvals.fact(approval))
    in_force.check_pinned(prompt.release)
    readings = await gate.detectors.read([*judged, *prompt.named()], principal.tenant)  # 3
    known = known.at(Stage.REQUEST, readings, gate.detectors.liveness.standings())
    trail.saw(known, readings)
    decision = await in_force.engine.decide(known.input)  # 4
    if decision.effect is Effect.ALLOW and (routes := _routes(decision)):
        known = facts.routed(in_force.attributes, known, min(routes))
        trail.saw(known, readings)
        decision = await in_force.engine.decide(known.input)
        if decision.effect is Effect.ALLOW and not len(routes) == 1 == len(routes | _routes(decision)):
            raise GatewayError(
                Reason.POLICY_UNAVAILABLE, "the policy engine gave no decision", detail="routes that contradict"
            )
    if approval:
        approvals.check_time(approval, gate.clock())
    trail.decided(decision)
    return prompt, known, decision


def _routes(decision: Decision) -> set[str]:
    """The models that the policy routes to instead. What is permitted there is decided again for that model."""
    return {o.text for o in decision.obligations if o.kind == "route"}


def judge(admitted: Admitted, gate: Gate, trail: Trail) -> output.Judge:
    """The judge of the output, with the same detectors and rules as the request."""

    async def judged(stage: Stage, texts: tuple[str, ...], tools: tuple[ToolUse, ...]) -> None:
        readings = await gate.detectors.read(texts, trail.tenant)
        standings = gate.detectors.liveness.standings()
        known = admitted.facts.at(stage, readings, standings, request_at(stage, admitted, tools))
        try:
            decision = await admitted.in_force.engine.decide(known.input)
        except GatewayError as error:
            error.sent = True  # the model was asked: repeating the call would ask it again
            raise
        trail.judged(stage, known, readings, decision)
        met = (*admitted.permitted.obligations, *(o for o in decision.obligations if o.kind == "incident"))  # recorded
        late = [o.kind for o in decision.obligations if o not in met]
        if decision.effect is not Effect.ALLOW or late:
            raise GatewayError(
                Reason.OUTPUT_DENIED,
                known.told("the answer of the model is not permitted"),
                rules=decision.rules,
                detail=f"obligations that come too late to be met: {', '.join(late)}" if late else "",
                sent=True,
            )

    return judged


def request_at(stage: Stage, admitted: Admitted, used: tuple[ToolUse, ...]) -> Mapping[str, Json]:
    """The request facts of a stage. For a tool call, only the called tools; unspecified if they were never offered."""
    request = admitted.facts.request
    if stage is not Stage.TOOL_CALL:
        return request
    offered = {tool.name: tool for tool in admitted.permitted.prompt.tools}
    called = [offered.get(u.name) or Tool(u.name, "", "{}", "unspecified", ()) for u in used]
    return {**request, "tools": [facts.tool_facts(tool) for tool in called]}


def seconds_left(call: Call, gate: Gate) -> float:
    """Seconds until the caller's deadline. Raises GatewayError if it has passed, so that nothing is forwarded late."""
    left = ((call.deadline_us or 0) - gate.clock()) / 1_000_000
    if left <= 0:
        raise GatewayError(Reason.DEADLINE_EXCEEDED, "the caller's deadline passed before anything was forwarded")
    return left
