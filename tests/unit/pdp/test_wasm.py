"""The embedded engine against modules that misbehave: no decision, within bounds, and the next one is sound."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import wasmtime

from gateway.canonical import Json
from gateway.config import Policy
from gateway.errors import GatewayError, Reason, StartError
from gateway.pdp import Engine
from gateway.pdp.engine import MAX_INPUT_BYTES
from gateway.pdp.wasm import machine_code, open_wasm
from gateway.types import Effect
from tests.support import hostile
from tests.support.inputs import plain
from tests.support.releases import compile_policy, release, starter_release

PATIENT = Policy(deadline_ms=10_000)
GOOD = {"case": "good"}


@asynccontextmanager
async def opened(wasm: bytes, config: Policy = PATIENT) -> AsyncIterator[Engine]:
    engine = open_wasm(release(wasm), config)
    try:
        yield engine
    finally:
        await engine.close()


async def refused(engine: Engine, case: str = "any") -> str:
    with pytest.raises(GatewayError) as error:
        await engine.decide({"case": case})
    assert error.value.reason is Reason.POLICY_UNAVAILABLE
    return error.value.detail


async def test_whatever_the_policy_answers_only_a_decision_counts() -> None:
    """Undefined, other types, unknown words, another revision, too much, a conflict: refused; the next is sound."""
    async with opened(compile_policy(hostile.REGO)) as engine:
        for case in ("undefined", *hostile.ODD_CASES):
            assert await refused(engine, case), case
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_an_evaluation_that_runs_on_is_stopped() -> None:
    """A module that does not return is stopped at the deadline, each time, and the decision after it works."""
    long = "(if (i32.gt_u (local.get 4) (i32.const 20)) (then (loop (br 0)))) (i32.const 4096)"  # 4: bytes of input
    async with opened(hostile.module(evaluate=long), Policy(deadline_ms=1000)) as engine:
        for _ in range(2):
            assert "time limit" in await refused(engine, "longer than twenty bytes")
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_a_policy_that_blows_up_is_stopped() -> None:
    """A policy that searches without end meets the memory cap or the deadline, and the decision after it works."""
    async with opened(compile_policy(hostile.REGO)) as engine:
        assert await refused(engine, "slow")
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_what_comes_after_the_deadline_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation that ended by itself, but late by the wall clock, decides nothing."""
    async with opened(hostile.module()) as engine:
        clock = itertools.count(0, 10_000_000_001)
        monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
        assert "past the deadline" in await refused(engine)
        monkeypatch.undo()
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_memory_is_capped() -> None:
    """A policy that gathers without end meets the cap, long before the host does, and the next decision works."""
    async with opened(compile_policy(hostile.MEMORY)) as engine:
        await refused(engine, "large")
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_memory_cannot_be_grown_past_the_cap() -> None:
    """memory.grow answers -1 for any page beyond the cap."""
    grown = "(i32.add (i32.const 4097) (memory.grow (i32.const 1)))"  # -1 makes it the address of the good answer
    async with opened(hostile.module(evaluate=grown), Policy(memory_mib=1, deadline_ms=10_000)) as engine:
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_a_long_policy_loads_and_decides() -> None:
    """A module of 400 rules declares more memory than the library starts with, and works."""
    wasm = compile_policy(hostile.rules(400))
    imports = wasmtime.Module(wasmtime.Engine(), wasm).imports
    assert max(i.type.limits.min for i in imports if isinstance(i.type, wasmtime.MemoryType)) > 2
    async with opened(wasm) as engine:
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW
        assert "undefined" in await refused(engine)


async def test_an_input_that_does_not_fit_decides_nothing() -> None:
    """Facts that fit the bound on inputs and not the memory are refused before they are written anywhere."""
    async with opened(hostile.module(), Policy(memory_mib=1, deadline_ms=10_000)) as engine:
        assert "does not fit into the memory" in await refused(engine, "x" * (MAX_INPUT_BYTES - 100))
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_many_decisions_leave_memory_as_it_was() -> None:
    """What a decision took is given back: a small memory decides any number of times."""
    engine = open_wasm(starter_release(), Policy(memory_mib=1, deadline_ms=10_000))
    try:
        for _ in range(500):
            assert (await engine.decide(plain())).effect is Effect.ALLOW
    finally:
        await engine.close()


@pytest.mark.parametrize(
    "results",
    [
        f'[{{"result":{hostile.GOOD}}},{{"result":{hostile.GOOD}}}]',
        f'[{{"result":{hostile.GOOD},"more":1}}]',
        f'{{"result":{hostile.GOOD}}}',
        f"[{hostile.GOOD}]",
        hostile.GOOD,
        "[]",
        "[{}]",
        "[null]",
        '[{"result":true}]',
        '[{"result":{"allow":true}}]',
        f'[{{"result":{hostile.GOOD}}}',
        "",
        "null",
        "NaN",
        "[" * 40_000,
        f'[{{"result":{hostile.GOOD}}}]' + " " * 70_000,
    ],
    ids=lambda text: text[:20],
)
async def test_exactly_one_result_counts(results: str) -> None:
    """Two results, none, other shapes, truncated or no JSON, deep nesting and too many bytes decide nothing."""
    async with opened(hostile.module(results)) as engine:
        assert await refused(engine)
        assert await refused(engine)


@pytest.mark.parametrize(
    "evaluate",
    ["(unreachable)", "(i32.const 0)", "(i32.const -1)", "(i32.const 0x7fffffff)", "(i32.load (i32.const 0x7fffffff))"],
)
async def test_a_broken_module_decides_nothing(evaluate: str) -> None:
    """Traps and addresses that point nowhere are refused, every time."""
    async with opened(hostile.module(evaluate=evaluate)) as engine:
        assert await refused(engine)
        assert await refused(engine)


async def test_the_modules_of_these_tests_can_decide() -> None:
    """The hand-made module is a policy when nothing is wrong with it."""
    async with opened(hostile.module()) as engine:
        assert (await engine.decide({})).effect is Effect.ALLOW


def test_a_module_that_needs_the_host_is_refused_at_start() -> None:
    """A policy that would call out of the module does not start, and the function is named."""
    with pytest.raises(StartError, match=r"http\.send"):
        open_wasm(release(compile_policy(hostile.HTTP)), PATIENT)


def test_another_entrypoint_is_refused_at_start() -> None:
    """A module that answers another question does not start, and the right build is named."""
    with pytest.raises(StartError, match=r"brightline/good.*-e brightline/decision"):
        open_wasm(release(compile_policy(hostile.REGO, "brightline/good")), PATIENT)


@pytest.mark.parametrize(
    "wasm", [b"", b"\0asm", b"\0asm\1\0\0\0", b"package brightline", compile_policy(hostile.REGO)[:5000]]
)
def test_what_is_no_policy_module_is_refused_at_start(wasm: bytes) -> None:
    """Nothing, text, half a module and a module without OPA's ABI do not start."""
    with pytest.raises(StartError, match=r"policy\.wasm"):
        open_wasm(release(wasm), PATIENT)


@pytest.mark.parametrize(
    "also", ['(import "env" "surprise" (func))', '(import "wasi" "fd_write" (func))', '(data (i32.const 99999999) "x")']
)
def test_a_module_that_does_not_fit_the_host_is_refused_at_start(also: str) -> None:
    """A module that imports what no policy needs, or whose own data lie outside its memory, does not start."""
    with pytest.raises(StartError, match=r"policy\.wasm"):
        open_wasm(release(hostile.module(also=also)), PATIENT)


def test_a_module_beyond_the_cap_is_refused_at_start() -> None:
    """A module that declares more than the cap, or data that do not fit in it, name the setting."""
    with pytest.raises(StartError, match=r"raise policy\.memory_mib"):
        open_wasm(release(hostile.module(pages=17)), Policy(memory_mib=1))
    data: dict[str, Json] = {"release": {"revision": "r"}, "many": list(range(200_000))}
    with pytest.raises(StartError, match=r"raise policy\.memory_mib"):
        open_wasm(release(compile_policy(hostile.REGO), data), Policy(memory_mib=1))


async def test_a_closed_engine_decides_nothing() -> None:
    """After close every decision is refused, and closing again is harmless."""
    async with opened(hostile.module()) as engine:
        await engine.close()
        assert "closed" in await refused(engine)


async def test_machine_code_decides_as_its_module_does() -> None:
    """Compiled elsewhere, the same policy decides the same; what is no module or no machine code names the file."""
    wasm = compile_policy(hostile.REGO)
    engine = open_wasm(release(b""), PATIENT, machine_code(wasm))
    try:
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW
        assert await refused(engine, "undefined")
    finally:
        await engine.close()
    for broken in (b"", b"\0asm\1\0\0\0\xff", b"odd"):
        with pytest.raises(StartError, match=r"policy\.wasm: can't decide"):
            machine_code(broken)
    for broken in (wasm, machine_code(wasm)[:-1000], b"odd"):
        with pytest.raises(StartError, match=r"policy\.wasm: can't decide: invalid machine code"):
            open_wasm(release(b""), PATIENT, broken)
