"""Decides many inputs at once with either engine, with the gateway's own checks of inputs and decisions.

If an engine gives no decision, a gateway refuses the call. Here the reason takes the place of the decision, as text.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from gateway.canonical import Json
from gateway.config import Policy
from gateway.errors import GatewayError
from gateway.pdp.decision import parse, unavailable
from gateway.pdp.engine import Engine, encode
from gateway.pdp.wasm import machine_code, open_wasm
from gateway.types import Decision, Release
from gateway.workshop.opa import opa, said
from gateway.workshop.policies import Opened

Input: TypeAlias = dict[str, Json]
Made: TypeAlias = Decision | str
Decide: TypeAlias = Callable[[Sequence[Input]], list[Made]]

PATIENT: Final = Policy(deadline_ms=10_000, memory_mib=256)
"""More generous than a gateway's limits, so that a busy machine or a policy that has outgrown them still decides."""

_QUERY: Final = (
    "[{'at': at, 'made': made} | some at, facts in input; made := data.brightline.decision with input as facts]"
)


@contextmanager
def embedded(release: Release, limits: Policy = PATIENT) -> Iterator[Decide]:
    """The embedded engine with this release loaded. Raises StartError."""
    engine = open_wasm(release, limits, _compiled(release.wasm))
    with asyncio.Runner() as runner:
        try:
            yield lambda inputs: runner.run(_each(engine, inputs))
        finally:
            runner.run(engine.close())


@functools.lru_cache(2)
def _compiled(wasm: bytes) -> bytes:
    """The compiled module, cached: releases that differ only in data or grants share it."""
    return machine_code(wasm)


async def _each(engine: Engine, inputs: Sequence[Input]) -> list[Made]:
    made: list[Made] = []
    for facts in inputs:
        try:
            made.append(await engine.decide(facts))
        except GatewayError as error:
            made.append(error.detail)
    return made


def beside(policy: Opened, inputs: Sequence[Input]) -> list[Made]:
    """The decisions of Open Policy Agent about these inputs, all in one run."""
    made: list[Made] = ["undefined"] * len(inputs)
    texts: dict[int, bytes] = {}
    for at, facts in enumerate(inputs):
        try:
            texts[at] = encode(facts)
        except GatewayError as error:
            made[at] = error.detail
    _ask(policy.sources, policy.release.revision, texts, made)
    return made


def _ask(sources: Path, revision: str, texts: dict[int, bytes], made: list[Made]) -> None:
    """Fill in what OPA decides. One failing input fails the whole run, so a failed run is repeated with each half."""
    if not texts:
        return
    stdin = b"{%s}" % b",".join(b'"%d":%s' % item for item in texts.items())
    query = _QUERY.replace("'", '"')
    done = opa("eval", "--data", sources, "--stdin-input", "--format", "json", query, at=sources, stdin=stdin.decode())
    if done.returncode == 0:
        for answer in json.loads(done.stdout)["result"][0]["expressions"][0]["value"]:
            made[int(answer["at"])] = _parsed(answer["made"], revision)
    elif len(texts) == 1:
        (at,) = texts
        made[at] = unavailable(f"opa: {said(done)}").detail
    else:
        items = list(texts.items())
        for half in (items[: len(items) // 2], items[len(items) // 2 :]):
            _ask(sources, revision, dict(half), made)


def _parsed(result: Any, revision: str) -> Made:
    try:
        return parse(result, revision)
    except GatewayError as error:
        return error.detail


def same(one: Made, other: Made) -> bool:
    """Whether two results are the same. Two missing decisions count as the same, whatever the reasons."""
    return one == other or (isinstance(one, str) and isinstance(other, str))
