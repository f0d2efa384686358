"""What holds a call back: routes that contradict, a gateway that is not ready, and a message that is on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from google.protobuf.message import Message

from brightline import Unavailable
from brightline.v1 import inference_pb2
from gateway.admission import Admission
from gateway.canonical import Json
from gateway.clock import TOLERANCE_US, Clock, system_us
from gateway.config import Limits
from gateway.pdp import Engine
from gateway.server import Shell, streaming
from gateway.types import Decision, Effect, Obligation
from tests.support.gateways import HARMLESS, Deployment, serving
from tests.support.waiting import until


class Routing:
    """The engine of the gateway, which sends what it permits to these models: first, and then when asked again."""

    def __init__(self, engine: Engine, *routes: tuple[str, ...]) -> None:
        self._engine = engine
        self._routes = [*routes]
        self.name, self.version = engine.name, engine.version

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        decision = await self._engine.decide(input)
        if decision.effect is not Effect.ALLOW or not self._routes:
            return decision
        added = tuple(Obligation("route", text=model) for model in self._routes.pop(0))
        return replace(decision, obligations=(*decision.obligations, *added))

    async def close(self) -> None:
        await self._engine.close()


@pytest.mark.parametrize(
    ("first", "again", "agree"),
    [
        (("loopback",), (), True),
        (("loopback",), ("loopback",), True),
        (("loopback",), ("other",), False),
        (("loopback",), ("loopback", "other"), False),
        (("loopback", "other"), (), False),
    ],
)
async def test_routes_that_contradict_are_no_decision(
    tmp_path: Path, first: tuple[str, ...], again: tuple[str, ...], *, agree: bool
) -> None:
    """What is permitted was decided for the one model that is asked; where the policy names another, nobody is."""
    async with serving(Deployment.create(tmp_path)) as running:
        assert running.gate is not None
        working = running.gate.in_force
        running.gate.in_force = replace(working, engine=Routing(working.engine, first, again))
        with nullcontext() if agree else pytest.raises(Unavailable) as refused:
            await running.client().generate(model="loopback", use=HARMLESS, prompt="How many trucks?")
        assert running.calls == agree
    assert refused is None or refused.value.reason == "POLICY_UNAVAILABLE"


async def test_a_gateway_that_would_refuse_every_call_is_not_ready(tmp_path: Path) -> None:
    """With a clock that was set, or a release that has expired, it says so before anybody calls."""
    set_us = [0]
    clock = Clock(lambda: system_us() + set_us[0])
    async with serving(Deployment.create(tmp_path), clock) as running:
        gate = running.gate
        assert gate is not None
        assert gate.ready
        set_us[0] = -2 * TOLERANCE_US
        assert not gate.ready
        set_us[0] = 0
        assert gate.ready
        gate.in_force.expires_us = clock()
        assert not gate.ready


class EndedError(Exception):
    """gRPC's way to end a handler."""


class Slow:
    """gRPC's side of a call whose caller takes the one message late. happened: in order."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.begun, self.taken = asyncio.Event(), asyncio.Event()

    def time_remaining(self) -> float:
        return 0.05

    def auth_context(self) -> Mapping[str, Any]:
        return {}

    def invocation_metadata(self) -> tuple[Any, ...]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:9"

    async def write(self, _: bytes) -> None:
        self.begun.set()
        await self.taken.wait()
        self.happened.append("taken")

    async def abort(self, code: grpc.StatusCode, *_: object) -> NoReturn:
        self.happened.append(code.name)
        raise EndedError


async def test_a_call_ends_after_the_message_that_is_on_its_way(tmp_path: Path) -> None:
    """Past its deadline the refusal waits for a message that the caller has not taken: gRPC would drop it."""

    async def pieces(*_: object) -> AsyncGenerator[Message]:
        yield inference_pb2.GenerateStreamResponse()

    async def probe() -> bool:
        return True

    async with serving(Deployment.create(tmp_path)) as running:
        assert running.gate is not None
        shell, context = Shell(running.gate, Limits(), "", Admission(probe, 1.0, time.monotonic)), Slow()
        call = asyncio.ensure_future(streaming(shell, "/a/B", pieces)(None, context))  # type: ignore[arg-type]
        await context.begun.wait()
        await until(lambda: not shell.in_flight)
        assert context.happened == []
        context.taken.set()
        with pytest.raises(EndedError):
            await call
    assert context.happened == ["taken", "DEADLINE_EXCEEDED"]
