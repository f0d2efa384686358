"""Prepares what calls need from a release, and tests its engine before it decides anything.

These are steps 2 and 3 of activation.py. While the gateway serves, a separate process does them (loader.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from gateway import facts, pdp
from gateway.canonical import Json
from gateway.config import Config
from gateway.errors import GatewayError, StartError
from gateway.inforce import InForce
from gateway.release import State
from gateway.types import Decision, Effect, Release

LATE: Final = 4


async def prepare(config: Config, loaded: Release, code: bytes = b"", state: State = ()) -> InForce:
    """Step 2. code: machine code of the release's module, if it is compiled already. Raises StartError."""
    check_upstreams(config, loaded)
    engine = await pdp.open_engine(loaded, config.policy, code)
    try:
        return InForce(loaded, facts.prepare(loaded, config.marking_ceiling, config.audit.enclave), engine, state)
    except BaseException:
        await engine.close()
        raise


def check_upstreams(config: Config, loaded: Release) -> None:
    """Raise StartError unless every model of the release has its upstream."""
    missing = {m.upstream for m in loaded.models.values()} - {u.name for u in config.upstreams}
    if missing:
        raise StartError(f"upstreams: the release names {sorted(missing)}, which the configuration does not have")


async def ask(fresh: InForce) -> None:
    """Step 3. Raises StartError unless the engine denies a call without facts, and the self-test passes.

    Calls in flight are not held up: the event loop serves them between questions.
    """
    try:
        decision = await _decided(fresh, {})
        if decision.effect is not Effect.DENY:
            raise StartError("the policy permits a call without facts; have its rules refuse what they are not told")
        for check in fresh.release.checks:
            decision = await _decided(fresh, check.input)
            found = _said(decision.effect.name.lower(), {rule.id for rule in decision.rules})
            expected = _said(check.effect, check.rules)
            if found != expected:
                raise StartError(
                    f"self-test: {check.id}: is {found}, not {expected}; the release is not what was tested"
                )
    except GatewayError as error:
        raise StartError(f"the engine gives no decision with this release: {error.detail}") from error


def lean(tested: InForce) -> InForce:
    """It without the module and the self-test of its release, which no call needs."""
    release = replace(tested.release, wasm=b"", checks=())
    return replace(tested, release=release, attributes=replace(tested.attributes, release=release))


async def _decided(fresh: InForce, input_: Mapping[str, Json]) -> Decision:
    """The decision. A question that fails is repeated, because a busy machine is not the release's fault."""
    for _ in range(LATE):
        await asyncio.sleep(0)
        with contextlib.suppress(GatewayError):
            return await fresh.engine.decide(input_)
    return await fresh.engine.decide(input_)


def _said(effect: str, rules: Iterable[str]) -> str:
    return f"{effect} by {', '.join(sorted(rules)) or 'no rule'}"
