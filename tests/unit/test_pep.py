"""The path after the model was asked, in a real gateway whose engine has trouble with answers alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from brightline import Refused, Unavailable
from gateway.canonical import Json
from gateway.pdp import Engine
from gateway.pdp.decision import unavailable
from gateway.types import Decision, Obligation
from tests.support.gateways import HARMLESS, Deployment, Running, serving


class Troubled:
    """The engine of the gateway for requests. About answers it has no decision, or one with obligations besides."""

    def __init__(self, engine: Engine, *added: Obligation) -> None:
        self._engine = engine
        self._added = added
        self.name, self.version = engine.name, engine.version

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - as policies call it
        decision = await self._engine.decide(input)
        if input["stage"] == "request":
            return decision
        if not self._added:
            raise unavailable("the engine is gone")
        return replace(decision, obligations=(*decision.obligations, *self._added))

    async def close(self) -> None:
        await self._engine.close()


@asynccontextmanager
async def troubled(folder: Path, *added: Obligation) -> AsyncIterator[Running]:
    """A gateway with such an engine."""
    async with serving(Deployment.create(folder)) as running:
        assert running.gate is not None
        working = running.gate.in_force
        running.gate.in_force = replace(working, engine=Troubled(working.engine, *added))
        yield running


async def test_an_answer_that_cannot_be_judged_is_never_asked_for_again(tmp_path: Path) -> None:
    """The model was asked, so the refusal does not say that the call is safe to repeat, and the client doesn't."""
    async with troubled(tmp_path) as running:
        with pytest.raises(Unavailable) as refused:
            await running.client(retries=2).generate(model="loopback", use=HARMLESS, prompt="How many trucks?")
        assert (refused.value.reason, refused.value.retry_safe) == ("POLICY_UNAVAILABLE", False)
        assert running.calls == 1


@pytest.mark.parametrize("added", [Obligation("label", text="Machine made."), Obligation("max_tokens", limit=1)])
async def test_an_obligation_that_comes_too_late_refuses_the_answer(tmp_path: Path, added: Obligation) -> None:
    """What the policy demands only once there is an answer can't be met any more, and is not passed over."""
    async with troubled(tmp_path, added) as running:
        with pytest.raises(Refused) as refused:
            await running.client().generate(model="loopback", use=HARMLESS, prompt="How many trucks?")
        assert refused.value.reason == "OUTPUT_DENIED"
        assert [r["outcome"] for r in running.records("outcome")] == ["refused_output"]
