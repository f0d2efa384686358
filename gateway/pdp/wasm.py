"""The embedded engine: runs the release's Wasm module in process, on the thread of the event loop.

A module has no network, files, clock or host functions. It computes within a memory limit and a deadline. It blocks the
loop meanwhile, which costs less than a switch to another thread, and the deadline bounds it.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from importlib.metadata import version

import orjson
import wasmtime
from opapywasm import OpaInvalidPolicyError, OpaWasmError, PolicyConfig
from opapywasm.abi import OpaAbiSpec
from opapywasm.instance import OpaPolicyInstance
from opapywasm.runtime import EpochTicker, WasmtimeRuntime, WasmtimeRuntimeFactory

from gateway import memory
from gateway.canonical import Json, canonical
from gateway.config import Policy
from gateway.errors import StartError
from gateway.pdp.call import Evaluation
from gateway.pdp.decision import parse, unavailable
from gateway.pdp.engine import MAX_DECISION_BYTES, PACKAGE, RULE, Engine, encode
from gateway.types import Decision, Release

ENTRYPOINT = f"{PACKAGE}/{RULE}"

_PAGE = 64 << 10
_REMEMBERED, _REMEMBERED_BYTES = 256, 8 << 10
"""Policies return the same few answers again and again. Parsed answers are cached, 2 MiB of them at most."""
_TICK_MS = round(EpochTicker.tick_seconds * 1000)


def open_wasm(release: Release, config: Policy, code: bytes = b"") -> Engine:
    """Compile the release's module and load its data. code: the result of `machine_code` in another process.

    Raises StartError if it is not a policy module, needs more than the memory limit, needs a host function, or lacks
    the entrypoint.
    """
    try:
        pages = (config.memory_mib << 20) // _PAGE
        factory = _Compiled(code, pages) if code else _Factory(release.wasm, max_memory_pages=pages)
        try:
            return _Wasm(release, config, factory)
        except BaseException:
            factory.close()
            raise
    except OpaWasmError as error:
        raise _useless(error) from error


def machine_code(wasm: bytes) -> bytes:
    """The machine code of a module, only for this machine and this version of the engine. Raises StartError.

    Whoever can change the code can run anything. It is sent only through pipes between two known processes, and never
    written to a file.
    """
    try:
        return bytes(wasmtime.Module(wasmtime.Engine(_settings()), wasm).serialize())
    except wasmtime.WasmtimeError as error:
        raise _useless(error) from error


def _useless(error: Exception) -> StartError:
    return StartError(
        f"policy.wasm: can't decide: {error}\n"
        "build the release again with `opa build -t wasm`, or raise policy.memory_mib if it is memory that it lacks"
    )


def _settings() -> wasmtime.Config:
    """The settings that the compiling and the running process must share. Epochs stop an endless evaluation."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    return config


class _Wasm:
    """One instance of the module, reused. It is replaced after a trap, which leaves its memory in an unknown state."""

    name = "wasm"
    version = f"opa-py-wasm {version('opa-py-wasm')}, wasmtime {version('wasmtime')}"

    def __init__(self, release: Release, config: Policy, factory: _Factory) -> None:
        self._revision = release.revision
        self._read = lru_cache(_REMEMBERED)(partial(_decision, revision=release.revision))
        self._data = canonical(release.data)
        self._factory = factory
        self._deadline_ns = config.deadline_ms * 1_000_000
        self._limits = PolicyConfig(
            eval_timeout_seconds=config.deadline_ms / 1000,
            max_data_bytes=len(self._data),
            max_cstring_scan_bytes=MAX_DECISION_BYTES,
        )
        self._closed = False
        self._start()

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - policies call it input
        """See Engine."""
        started_ns = time.monotonic_ns()
        if self._closed:
            raise unavailable("the engine is closed")
        text = encode(input)
        try:
            if self._evaluate.broken:
                self._instance.close()
                self._start()
            result = self._evaluate(text)
        except OpaWasmError as error:
            raise unavailable(f"evaluation: {error}") from error
        if time.monotonic_ns() - started_ns > self._deadline_ns:
            raise unavailable("evaluation: past the deadline")
        return self._read(result) if len(result) <= _REMEMBERED_BYTES else _decision(result, self._revision)

    async def close(self) -> None:
        """See Engine."""
        self._closed = True
        self._instance.close()
        self._factory.close()

    def _start(self) -> None:
        epoch = self._factory.epoch
        # The library's clock ticks independently of our start, so the first tick may come at once: allow one more tick.
        # Ticks stop an endless evaluation. The wall clock, read after each evaluation, refuses a late answer.
        ticks = epoch.deadline_ticks((self._deadline_ns / 1_000_000 + _TICK_MS) / 1000)
        self._instance = OpaPolicyInstance(
            self._factory, self._limits, OpaAbiSpec(), initial_data=self._data, epoch=epoch
        )
        try:
            entrypoint = _entrypoint(self._instance)
            self._evaluate = Evaluation(self._instance, entrypoint, ticks, MAX_DECISION_BYTES)
        except BaseException:
            self._instance.close()
            raise


def _decision(result: bytes, revision: str) -> Decision:
    """The decision in a result set. Raises GatewayError (POLICY_UNAVAILABLE)."""
    try:
        results = orjson.loads(result)
    except orjson.JSONDecodeError as error:
        raise unavailable("the result is not JSON") from error
    match results:
        case [{"result": decided, **rest}] if not rest:
            return parse(decided, revision)
        case _:
            raise unavailable("not one result: undefined or several")


def _entrypoint(instance: OpaPolicyInstance) -> int:
    """The number of the only entrypoint, in a module that needs nothing from the host."""
    needed, found = sorted(instance.builtins()), instance.entrypoints()
    if needed:
        raise StartError(
            f"policy.wasm: needs host functions, and there are none: {', '.join(needed)}\n"
            "rewrite the rules without them and build the release again"
        )
    if list(found) != [ENTRYPOINT]:
        raise StartError(
            f"policy.wasm: its entrypoints are {', '.join(sorted(found)) or 'none'}; "
            f"build it with exactly one: opa build -t wasm -e {ENTRYPOINT}"
        )
    return found[ENTRYPOINT]


class _Factory(WasmtimeRuntimeFactory):
    """The library's factory, with this module's runtimes."""

    def create_runtime(self, builtin_dispatch: object = None) -> WasmtimeRuntime:  # noqa: ARG002 - no host functions
        """A new instance of the module."""
        declared = next(i.type for i in self.module.imports if isinstance(i.type, wasmtime.MemoryType)).limits.min
        pages = self.max_memory_pages or 0
        if declared > pages:
            raise OpaInvalidPolicyError(f"it declares {declared} pages of 64 KiB, and the cap is {pages}")
        return _Runtime(self.engine, self.module, pages)


class _Compiled(_Factory):
    """A factory for a module that another process compiled."""

    def __init__(self, code: bytes, pages: int) -> None:
        self._max_memory_pages = pages
        self._engine = wasmtime.Engine(_settings())
        try:
            self._module = wasmtime.Module.deserialize(self._engine, code)
        except wasmtime.WasmtimeError as error:
            raise OpaInvalidPolicyError(f"invalid machine code: {error}") from error
        self._epoch = EpochTicker(self._engine)
        try:
            self._validate_required_env_imports()
        except BaseException:
            self._epoch.close()
            raise


class _Runtime(WasmtimeRuntime):
    """The library's runtime, with all of its memory allocated from the start.

    The library starts with two pages. WebAssembly refuses to link a module whose import declares more (about 200 rules
    do), and because of the compiler's rounding a module may declare less than its own data needs. A memory of the size
    of the limit works for both, never grows, and costs nothing where it is not touched.
    """

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, pages: int) -> None:
        self._builtin_dispatch = None
        self._store = wasmtime.Store(engine)
        try:
            self.clear_epoch_deadline()  # a new store's deadline has passed already; each evaluation sets its own
            self._store.set_limits(memory_size=pages * _PAGE, memories=1)
            self._memory = wasmtime.Memory(self._store, wasmtime.MemoryType(wasmtime.Limits(pages, pages)))
            start = ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value or 0
            memory.large_pages(start, pages * _PAGE)
            linker = wasmtime.Linker(engine)
            self._register_env_imports(linker, module)
            self._instance = linker.instantiate(self._store, module)
            self._exports = self._instance.exports(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            self.close()
            raise OpaInvalidPolicyError(str(error)) from error
